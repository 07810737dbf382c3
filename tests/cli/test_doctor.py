"""Each thing that can be wrong is found, and what mends it is said."""

import errno
import os
import shutil
import sqlite3
import sys
from collections import namedtuple
from typing import Any

import pytest

from batchbg.ledger import lock
from batchbg.ledger.engine import HEAD, held
from batchbg.ledger.spool import Spool
from batchbg.sandbox.rough import ADVICE
from batchbg.webhook.receiver import Receiver
from tests.support.shop import Shop
from tests.support.terminal import Terminal
from tests.support.tiers import rest_slow
from tests.webhook.support import PATH, SECRET, serving


def doctor(shop: Shop, *extra: str, code: int | None = None) -> dict[str, dict[str, str]]:
    """Return the findings by name."""
    arguments = ["doctor", str(shop.photos), "-o", str(shop.output), "--ledger", shop.ledger, "--json", *extra]
    if "--sandbox" not in extra:
        arguments += ["--base-url", shop.base_url]
    result = shop.batchbg(*arguments)
    found: list[dict[str, str]] = result.json["findings"]
    assert result.json["ok"] is all(finding["verdict"] != "fail" for finding in found)
    assert result.code == (0 if result.json["ok"] else 2)
    if code is not None:
        assert result.code == code, found
    return {finding["name"]: finding for finding in found}


@pytest.mark.slow
def test_all_is_well(shop: Shop):
    """Before the first run and after it."""
    shop.some_photos(1)
    shop.background("wood.png")
    found = doctor(shop, "-b", str(shop.backgrounds), code=0)
    names = [
        "versions",
        "sandbox",
        "config",
        "photos",
        "backgrounds",
        "output",
        "space",
        "ledger",
        "lock",
        "API",
        "clock",
    ]
    assert list(found) == names
    assert {finding["verdict"] for finding in found.values()} == {"ok"}
    assert "will be made" in found["ledger"]["text"]
    assert "on the disk of the photos and the ledger" in found["output"]["text"]
    for library in ("Python 3.", "httpx ", "pillow ", "sqlalchemy "):
        assert library in found["versions"]["text"]
    shop.run()
    again = doctor(shop, code=0)
    assert f"schema {HEAD}" in again["ledger"]["text"]
    assert again["lock"]["verdict"] == "ok"


def test_a_config_that_cannot_be_read_is_a_finding_with_a_suggestion(shop: Shop):
    (shop.folder / "config.toml").write_text("max_credit = 5\n")
    found = doctor(shop, code=2)
    assert "did you mean 'max_credits'?" in found["config"]["text"]
    assert "versions" in found


@pytest.mark.parametrize(("name", "value"), [("MAX_CREDIT", "5"), ("MAX_CREDITS", "")])
def test_a_limit_in_the_environment_that_would_be_none_is_a_finding(shop: Shop, name: str, value: str):
    shop.setting(name, value)
    found = doctor(shop, "--sandbox", code=2)
    assert f"BATCHBG_{name} " in found["config"]["text"]
    assert "versions" in found


def test_the_key_is_looked_for_tried_and_kept_from_others(shop: Shop):
    shop.setting("MAGIC_HOUR_API_KEY", "", prefix="")
    assert doctor(shop, code=2)["key"]["mend"] == "export MAGIC_HOUR_API_KEY=..."
    file = shop.folder / "my key"
    file.write_text("mhk_x")
    file.chmod(0o644)
    shop.setting("API_KEY_FILE", str(file))
    assert doctor(shop, code=2)["key"]["mend"] == f"chmod 600 '{file}'"
    file.chmod(0o600)
    assert doctor(shop, code=0)["API"]["verdict"] == "ok"
    shop.sandbox.configure(api_key="another")
    refused = doctor(shop, code=2)["key"]
    assert refused["verdict"] == "fail"
    assert "new key" in refused["mend"]


def test_folders_that_are_not_there_or_not_writable(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    missing = doctor(shop, "-b", str(shop.folder / "none"), "--sandbox", code=2)["backgrounds"]
    assert missing["mend"] == f"name another, or `mkdir -p {shop.folder / 'none'}`"
    shop.output.write_text("a file")
    assert doctor(shop, "--sandbox", code=2)["output"]["verdict"] == "fail"
    shop.output.unlink()
    access, closed = os.access, {shop.photos, shop.folder}
    # Whoever runs the tests may be root, to whom no folder is closed.
    monkeypatch.setattr(os, "access", lambda path, *rest: path not in closed and access(path, *rest))
    found = doctor(shop, "--sandbox", code=2)
    assert found["photos"]["mend"] == f"chmod u+rx {shop.photos}"
    assert found["output"]["mend"].startswith(f"chmod u+rwx {shop.folder}")


@pytest.mark.slow
def test_space_is_held_against_what_is_planned(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.some_photos(2)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 900_000_000))
    assert doctor(shop, "--sandbox", code=0)["space"]["verdict"] == "warn"
    shop.run("--max-credits", "0")  # two jobs are planned, 64 x 48 pixels each
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 2 * 64 * 48 * 3 - 1))
    assert doctor(shop, "--sandbox", code=2)["space"]["verdict"] == "fail"


