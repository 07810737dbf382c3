"""Who says where the key and the pictures go: this user, and no file that just lies in the current folder."""

import json
import os
from pathlib import Path

import pytest

from batchbg.cli import COMMANDS
from batchbg.sandbox.rendering import Renderer
from tests.cli.test_commands import completed
from tests.support.shop import KEY, Result, Shop
from tests.support.tiers import rest_slow

COMMANDS_WITH_KEY = ("account", "doctor", "run", "resume", "audit", "retry", "rescue")


@pytest.fixture
def foreign(shop: Shop) -> Shop:
    """A shop in whose folder somebody else's config.toml can be put; no flag says where anything is."""
    shop.some_photos(1)
    return shop


def write(shop: Shop, text: str, name: str = "config.toml") -> Path:
    path = shop.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def points_at(shop: Shop) -> str:
    return f'base_url = "{shop.base_url}"\n'


def arrived(shop: Shop) -> int:
    return sum(shop.requests(one) for one in ("account", "create", "upload_urls", "status"))


def assert_refused(result: Result, key: str) -> None:
    assert result.code == 2
    assert f"config.toml: {key} " in result.err + result.out
    assert "`batchbg trust`" in result.err + result.out


@pytest.mark.parametrize("command", [*COMMANDS_WITH_KEY, "run photos --yes", "plan photos", "status", "jobs"])
def test_a_file_that_just_lies_there_does_not_say_where_the_key_is_sent(foreign: Shop, command: str):
    write(foreign, points_at(foreign))
    assert_refused(foreign.batchbg(*command.split()), "base_url")
    assert arrived(foreign) == 0


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("base_url", 'base_url = "https://evil.example"'),
        ("api_key_file", 'api_key_file = "key"'),
        ("api_key_file", 'api_key_file = "~/.vault-token"'),
        ("ping_url", 'ping_url = "https://evil.example/x"'),
        ("webhook_url", 'webhook_url = "https://evil.example/x"'),
        ("delete_remote", "delete_remote = true"),
        ("ledger", 'ledger = "postgresql+psycopg://evil.example/db"'),
        ("ledger", 'ledger = "sqlite:////tmp/elsewhere.db"'),
        ("ledger", 'ledger = "../elsewhere.db"'),
        ("ledger", 'ledger = "sqlite:///file:x.db?uri=true"'),
        ("photos", 'photos = "~/Pictures"'),
        ("photos", 'photos = "/"'),
        ("photos", 'photos = "in/../.."'),
        ("photos", 'photos = "linked"'),
        ("photos", 'photos = "linked/below"'),
        ("backgrounds", 'backgrounds = ".."'),
        ("output", 'output = "/tmp/elsewhere"'),
        ("background_map", 'background_map = "../map.csv"'),
        ("report", 'report = "../page.html"'),
        ("files_from", 'files_from = "/etc/passwd"'),
    ],
)
def test_what_only_its_user_may_say_is_refused_from_a_foreign_file(foreign: Shop, key: str, entry: str):
    """Whatever other layers say of it: the file is named, and what to do."""
    (foreign.folder / "linked").symlink_to(foreign.folder.parent)
    write(foreign, entry)
    for flags in ([], ["--base-url", foreign.base_url, "-o", str(foreign.output), "--ledger", foreign.ledger]):
        assert_refused(foreign.batchbg("run", str(foreign.photos), "--yes", *flags), key)
    assert arrived(foreign) == 0


def test_what_a_foreign_file_may_say(foreign: Shop):
    """Limits, folders below its own, and that nothing is deleted."""
    write(
        foreign,
        'photos = "photos"\noutput = "out"\nmax_credits = 5\nledger = "sqlite:///own.db"\nreport = "p.html"\n'
        "delete_remote = false\n",
    )
    result = foreign.batchbg("run", "--base-url", foreign.base_url)
    assert result.code == 0, result.err
    assert (foreign.folder / "out" / "photo-000.png").exists()


