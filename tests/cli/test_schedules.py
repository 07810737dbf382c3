"""Ready files for cron and systemd: absolute, quoted, and understood by those who read them."""

import configparser
import datetime
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchbg.cli import group
from batchbg.errors import ConfigError
from tests.support.shop import Shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name needs quoting everywhere."""
    home = tmp_path / 'my "50%" shop'
    home.mkdir()
    (home / "config.toml").write_text('photos = "photos"\napi_key_file = "key"\n[budget]\nper_day = 100\n')
    return home


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(group, ["init", *arguments])
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("option", ["--cron", "--systemd"])
def test_a_folder_whose_name_would_write_lines_of_its_own_is_refused(tmp_path: Path, option: str):
    """In a unit or a crontab the next line is another command."""
    home = tmp_path / "shop\nExecStartPre=evil"
    home.mkdir()
    result = CliRunner().invoke(group, ["init", str(home), option])
    assert "ExecStartPre" not in result.output
    assert isinstance(result.exception, ConfigError)


def files_of(text: str) -> dict[str, str]:
    """Return what is printed for each file, by its path."""
    parts = text.split("# --- ")[1:]
    return {path: content for path, _, content in (part.partition("\n") for part in parts)}


def test_the_systemd_files_are_whole(folder: Path):
    files = files_of(printed(str(folder), "--systemd"))
    service = configparser.RawConfigParser(strict=False)
    service.optionxform = str  # type: ignore[assignment,method-assign]
    service.read_string(files["/etc/systemd/system/batchbg.service"])
    home = str(folder).replace("%", "%%")
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["WorkingDirectory"] == home
    assert service["Service"]["SuccessExitStatus"] == "8 10 11 143"
    assert service["Service"]["StandardError"] == f"append:{home}/batchbg.log"
    started = service["Service"]["ExecStart"]
    assert started.startswith("/")
    config = home.replace('"', '\\"') + "/config.toml"
    assert started.endswith(f' run --config "{config}" -v --log-format json --json')
    timer = configparser.RawConfigParser()
    timer.read_string(files["/etc/systemd/system/batchbg.timer"])
    assert timer["Timer"]["Persistent"] == "true"
    assert f'"{folder}/batchbg.log" {{' in files["/etc/logrotate.d/batchbg"]


def test_a_service_that_watches_has_a_cap_and_reads_its_settings_anew(folder: Path):
    """In turn after turn a cap of a day or of each turn holds; config.toml that is wrong is not tried again."""
    path = "/etc/systemd/system/batchbg-watch.service"
    service = configparser.RawConfigParser(strict=False)
    service.optionxform = str  # type: ignore[assignment,method-assign]
    service.read_string(files_of(printed(str(folder), "--systemd"))[path])
    assert service["Service"]["ExecReload"] == "kill -HUP $MAINPID"
    assert service["Service"]["RestartPreventExitStatus"] == "2"
    assert service["Service"]["SuccessExitStatus"] == "143"
    assert service["Service"]["ExecStart"].endswith('config.toml" -v --log-format json --json')
    (folder / "config.toml").write_text("[budget]\ntotal = 100\n")
    assert "--json --max-credits 250" in files_of(printed(str(folder), "--systemd"))[path]


def with_webhooks(folder: Path) -> Path:
    config = folder / "config.toml"
    config.write_text('webhook_url = "https://shop.example/hooks/50-off"\n' + config.read_text())
    return folder


def test_a_receiver_has_a_service_where_there_is_an_address_for_it(folder: Path):
    """Which listens for the path of that address; and what is missing is said."""
    path = "/etc/systemd/system/batchbg-webhook.service"
    assert path not in files_of(printed(str(folder), "--systemd"))
    text = printed(str(with_webhooks(folder)), "--systemd")
    assert "enable --now batchbg.timer batchbg-webhook\n" in text
    assert "webhook_secret_file = ..." in text
    service = configparser.RawConfigParser(strict=False)
    service.optionxform = str  # type: ignore[assignment,method-assign]
    service.read_string(files_of(text)[path])
    assert service["Service"]["ExecStart"].endswith('/config.toml" --path /hooks/50-off')
    assert " webhook --config " in service["Service"]["ExecStart"]
    assert service["Service"]["Restart"] == "on-failure"
    assert "batchbg webhook" not in printed(str(folder), "--cron")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_itself_finds_nothing_wrong_with_them(folder: Path, tmp_path: Path):
    paths = []
    for path, content in files_of(printed(str(with_webhooks(folder)), "--systemd")).items():
        if "systemd" in path:
            paths.append(tmp_path / Path(path).name)
            paths[-1].write_text(content)
    checked = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True)
    ours = [line for line in checked.stderr.splitlines() if "batchbg" in line]
    assert not ours
    assert checked.returncode == 0


@pytest.mark.parametrize(("code", "mails"), [(0, False), (8, False), (10, False), (11, False), (3, True), (5, True)])
def test_cron_mails_where_something_needs_a_person(folder: Path, code: int, mails: bool):
    """The line is run by a shell, as cron does, with a batchbg that ends as told."""
    (line,) = [one for one in printed(str(folder), "--cron").splitlines() if one.startswith("30 2")]
    command = line.removeprefix("30 2 * * * ").replace(r"\%", "%")
    program = command.partition(" && ")[2].partition(" run ")[0]
    stub = folder / "stub"
    stub.write_text(f'#!/bin/sh\necho "$@" "in $PWD"\nexit {code}\n')
    stub.chmod(0o755)
    ran = subprocess.run(["sh", "-c", command.replace(program, "./stub", 1)], capture_output=True, text=True, cwd="/")
    assert ran.returncode == 0
    assert bool(ran.stdout) is mails
    if mails:
        assert ran.stdout == f"batchbg ended with {code}, see {folder}/batchbg.log\n"
    log = (folder / "batchbg.log").read_text()
    assert log == f"run --config {folder}/config.toml -v --log-format json --json in {folder}\n"


def test_what_is_missing_for_a_run_without_a_person_is_said(tmp_path: Path):
    """And where config.toml has no cap, the line has one: nobody could be asked."""
    nothing = printed(str(tmp_path), "--cron")
    assert "# To do: " in nothing
    assert "`batchbg init` writes one" in nothing
    (tmp_path / "config.toml").write_text("")
    text = printed(str(tmp_path), "--systemd", "--cron")
    assert "name the folder of photos" in text
    assert "api_key_file = ..." in text
    assert text.count("--json --max-credits 250") == 3


def test_every_line_that_is_logged_at_night_has_time_and_run(shop: Shop):
    """The ledger that was made, the plan, each job at its end, and the summary: all of them of one run."""
    shop.photo("a.png")
    (shop.photos / "bad.jpg").write_text("no picture")
    result = shop.run("-v", "--log-format", "json", "--json", "--max-credits", "250")
    lines = [json.loads(line) for line in (result.err + result.out).splitlines()]
    (run_id,) = {line["run"] for line in lines}
    exported = shop.do("ledger export", "--table", "runs").out.splitlines()
    assert [json.loads(line)["id"] for line in exported] == [run_id]
    assert all(datetime.datetime.fromisoformat(line["time"]).tzinfo for line in lines)
    (done,) = [line for line in lines if line.get("message") == "done: a.png -> a.png"]
    assert done["job"] == shop.jobs()[0]["id"]
    assert lines[-1]["exit_code"] == 3


def test_what_keeps_a_run_from_beginning_is_logged_like_all_else(shop: Shop):
    """A config.toml that is gone or wrong; the log stays JSON."""
    for arguments in (["--config", "gone.toml"], ["--config", "config.toml"]):
        (shop.folder / "config.toml").write_text("max_credit = 5\n")
        failed = shop.batchbg("run", *arguments, "-v", "--log-format", "json", "--json")
        assert failed.code == 2
        (line,) = [json.loads(one) for one in failed.err.splitlines()]
        assert line["time"]
        assert line["run"]
        assert line["message"].startswith("batchbg: ")


@pytest.mark.parametrize("asking", [0, os.getuid() or 65534])
def test_a_service_never_runs_as_root(folder: Path, monkeypatch: pytest.MonkeyPatch, asking: int):
    """Where root asks it is run by the folder's owner, or by a user that is to be made for it."""
    monkeypatch.setattr(os, "getuid", lambda: asking)
    text = printed(str(folder), "--systemd")
    (user,) = set(re.findall(r"^User=(.+)$", text, re.MULTILINE))
    assert user != "root"
    assert ("useradd --system" in text) is (user == "batchbg")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", ["batchbg.service", "batchbg-watch.service"])
def test_systemd_finds_the_service_well_kept(folder: Path, tmp_path: Path, name: str):
    service = tmp_path / name
    service.write_text(files_of(printed(str(folder), "--systemd"))[f"/etc/systemd/system/{name}"])
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(service)], capture_output=True, text=True
    )
    assert re.search(r"Overall exposure level for \S+: [0-4]\.\d OK", rated.stdout)