@pytest.mark.slow
def test_a_ledger_that_is_held_broken_or_not_ours(shop: Shop):
    shop.some_photos(1)
    shop.run()
    with held(shop.ledger, "run"):
        assert doctor(shop, code=0)["lock"]["verdict"] == "warn"
    path = shop.folder / "batchbg.db"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE credit_totals SET amount = amount + 1 WHERE bucket = 'charged'")
    connection.close()
    assert "charged" in doctor(shop, code=2)["ledger"]["text"]
    path.write_bytes(b"no database at all" * 100)
    assert doctor(shop, code=2)["ledger"]["verdict"] == "fail"


@pytest.mark.slow
def test_where_a_ledger_could_not_be_is_found_before_it_is_made(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """On a network, or where files cannot be locked: what the first run would refuse."""
    with monkeypatch.context() as patch:
        patch.setattr("batchbg.ledger.filesystem.file_system", lambda _path: "nfs4")
        assert "network" in doctor(shop, code=2)["ledger"]["text"]

    def no_lock(_descriptor: int) -> None:
        raise lock.NoLock(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock, "_take", no_lock)
    found = doctor(shop, code=2)
    assert (found["ledger"]["verdict"], found["lock"]["verdict"]) == ("ok", "fail")
    assert "--ledger" in found["lock"]["mend"]


@pytest.mark.slow
def test_the_service_is_asked_and_its_clock_compared(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("batchbg.doctor.ACCOUNT_WAIT_S", 0.0)
    monkeypatch.setattr("batchbg.doctor.SKEW_S", -1.0)  # no two clocks agree better than exactly
    assert doctor(shop, code=0)["clock"]["mend"] == "timedatectl set-ntp true"
    shop.sandbox.configure(credits=4, tier="free")
    found = doctor(shop, code=0)
    assert found["credits"]["verdict"] == found["plan"]["verdict"] == "warn"
    shop.base_url = "http://127.0.0.1:9"
    unreachable = doctor(shop, code=2)["API"]
    assert unreachable["mend"] == "is the network up? curl -sI http://127.0.0.1:9"


def test_parts_of_the_sandbox_that_are_missing(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert doctor(shop, "--sandbox", code=0)["sandbox"]["mend"] == ADVICE


def test_lines_for_people(shop: Shop, terminal: Terminal):
    """Coloured on a terminal; with -q only what is not well."""
    arguments = ["doctor", "--ledger", shop.ledger, "--sandbox", "-b", str(shop.folder / "none")]
    result = shop.batchbg(*arguments)
    assert "\x1b[31mfail\x1b[0m  backgrounds: there is no folder" in result.out
    assert "\n      name another, or `mkdir -p " in result.out
    quiet: Any = shop.batchbg(*arguments, "-q").out
    assert quiet.startswith("\x1b[31mfail")
    assert "versions" not in quiet


# -- the way of webhook events


def tried(shop: Shop, address: str, code: int) -> dict[str, str]:
    """Return what doctor says of a public address."""
    shop.setting("MAGIC_HOUR_WEBHOOK_SECRET", SECRET.decode(), prefix="")
    return doctor(shop, "--webhook-url", address, code=code)["webhook"]


@pytest.mark.slow
def test_an_event_that_is_sent_to_the_public_address_arrives_here(shop: Shop):
    """It is taken away again."""
    spool = Spool(shop.folder / "batchbg.db")
    shop.photos.joinpath("x").write_text("")
    with spool.receiving() as writer, serving(Receiver(SECRET, writer)) as server:
        found = tried(shop, f"{server.address}{PATH}", code=0)
    assert found["verdict"] == "ok"
    assert "arrived here in" in found["text"]
    assert spool.fresh() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("secret", "path", "said", "mend"),
    rest_slow(
        [
            (b"another", PATH, "answers 401: another secret is in use there", "restart `batchbg webhook"),
            (SECRET, "/else", "answers 404: nobody takes events there", "--path"),
        ]
    ),
)
def test_what_keeps_an_event_from_arriving_is_said(shop: Shop, secret: bytes, path: str, said: str, mend: str):
    with Spool(shop.folder / "batchbg.db").receiving() as writer, serving(Receiver(secret, writer)) as server:
        found = tried(shop, f"{server.address}{path}", code=2)
    assert found["verdict"] == "fail"
    assert said in found["text"]
    assert mend in found["mend"]


@pytest.mark.slow
def test_an_event_that_goes_elsewhere_is_noticed(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """To another ledger's receiver, or into nothing; and where nobody receives at all, none is sent."""
    monkeypatch.setattr("batchbg.webhook.trial.ARRIVES_S", 0.0)
    here, there = (Spool(shop.folder / f"{name}.db") for name in ("batchbg", "other"))
    with there.receiving() as writer, serving(Receiver(SECRET, writer)) as server:
        address = f"{server.address}{PATH}"
        assert "nobody receives events" in tried(shop, address, code=2)["text"]
        assert there.fresh() == []
        with here.receiving():
            assert "answers 200, but no event came here" in tried(shop, address, code=2)["text"]
            assert "does not answer: ConnectError" in tried(shop, "http://127.0.0.1:9/", code=2)["text"]


@pytest.mark.slow
def test_without_the_secret_no_event_is_sent(shop: Shop):
    assert "no webhook secret" in doctor(shop, "--webhook-url", "http://127.0.0.1:9/", code=2)["webhook"]["text"]
    assert "webhook" not in doctor(shop)