@pytest.mark.parametrize("how", ["flag", "variable", "trust", "trust FILE", "own"])
def test_what_its_user_says_counts(foreign: Shop, own_settings: Path, how: str):
    path = write(foreign, points_at(foreign))
    match how:
        case "flag":
            result = foreign.batchbg("account", "--config", "config.toml")
        case "variable":
            foreign.setting("CONFIG", str(path))
            result = foreign.batchbg("account")
        case "trust":
            assert foreign.batchbg("trust").code == 0
            result = foreign.batchbg("account")
        case "trust FILE":
            assert foreign.batchbg("trust", str(path)).code == 0
            result = foreign.batchbg("account")
        case _:
            path.unlink()
            own_settings.mkdir(parents=True)
            (own_settings / "config.toml").write_text(points_at(foreign))
            result = foreign.batchbg("account")
    assert result.code == 0, result.err
    assert foreign.requests("account") == 1


def test_trust_says_what_it_lets_through_and_keeps_it_to_its_user(foreign: Shop, own_settings: Path):
    write(foreign, points_at(foreign) + 'photos = "~/Pictures"\nmax_credits = 5\n')
    result = foreign.batchbg("trust")
    assert result.code == 0
    assert f"base_url = {foreign.base_url!r}" in result.out
    assert "photos = '~/Pictures'" in result.out
    assert "max_credits" not in result.out
    (record,) = (own_settings / "trusted").iterdir()
    assert record.stat().st_mode & 0o777 == 0o600
    assert KEY not in record.read_text()


def test_what_was_changed_or_moved_has_to_be_trusted_again(foreign: Shop):
    path = write(foreign, points_at(foreign))
    foreign.batchbg("trust")
    text = path.read_text()
    path.write_text(f"{text}# a remark\n")
    result = foreign.batchbg("account")
    assert_refused(result, "base_url")
    assert "has changed since you trusted it" in result.err
    path.write_text(text)
    assert foreign.batchbg("account").code == 0
    elsewhere = foreign.folder / "elsewhere"
    elsewhere.mkdir()
    path.rename(elsewhere / "config.toml")
    foreign.folder = elsewhere
    assert_refused(foreign.batchbg("account"), "base_url")
    (elsewhere / "config.toml").unlink()
    (elsewhere / "config.toml").symlink_to(path)
    path.write_text(text)
    assert_refused(foreign.batchbg("account"), "base_url")


def test_a_record_that_somebody_else_can_write_counts_for_nothing(foreign: Shop, own_settings: Path):
    write(foreign, points_at(foreign))
    foreign.batchbg("trust")
    (record,) = (own_settings / "trusted").iterdir()
    record.chmod(0o622)
    assert_refused(foreign.batchbg("account"), "base_url")
    record.chmod(0o600)
    assert foreign.batchbg("account").code == 0
    for content in ("", "[]", "{", json.dumps({"path": "/", "sha256": "", "made": True})):
        record.write_text(content)
        assert_refused(foreign.batchbg("account"), "base_url")


def test_what_init_wrote_is_its_user_s_to_edit(foreign: Shop):
    """Until others can write it, or it is a link to something else."""
    result = foreign.batchbg("init")
    assert result.code == 0, result.err
    path = foreign.folder / "config.toml"
    path.write_text(points_at(foreign) + path.read_text())
    assert foreign.batchbg("account").code == 0
    path.chmod(0o666)
    assert_refused(foreign.batchbg("account"), "base_url")
    path.chmod(0o644)
    path.rename(foreign.folder / "other.toml")
    path.symlink_to("other.toml")
    assert_refused(foreign.batchbg("account"), "base_url")


def test_a_file_whose_record_is_another_user_s_is_not_trusted(foreign: Shop, monkeypatch: pytest.MonkeyPatch):
    write(foreign, points_at(foreign))
    foreign.batchbg("trust")
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert_refused(foreign.batchbg("account"), "base_url")


def test_trust_refuses_what_is_no_config(foreign: Shop):
    assert foreign.batchbg("trust").code == 2
    write(foreign, "max_credit = 5")
    result = foreign.batchbg("trust")
    assert result.code == 2
    assert "did you mean 'max_credits'?" in result.err


