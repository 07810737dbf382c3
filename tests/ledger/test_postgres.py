"""What only a server can do to a ledger: hang up, lose the word of a commit, sort as people do, have replicas."""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batchbg.core.addresses import without_password
from batchbg.core.price import Price
from batchbg.errors import ConfigError, LedgerBusy, LedgerError
from batchbg.ledger import copying, folders, outputs, server_care, transitions
from batchbg.ledger.engine import held, open_ledger
from batchbg.ledger.postgres import cursor_at_server
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import credit_entries, jobs
from batchbg.ledger.writer import Writer
from tests.support.postgres import PostgresServer, running

from .support import begin_run, budget, disagreements, entries, move, planned, rendering, stored, submitting, total

pytestmark = pytest.mark.postgres


@pytest.fixture
def ledger(postgres: PostgresServer, template: str) -> Iterator[Ledger]:
    url = postgres.new(template)
    opened = open_ledger(url)
    yield opened
    opened.close()
    postgres.drop(url)


def end_session(connection: sa.Connection) -> None:
    """End the server's side of a connection, as a crash does."""
    with contextlib.suppress(Exception):
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_commit_of_which_no_word_came_is_found_and_not_made_again(ledger: Ledger, monkeypatch):
    """It is on the server's disk, and the connection is gone: the writer does it again, and it has succeeded."""
    import psycopg

    (job,) = planned(ledger, "a.jpg")
    commit, lost = psycopg.Connection.commit, itertools.count()

    def commit_without_a_word(connection: Any) -> None:
        commit(connection)
        if threading.current_thread().name == "ledger-writer" and next(lost) in (0, 2, 4):
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", commit_without_a_word)
    ledger.watch()
    with Writer(ledger, "run") as writer:
        job = await writer.do(transitions.reserve, job, budget(run=5))
        job = await writer.do(transitions.created, job, "p", Price(5))
        job = await writer.do(transitions.complete, job, Price(5))
        job = await writer.do(transitions.done, job)
    assert job == stored(ledger, job)
    assert next(lost) > 5
    assert entries(ledger) == [("reserved", 5), ("reserved", -5), ("charged", 5)]
    assert disagreements(ledger) == []


async def test_a_session_that_ends_in_the_middle_of_a_transaction_is_replaced(ledger: Ledger):
    """Nothing of it was committed; all of the group is done again, each piece once."""
    first, second = submitting(ledger, "a.jpg"), submitting(ledger, "b.jpg")
    ended: list[bool] = []

    def hang_up(tx: Any) -> None:
        if not ended:
            ended.append(True)
            end_session(tx.connection)

    ledger.watch()
    with Writer(ledger, "run") as writer:
        await asyncio.gather(
            writer.do(transitions.created, first, "p", Price(5)),
            writer.do(hang_up),
            writer.do(transitions.created, second, "q", Price(5)),
        )
    assert [stored(ledger, job).project_id for job in (first, second)] == ["p", "q"]
    assert total(ledger).charged == 10


def test_a_lost_session_no_longer_holds_the_ledger(postgres: PostgresServer, template: str):
    """Another run may have begun: who slept writes no more."""
    url = postgres.new(template)
    with held(url, "run") as database, contextlib.closing(open_ledger(database)) as ledger:
        (job,) = planned(ledger, "a.jpg")
        postgres.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")
        begin_run(ledger)  # nobody took it meanwhile, so that it is taken again
        with pytest.raises(LedgerBusy), held(url, "resume"):
            pass
        postgres.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")
        with held(url, "resume"), pytest.raises(LedgerBusy, match="another run holds it now"):
            move(ledger, transitions.reserve, job, budget())
    postgres.drop(url)


