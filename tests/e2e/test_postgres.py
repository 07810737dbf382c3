"""The ledger on a PostgreSQL server, end to end: the same commands, a server that goes away, a run that is killed."""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer, running
from tests.support.shop import Shop

pytestmark = pytest.mark.postgres


@pytest.fixture
def shop(shop: Shop, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop whose ledger is on a server that all tests share."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    url = shop.ledger = postgres.new()
    yield shop
    shop.close()
    postgres.drop(url)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that may be crashed, with its disk as safe as a real one's."""
    with running(durable=True) as server:
        yield server


def test_every_command_works_on_a_server(shop: Shop):
    """As on a file, with the same figures; nothing is written beside the photos but the results."""
    shop.some_photos(5)
    first = shop.run("--json", "--max-files", "3")
    assert (first.code, first.json["jobs"]["done"], first.json["jobs"]["planned"]) == (8, 3, 2)
    assert "new ledger: postgresql+psycopg://" in first.err
    assert shop.resume().code == 0
    assert shop.run().code == 0
    assert shop.status()["credits"]["charged"] == 25
    assert "5 skipped" in shop.do("plan").out
    assert "agrees with the ledger" in shop.do("audit").out
    assert shop.do("report").code == 0
    assert shop.do("ledger check").code == 0
    assert shop.do("rescue").code == 0
    assert len(shop.jobs()) == len(shop.creates()) == 5
    assert [path.name for path in shop.folder.iterdir() if "batchbg" in path.name] == []
    shop.assert_adds_up()


def test_a_plan_leaves_a_server_as_it_was(shop: Shop):
    """It plans on a copy of the rows."""
    shop.some_photos(3)
    assert shop.run("--max-files", "1").code == 8
    before = shop.jobs()
    assert "2 jobs to create in all" in shop.do("plan").out
    assert shop.jobs() == before
    assert len(shop.creates()) == 1


def test_names_that_are_no_unicode_are_the_same_on_a_server(shop: Shop):
    """Bytes that no database takes, blanks, line ends, quotes and percent signs."""
    names = [
        b"caf\xe9.png",
        b"a\nb.png",
        "naïve 100%s %(x)s.png".encode(),
        b'it\'s "quoted".png',
        "\U0010ff80.png".encode(),
    ]
    for name in names:
        shop.photo(os.fsdecode(name))
    assert shop.run().code == 0
    assert sorted(os.fsencode(name) for name in shop.outputs()) == sorted(names)
    assert "5 skipped" in shop.run().out
    shop.assert_adds_up()


def test_a_second_run_gives_way_and_is_told_who_holds_the_ledger(shop: Shop):
    """By the server's lock, which ends with its session: kill -9 frees it at once."""
    shop.some_photos(2)
    shop.faults.add("create", "delay", seconds=20.0)
    first = shop.spawn("run")
    shop.wait_for(lambda: shop.requests() > 0)
    second = shop.run()
    assert second.code == 11
    assert re.search(rf"another run holds .*: `batchbg run {first.pid}@", second.err)
    first.kill()
    first.wait()
    assert shop.run("--retry-lock", "30").code in (0, 3)
    shop.assert_adds_up()


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_run_that_is_killed_is_finished_by_the_next(shop: Shop, after: int):
    """Nothing is paid twice, nothing that has an id is lost; what was in the air is unresolved."""
    shop.some_photos(16)
    process = shop.spawn("run")
    shop.wait_for(lambda: shop.requests() >= after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    shop.run("--retry-lock", "30")
    shop.assert_adds_up()
    states = shop.status()["jobs"]
    assert states["done"] + states["unresolved"] == 16
    assert states["done"] == len([name for name in shop.outputs() if name.endswith(".png")])


@pytest.mark.slow
@pytest.mark.parametrize("away_s", [0.0, 3.0])
def test_a_server_that_is_crashed_is_waited_for(own_server: PostgresServer, shop: Shop, away_s: float):
    """No create leaves without its intent; the run says so, goes on by itself, and pays for nothing twice."""
    shop.ledger = own_server.new()
    shop.some_photos(60)
    process = shop.spawn("run", "--yes", "--max-in-flight", "8")
    for after in (5, 25):
        shop.wait_for(lambda after=after: shop.requests() >= after or process.poll() is not None)  # type: ignore[misc]
        own_server.restart(away_s)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    if away_s:
        assert 2 <= err.count("its server is back") == err.count("Waiting for it") <= 4, err  # once each time
    assert len(shop.creates()) == 60
    assert shop.status()["jobs"]["done"] == 60
    shop.assert_adds_up()


@pytest.mark.slow
def test_a_server_that_stays_away_ends_the_run_so_that_it_can_be_resumed(own_server: PostgresServer, shop: Shop):
    """Exit code 5; what was told meanwhile is found by the next run, and nothing is sent anew."""
    shop.ledger = own_server.new()
    shop.some_photos(30)
    process = shop.spawn(
        "run", first="import batchbg.ledger.postgres as p; p.PostgresDatabase.patience_s = p.PATIENCE_S = 2.0;"
    )
    shop.wait_for(lambda: shop.requests() >= 4)
    own_server.stop()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 5, err
    own_server.start()
    told = len(shop.creates())
    shop.run()
    shop.assert_adds_up()
    states = shop.status()["jobs"]
    assert states["done"] + states["unresolved"] == 30
    assert len(shop.creates()) == 30 - states["unresolved"] + (told and states["unresolved"])


@pytest.mark.slow
def test_a_session_that_is_ended_by_its_server_is_replaced(own_server: PostgresServer, shop: Shop):
    """Every one of them, again and again, also that which holds the ledger."""
    shop.ledger = own_server.new()
    shop.some_photos(40)
    process = shop.spawn("run")
    over = threading.Event()

    def end_sessions() -> None:
        while not over.wait(0.15):
            with contextlib.suppress(Exception):
                own_server.sql(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'batchbg%'"
                )

    shop.wait_for(lambda: shop.requests() >= 2)
    ending = threading.Thread(target=end_sessions)
    ending.start()
    time.sleep(2)
    over.set()
    ending.join()
    _, err = process.communicate(timeout=120)
    assert process.returncode in (0, 5), err
    if process.returncode == 5:  # a folder's planning was in the middle of a transaction
        assert shop.run().code == 0
    assert len(shop.creates()) == 40
    shop.assert_adds_up()


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("postgresql+psycopg://u:{s}@localhost:1/nowhere", 5, "does not answer"),
        ("postgresql+psycopg://batchbg:{s}@/nowhere?host={host}&port=5432", 2, "no such database"),
        ("postgresql+psycopg://nobody:{s}@/postgres?host={host}&port=5432", 2, "no such user"),
        ("postgresql+psycopg://u:{s}@no.such.host.invalid/x", 2, "no host of that name"),
        ("postgresql+psycopg://u:{s}@localhost", 2, "names no database"),
        ("postgresql+psycopg2://u:{s}@localhost/x", 2, "is not supported"),
        ("postgresql+psycopg://u:{s}@localhost:port/x", 2, "is not a URL"),
    ],
)
@pytest.mark.parametrize("command", ["run", "status"])
def test_what_cannot_be_reached_is_explained_without_the_password(
    shop: Shop, postgres: PostgresServer, command: str, url: str, code: int, said: str
):
    shop.some_photos(1)
    shop.ledger = url.format(s=SECRET, host=postgres.folder)
    result = shop.do(command, *(["-v"] if command == "run" else ["--json"]))
    assert (result.code, said in result.err) == (code, True), result.err
    assert SECRET not in result.err + result.out
    assert len(shop.creates()) == 0