@pytest.mark.slow
def test_a_user_without_a_home_has_no_settings_and_no_trust(foreign: Shop):
    """Services run so: nothing crashes, and what is named counts."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        foreign.setting(name, "", prefix="")
    assert foreign.batchbg("status", "--base-url").code == 2
    assert foreign.run().code == 0
    write(foreign, points_at(foreign))
    result = foreign.batchbg("trust")
    assert result.code == 2
    assert "set HOME" in result.err
    assert foreign.batchbg("account", "--config", "config.toml").code == 0
    (foreign.folder / "config.toml").unlink()
    made = foreign.batchbg("init")
    assert made.code == 0
    assert "not marked as trusted" in made.err


@pytest.mark.parametrize("home", rest_slow(["/dev/null", "/nonexistent", "relative"]))
def test_a_home_that_is_none_is_no_trouble(foreign: Shop, home: str):
    foreign.setting("XDG_CONFIG_HOME", "", prefix="")
    foreign.setting("HOME", home, prefix="")
    assert foreign.run().code == 0


@pytest.mark.slow
def test_the_user_s_own_settings_stand_below_those_of_the_folder(foreign: Shop, own_settings: Path):
    """A cap for everything, and one for this shop."""
    own_settings.mkdir(parents=True)
    own = own_settings / "config.toml"
    own.write_text(f"{points_at(foreign)}max_credits = 0\n")
    arguments = ["run", "photos", "-o", "out", "--ledger", foreign.ledger]
    assert foreign.batchbg(*arguments).code == 8
    write(foreign, "max_credits = 5\n")
    assert foreign.batchbg(*arguments).code == 0
    own.write_text("max_credit = 1\n")
    assert "config.toml: there is no setting 'max_credit'" in foreign.batchbg(*arguments).err
    own.write_text("")
    own.chmod(0o666)
    refused = foreign.batchbg(*arguments)
    assert refused.code == 2
    assert "chmod go-w" in refused.err


@pytest.mark.slow
def test_paths_in_the_user_s_own_file_are_relative_to_it_and_the_ledger_is_not_beside_it(
    foreign: Shop, own_settings: Path
):
    own_settings.mkdir(parents=True)
    (own_settings / "config.toml").write_text(f'{points_at(foreign)}output = "results"\n')
    assert foreign.batchbg("run", "photos").code == 0
    assert (own_settings / "results" / "photo-000.png").exists()
    assert (foreign.folder / "batchbg.db").exists()


def test_a_file_may_begin_with_a_mark_of_its_encoding(foreign: Shop):
    write(foreign, "\ufeffmax_credits = 0\n")
    assert foreign.batchbg("run", "photos", "--base-url", foreign.base_url, "-o", "out").code == 8


def test_the_command_is_listed_and_completed():
    assert "trust" in COMMANDS
    assert "plain,trust" in completed("batchbg", "tr")


# Rehearsals


@pytest.mark.slow
def test_a_rehearsal_s_pictures_do_not_pass_for_results_of_the_real_run(foreign: Shop):
    """With ``output`` in config.toml, which both of them read."""
    write(foreign, 'photos = "photos"\noutput = "results"\n')
    assert foreign.batchbg("run", "--sandbox").code == 0
    assert (foreign.folder / "results-sandbox" / "photo-000.png").exists()
    assert not (foreign.folder / "results").exists()
    assert foreign.batchbg("run", "--base-url", foreign.base_url).code == 0
    assert len(foreign.creates()) == 1
    assert (foreign.folder / "results" / "photo-000.png").exists()


@pytest.mark.slow
def test_demo_has_its_own_folder_whatever_is_set(foreign: Shop, monkeypatch: pytest.MonkeyPatch):
    cut = Renderer.picture
    monkeypatch.setattr(Renderer, "picture", lambda self, photo, background, _: cut(self, photo, background, "fast"))
    write(
        foreign, 'photos = "photos"\noutput = "results"\nledger = "own.db"\nmax_credits = 0\nbase_url = "https://x.y"\n'
    )
    foreign.setting("OUTPUT", "elsewhere")
    result = foreign.batchbg("demo", "-q")
    assert result.code in (0, 3), result.err
    made = {path.name for path in foreign.folder.iterdir()}
    assert "batchbg-demo" in made
    assert not made & {"results", "results-sandbox", "own.db", "elsewhere", "elsewhere-sandbox"}
