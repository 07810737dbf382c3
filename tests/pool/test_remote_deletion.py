import asyncio
import errno
import hashlib
import logging
import os
from pathlib import Path

import pytest

from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.core.remote_deletion import Kept
from batchbg.errors import AccountRefused, ApiError, ApiUnreachable, ExitCode, RequestRefused
from batchbg.ledger import deletions, outputs, transitions
from batchbg.pool import remote_deletion
from batchbg.pool.remote_deletion import AT_ONCE, FAILURES, RemoteDeletion
from tests.ledger.support import history
from tests.pool.bench import RUN, Bench, png, soon


def saved(bench: Bench, name: str = "a.png", *, wanted: bool = True) -> Job:
    """A done job whose result is on disk."""
    job = bench.photo_job(name)
    data = png(colour=len(name))
    with bench.ledger.transaction(RUN) as tx:
        job = transitions.reserve(tx, job, bench.session().budget)
        job = transitions.created(tx, job, f"project-{job.id}", Price(5))
        job = transitions.complete(tx, job, Price(5))
        outputs.saved(tx, job.output_id, job.id, job.photo_sha256, hashlib.sha256(data).hexdigest(), len(data))
        job = transitions.done(tx, job)
        if wanted:
            deletions.want(tx, [job.id])
    path = file_of(bench, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return job


def file_of(bench: Bench, job: Job) -> Path:
    return bench.output / job.output_path


def some(bench: Bench, number: int) -> list[Job]:
    return [saved(bench, f"{index:02}.png") for index in range(number)]


async def settle(bench: Bench) -> RemoteDeletion:
    deletion = RemoteDeletion(bench.session())
    await soon(deletion.settle())
    return deletion


def wanted(bench: Bench) -> list[str]:
    with bench.ledger.reading() as connection:
        return deletions.wanted(connection)


async def test_what_is_wanted_and_on_disk_is_deleted_and_recorded(bench: Bench):
    """Nothing else of the job changes, and a second time nothing is asked for."""
    jobs = some(bench, 2 * AT_ONCE)
    other = saved(bench, "unwanted.png", wanted=False)
    deletion = await settle(bench)
    assert deletion.deleted == len(jobs)
    assert sorted(bench.api.deleted) == sorted(job.project_id or "" for job in jobs)
    assert wanted(bench) == []
    for job in jobs:
        after = bench.job(job)
        assert (after.state, after.version, after.credits) == (job.state, job.version, job.credits)
        assert after.remote_deleted_at is not None
    assert bench.job(other).remote_deleted_at is None
    await settle(bench)
    assert bench.api.count("delete") == len(jobs)


async def test_a_result_is_flushed_with_all_its_folders_before_it_is_deleted_at_the_service(bench: Bench, monkeypatch):
    """No power cut may take the only copy; where the disk does not say so, the service's stays."""
    job = saved(bench, "deep/er/a.png")
    happened: list[Path | str] = []
    monkeypatch.setattr(os, "fsync", lambda number: happened.append(Path(f"/proc/self/fd/{number}").readlink()))

    async def note() -> None:
        happened.append("deleted")

    bench.api.deletes = [note]
    await settle(bench)
    output = bench.output.resolve()
    way = [output / "deep/er/a.png", output / "deep/er", output / "deep", output, output.parent]
    assert happened[: len(way) + 1] == [*way, "deleted"]
    assert bench.job(job).remote_deleted_at is not None


async def test_an_output_folder_may_have_been_moved_and_linked(bench: Bench):
    """Its results are where they were, for all that can be told."""
    saved(bench, "deep/a.png")
    bench.output.rename(bench.output.with_name("elsewhere"))
    bench.output.symlink_to("elsewhere")
    assert (await settle(bench)).deleted == 1


async def test_a_disk_that_does_not_flush_keeps_everything_at_the_service(bench: Bench, monkeypatch, caplog):
    jobs = some(bench, 3)

    def refuse(_number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("batchbg.disk.results.os.fsync", refuse)
        await settle(bench)
    assert (bench.api.count("delete"), len(wanted(bench))) == (0, len(jobs))
    assert "Input/output error" in caplog.text


def edit(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"?")


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("blow", "why"),
    [(Path.unlink, Kept.MISSING), (edit, Kept.CHANGED), (make_folder, Kept.CHANGED)],
    ids=["missing", "edited", "a folder in its place"],
)
async def test_a_result_that_is_not_what_was_saved_stays_at_the_service(bench: Bench, blow, why, caplog):
    """It is read once more at the last moment; then nobody wants its deletion any more."""
    job = saved(bench)
    blow(file_of(bench, job))
    deletion = await settle(bench)
    assert (deletion.deleted, bench.api.count("delete"), wanted(bench)) == (0, 0, [])
    assert bench.job(job).remote_deleted_at is None
    assert history(bench.ledger, job.id)[-1][0] == "kept at the service"
    assert f"a.png: kept at the service: {why}" in caplog.text


async def test_a_copy_that_is_not_what_was_saved_keeps_it_too(bench: Bench):
    """It is what a person has in another place."""
    job = saved(bench)
    with bench.ledger.transaction(RUN) as tx:
        copy = bench.output_of(tx, "b.png", "copies/b.png")
        outputs.saved(tx, copy, job.id, job.photo_sha256, "not the digest of what is there", 9)
    await settle(bench)
    assert (bench.api.count("delete"), wanted(bench)) == (0, [])


async def test_a_result_that_a_copy_still_needs_waits_for_it(bench: Bench):
    """The copy may have to come from the service; once it is made the project goes."""
    job = saved(bench)
    with bench.ledger.transaction(RUN) as tx:
        copy = bench.output_of(tx, "b.png", "b.png")
        outputs.want(tx, [(copy, job.id)])
    await settle(bench)
    assert (bench.api.count("delete"), wanted(bench)) == (0, [job.id])
    data = file_of(bench, job).read_bytes()
    (bench.output / "b.png").write_bytes(data)
    with bench.ledger.transaction(RUN) as tx:
        outputs.saved(tx, copy, job.id, job.photo_sha256, hashlib.sha256(data).hexdigest(), len(data))
    assert (await settle(bench)).deleted == 1


async def test_a_project_that_another_job_names_stays(bench: Bench):
    """Its result may be the other's only one."""
    job, other = some(bench, 2)
    with bench.ledger.begin() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET project_id = '{job.project_id}' WHERE id = '{other.id}'")
    await settle(bench)
    assert (bench.api.count("delete"), wanted(bench)) == (0, [])


async def test_another_account_s_projects_are_left_alone(bench: Bench):
    """To this key they look as if they were deleted."""
    job = saved(bench)
    with bench.ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET account = 'another'")
    await settle(bench)
    assert (bench.api.count("delete"), wanted(bench)) == (0, [job.id])


@pytest.mark.parametrize(
    ("trouble", "requests"),
    [
        (ApiUnreachable("DELETE: 503"), FAILURES),
        (RequestRefused("DELETE: 405", status=405), FAILURES),
        (ApiUnreachable("DELETE: 503", retry_after_s=3600.0), 1),
        (AccountRefused("DELETE: 403", status=403), 1),
    ],
    ids=["down", "no such operation", "busy for an hour", "not permitted"],
)
async def test_a_service_that_does_not_delete_changes_nothing_and_is_told_once(
    bench: Bench, trouble: ApiError, requests: int, caplog, monkeypatch
):
    """Not one after the other is tried in vain, and no run is kept waiting; a later one tries again, and then goes on."""
    monkeypatch.setattr(remote_deletion, "AT_ONCE", 1)
    jobs = some(bench, 10)
    bench.api.deletes = [trouble]
    deletion = await settle(bench)
    assert (deletion.deleted, bench.api.count("delete")) == (0, requests)
    assert len(wanted(bench)) == 10
    assert [(bench.job(job).state, bench.job(job).version) for job in jobs] == [(j.state, j.version) for j in jobs]
    assert (bench.stop.exit_code, bench.stop.no_creates) == (ExitCode.OK, False)
    (told,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert str(trouble) in told.getMessage()
    assert "a later run tries again" in told.getMessage()
    caplog.clear()
    await settle(bench)
    assert bench.api.count("delete") == 2 * requests
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    bench.api.deletes = [None]
    assert (await settle(bench)).deleted == 10
    assert wanted(bench) == []


async def test_failures_between_which_some_go_well_stop_nothing(bench: Bench, monkeypatch):
    """What failed is left for a later run; it comes last there."""
    monkeypatch.setattr(remote_deletion, "AT_ONCE", 1)
    some(bench, 6)
    bench.api.deletes = [trouble for _ in range(3) for trouble in (ApiUnreachable("reset"), None)]
    deletion = await settle(bench)
    assert (deletion.deleted, len(wanted(bench))) == (3, 3)


async def test_a_ledger_that_was_taken_away_deletes_nothing(bench: Bench, monkeypatch, caplog):
    """It could not tell any more what was deleted."""
    saved(bench)
    bench.ledger.watch()
    bench.ledger.path.rename(bench.ledger.path.with_name("elsewhere.db"))
    await settle(bench)
    assert bench.api.count("delete") == 0
    assert "the ledger is no longer in its place" in caplog.text


async def test_a_run_that_is_left_leaves_the_rest(bench: Bench):
    """At once, though an answer never comes; nothing more is asked for."""
    jobs = some(bench, 3 * AT_ONCE)

    async def leave() -> None:
        bench.stop.leave(ExitCode.INTERRUPT, "interrupted")
        await asyncio.Event().wait()

    bench.api.deletes = [None, leave]
    await settle(bench)
    await bench.settle()  # what was on its way to the ledger is there
    gone = {job.id for job in jobs if bench.job(job).remote_deleted_at is not None}
    assert len(gone) <= 1
    assert set(wanted(bench)) == {job.id for job in jobs} - gone
    asked = bench.api.count("delete")
    assert asked <= AT_ONCE + 1
    await settle(bench)
    assert bench.api.count("delete") == asked