def test_threads_that_write_at_once_lose_no_update(ledger: Ledger):
    """READ COMMITTED, and one lock first: without it every fifth was lost."""

    def charge(number: int) -> None:
        rendering(ledger, f"{number}.jpg")

    threads = [threading.Thread(target=charge, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total(ledger).charged == 60
    assert disagreements(ledger) == []


def test_what_lies_below_a_folder_is_told_by_its_bytes(ledger: Ledger):
    """This server sorts as people do, for whom A and a are next to each other."""
    paths = ["a/x.jpg", "A/x.jpg", "a-b/x.jpg", "ä/x.jpg", "a/y/z.jpg", "a0.jpg"]
    with ledger.transaction("run") as tx:
        photos, output = folders.id_of(tx, "/photos"), folders.id_of(tx, "/output")
        outputs.assign(tx, output, photos, [(f"{path}.png", path) for path in paths])
        assert set(outputs.names_of(tx.connection, output, photos, "a")) == {"a/x.jpg"}
        assert set(outputs.names_of(tx.connection, output, photos, "")) == {"a0.jpg"}


def test_a_copy_that_differs_is_none(ledger: Ledger, tmp_path: Path, monkeypatch):
    """A row that does not arrive as it was is found, and nothing of it stays."""
    rendering(ledger)
    copy_rows = copying.copy_rows

    def spoil(*args: Any) -> Any:
        counted = copy_rows(*args)
        args[-1].execute(sa.update(credit_entries).values(amount=credit_entries.c.amount + 1))
        return counted

    monkeypatch.setattr(copying, "copy_rows", spoil)
    url = ledger.engine.url.render_as_string(hide_password=False)
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    with held(target, "copy") as database, pytest.raises(LedgerError, match="row 1 of credit_entries"):
        copying.copy_ledger(url, database)
    with contextlib.closing(open_ledger(target)) as copy, copy.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(jobs)) == 0


def test_rows_are_fetched_as_they_are_asked_for(ledger: Ledger):
    """Of very many the driver would have all in memory, in its own form, before the first is seen."""
    import psycopg

    planned(ledger, *(f"{number}.jpg" for number in range(3)))
    with ledger.reading() as connection:
        driver: Any = connection.connection.driver_connection
        cursor = cursor_at_server(driver)
        assert isinstance(cursor, psycopg.ServerCursor)
        cursor.close()
        found = outputs.paths_in(connection, 2, "")
        first = next(found)
        assert driver.execute("SELECT count(*) FROM pg_cursors").fetchone()[0] == 1
        assert {first, *found} == {"0.jpg.png", "1.jpg.png", "2.jpg.png"}
        assert driver.execute("SELECT count(*) FROM pg_cursors").fetchone()[0] == 0


def test_numbers_go_on_after_a_copy(ledger: Ledger, postgres: PostgresServer, tmp_path: Path):
    """Rows that came with their numbers move no sequence by themselves."""
    source = f"sqlite:///{tmp_path / 'batchbg.db'}"
    with contextlib.closing(open_ledger(source)) as original:
        rendering(original)
    target = postgres.new()
    with held(target, "copy") as database:
        copying.copy_ledger(source, database)
    with contextlib.closing(open_ledger(target)) as copy:
        rendering(copy, "b.jpg")
        assert total(copy).charged == 10
        assert disagreements(copy) == []
    postgres.drop(target)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_without_room_for_every_name_is_refused(postgres: PostgresServer, encoding: str):
    postgres.sql(f"CREATE DATABASE narrow TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'")
    with pytest.raises(ConfigError, match=f"the database is in {encoding}"):
        open_ledger(postgres.url("narrow"))
    postgres.drop(postgres.url("narrow"))


def test_another_program_s_database_is_not_touched(postgres: PostgresServer):
    url = postgres.new()
    postgres.sql("CREATE TABLE theirs (id int)", url.partition("@/")[2].partition("?")[0])
    with pytest.raises(ConfigError, match="some other program's database"):
        open_ledger(url)
    postgres.drop(url)


@pytest.mark.slow
def test_a_replica_that_is_asynchronous_is_a_danger_and_a_standby_is_not_spent_from(tmp_path: Path):
    """A real one, that takes what the primary has."""
    with running(durable=True) as server:
        url = server.new()
        with contextlib.closing(open_ledger(url)) as ledger:
            with ledger.reading() as connection:
                assert server_care.dangers(connection) == []
            with server.replica() as replica:
                deadline = time.monotonic() + 30
                while time.monotonic() < deadline:
                    with ledger.reading() as connection:
                        if found := server_care.dangers(connection):
                            break
                ((danger, advice),) = found
                assert "is asynchronous: if it takes over" in danger
                assert "synchronous_standby_names" in advice
                there = url.replace(str(server.folder), str(replica))
                with contextlib.closing(open_ledger(there)) as standby:
                    with pytest.raises(ConfigError, match="name the primary server"):
                        standby.watch()
                    with standby.reading() as connection:
                        assert any("is a standby" in what for what, _ in server_care.dangers(connection))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://u:secret@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u:se@cr/et@h:5/d?sslmode=require", "postgresql://u@h:5/d?sslmode=require"),
        ("postgresql://u@h/d?password=secret&sslmode=x", "postgresql://u@h/d?sslmode=x"),
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str):
    assert without_password(url) == shown