def test_a_password_is_shown_nowhere(shop: Shop):
    """Not in a summary, a report, a suggestion, a log, or doctor's findings."""
    shop.some_photos(3)
    shop.ledger = shop.ledger.replace("batchbg@", f"batchbg:{SECRET}@")  # which this server does not ask for
    told = ""
    for result in (
        shop.run("-v", "--max-files", "1", "--json"),
        shop.run("-v", "--log-format", "json", "--max-credits", "5"),
        *(shop.do(command) for command in ("status", "jobs", "audit", "report", "plan", "doctor", "ledger check")),
    ):
        told += result.out + result.err
    pages = [path.read_bytes() for path in shop.folder.rglob("*") if path.is_file()]
    assert SECRET not in told
    assert not any(SECRET.encode() in page for page in pages)


def test_a_ledger_goes_to_a_server_and_back(shop: Shop):
    """Row by row; the one that was left is refused from then on, and nothing is paid for again."""
    there, here, home = shop.ledger, f"sqlite:///{shop.folder / 'batchbg.db'}", f"sqlite:///{shop.folder / 'home.db'}"
    nothing = shop.batchbg("ledger", "copy", "nowhere.db", "new.db")  # paths serve, too
    assert (nothing.code, "there is no ledger at" in nothing.err) == (2, True)
    assert not (shop.folder / "new.db").exists()
    shop.some_photos(4)
    shop.ledger = here
    assert shop.run("--max-files", "2").code == 8
    for source, target in ((here, there), (there, home)):
        copied = shop.batchbg("ledger", "copy", source, target)
        assert copied.code == 0, copied.err
        assert "every row and every sum is the same" in copied.out
        shop.ledger = source
        left = shop.run()
        assert left.code == 2
        assert "older than" in left.err
        shop.ledger = target
        assert shop.run("--max-files", "1").code in (0, 8)
        shop.assert_adds_up()
        again = shop.batchbg("ledger", "copy", source, target)
        assert (again.code, "is not empty" in again.err) == (2, True)
    assert len(shop.creates()) == 4
    assert len(shop.outputs()) == 4


@pytest.mark.slow
def test_a_standby_that_took_over_and_knows_less_is_not_spent_from(own_server: PostgresServer, shop: Shop):
    """It bears the same name, and has not the last entries: a run that reconnects to it sends nothing more."""
    shop.ledger = own_server.new()
    shop.some_photos(60)
    process = shop.spawn("run", "--yes", "--max-in-flight", "2")
    shop.wait_for(lambda: shop.requests() >= 6)
    database = shop.ledger.partition("@/")[2].partition("?")[0]
    process.send_signal(signal.SIGSTOP)
    own_server.restart()
    own_server.sql("DELETE FROM events WHERE id > (SELECT max(id) FROM events) - 20", database)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 5, err
    assert "lacks the last entries" in out + err
    assert len(shop.creates()) < 60
