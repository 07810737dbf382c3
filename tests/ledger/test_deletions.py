"""Deletions at the service: wanted, tried in vain, done, or wanted no longer."""

import pytest
import sqlalchemy as sa

from batchbg.core.model import Job
from batchbg.ledger import deletions, folders, jobs
from batchbg.ledger.store import Ledger

from .support import ACCOUNT, done, history, other_program, rendering, stored


@pytest.fixture
def ledger(emptied):
    return emptied


def want(ledger: Ledger, *wanted: Job) -> None:
    with ledger.transaction("run") as tx:
        deletions.want(tx, [job.id for job in wanted])


def wanted(ledger: Ledger, *accounts: str) -> list[str]:
    with ledger.reading() as connection:
        return deletions.wanted(connection, accounts or None)


def record(ledger: Ledger, job: Job) -> None:
    with ledger.transaction("run") as tx:
        deletions.record(tx, job)


def test_a_deletion_is_wanted_until_it_is_done(ledger):
    """However often it is wanted; then the job tells when, and nothing else about it has changed."""
    job, other = done(ledger), done(ledger, "b.jpg")
    want(ledger)
    with ledger.reading() as connection:
        assert not deletions.are_wanted(connection)
    want(ledger, job, other)
    want(ledger, job)
    assert sorted(wanted(ledger)) == sorted([job.id, other.id])
    assert stored(ledger, job).remote_deleted_at is None
    record(ledger, job)
    want(ledger, job)
    assert wanted(ledger) == [other.id]
    after = stored(ledger, job)
    assert (after.state, after.version, after.credits) == (job.state, job.version, job.credits)
    assert after.remote_deleted_at is not None
    assert history(ledger, job.id)[-1] == ("deleted at the service", None, None)
    record(ledger, other)
    with ledger.reading() as connection:
        assert not deletions.are_wanted(connection)


def test_only_an_account_s_own_are_asked_for(ledger):
    """To another key its projects look as if they were gone already."""
    job = done(ledger)
    want(ledger, job)
    assert wanted(ledger, ACCOUNT, "https://api.example") == [job.id]
    assert wanted(ledger, "another") == []


def test_what_failed_comes_last_and_is_known_to_have_failed(ledger):
    """A project that the service never deletes must not keep the others waiting."""
    first, second = done(ledger), done(ledger, "b.jpg")
    want(ledger, first)
    want(ledger, second)
    with ledger.transaction("run") as tx:
        assert not deletions.have_failed(tx.connection)
        deletions.failed(tx, first, "503 \udcff" + "x" * 1000)
        assert deletions.have_failed(tx.connection)
    assert wanted(ledger) == [second.id, first.id]
    record(ledger, first)
    with ledger.reading() as connection:
        assert not deletions.have_failed(connection)


def test_what_is_wanted_no_longer_says_why(ledger):
    """What is done stays so."""
    kept, gone = done(ledger), done(ledger, "b.jpg")
    want(ledger, kept, gone)
    record(ledger, gone)
    with ledger.transaction("run") as tx:
        deletions.withdraw(tx, kept, "its result has changed on disk")
        deletions.withdraw(tx, gone, "its result has changed on disk")
    assert wanted(ledger) == []
    assert stored(ledger, gone).remote_deleted_at is not None
    assert history(ledger, kept.id)[-1][0] == "kept at the service"
    want(ledger, kept)
    with ledger.transaction("run") as tx:
        deletions.withdraw_all(tx)
    assert wanted(ledger) == []
    assert stored(ledger, gone).remote_deleted_at is not None


def test_what_is_old_or_wanted_and_still_there_may_be_deleted(ledger, ticking):
    """Neither what is not done nor what is deleted already."""
    old, deleted, wanted_one, young = (done(ledger, name) for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"))
    rendering(ledger, "e.jpg")
    want(ledger, deleted, wanted_one)
    record(ledger, deleted)
    assert old.ended_at is not None
    with ledger.reading() as connection:
        found = [job.id for job in deletions.possible(connection, old.ended_at + 0.5)]
    assert found == [old.id, wanted_one.id]
    assert young.id not in found


def test_a_project_that_another_job_names_is_shared(ledger):
    """A service that gave one id twice; another account's ids say nothing."""
    job, other = done(ledger), done(ledger, "b.jpg")
    with ledger.begin() as connection:
        assert not deletions.shares_project(connection, job)
        connection.exec_driver_sql(f"UPDATE jobs SET project_id = '{job.project_id}' WHERE id = '{other.id}'")
        assert deletions.shares_project(connection, job)
        connection.exec_driver_sql(f"UPDATE jobs SET account = 'another' WHERE id = '{other.id}'")
        assert not deletions.shares_project(connection, job)


def test_results_that_nobody_can_fetch_again_are_known_by_their_paths(ledger):
    """Of one output folder; and planning is told of their jobs."""
    job, other = done(ledger), done(ledger, "b.jpg")
    want(ledger, job, other)
    record(ledger, job)
    with ledger.transaction("run") as tx:
        here, elsewhere = folders.id_of(tx, "output"), folders.id_of(tx, "elsewhere")
        assert list(deletions.deleted_paths(tx.connection, here)) == ["a.jpg.png"]
        assert list(deletions.deleted_paths(tx.connection, elsewhere)) == []
        known = jobs.by_content(tx.connection, [job.photo_sha256, other.photo_sha256])
    assert [one.is_remote_deleted for found in known.values() for one in found].count(True) == 1
    assert known[job.photo_sha256][0].is_remote_deleted is True


def test_a_deletion_is_a_job_s(path):
    """Whatever program writes it."""
    with other_program(path) as connection, pytest.raises(sa.exc.IntegrityError):
        connection.exec_driver_sql("INSERT INTO deletions (job_id, wanted_at) VALUES ('nobody', 0)")
