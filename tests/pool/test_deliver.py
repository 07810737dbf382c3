import asyncio
import dataclasses
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, Output, Treatment, project_name
from batchbg.core.planning import ORIGINAL, UNKNOWN_FILE
from batchbg.core.price import Price
from batchbg.errors import (
    ApiUnreachable,
    DiskError,
    ExitCode,
    OutputRefused,
    RequestRefused,
    ResultUnusable,
    WrongProject,
)
from batchbg.ledger import deletions, outputs, transitions
from batchbg.ledger.transitions import NewJob
from batchbg.pool.decode_limit import DecodeLimit
from batchbg.pool.deliver import RECEIVED, SUPERSEDED, TAKEN, Deliverer, SaveOptions
from batchbg.pool.download import TRIES, UNUSABLE_TRIES
from batchbg.pool.outage import Outage
from tests.ledger.support import job_of
from tests.pool.bench import RUN, Bench, png, record, soon


class Delivering:
    """A deliverer on a bench."""

    def __init__(
        self, bench: Bench, *, keep_received: bool = False, force: bool = False, delete_remote: bool = False
    ) -> None:
        self.bench = bench
        self.outage = Outage(bench.stop, 600.0)
        saving = SaveOptions(90, None, keep_received, force, delete_remote=delete_remote)
        self.deliverer = Deliverer(bench.session(), self.outage, DecodeLimit(), saving)

    async def deliver(self, job: Job, project: Any = None) -> Job:
        return await soon(self.deliverer.deliver(job, project or record(name=name_of(job))))

    async def copy(self, job: Job) -> None:
        await soon(self.deliverer.copy(job))

    def path(self, job: Job) -> Path:
        return self.bench.output / job.output_path


@pytest.fixture
def delivering(bench: Bench) -> Delivering:
    return Delivering(bench)


def name_of(job: Job) -> str:
    return project_name(job.id, job.attempt)


def rendered(bench: Bench, name: str = "a.png", output: str = "", *, replace: bool = False) -> Job:
    """A job whose render is complete."""
    return complete(bench, bench.photo_job(name, output, replace=replace).id)


def complete(bench: Bench, job_id: str) -> Job:
    """Let a planned job be created and rendered."""
    with bench.ledger.transaction(RUN) as tx:
        job = transitions.reserve(tx, job_of(tx.connection, job_id), bench.session().budget)
        job = transitions.created(tx, job, f"project-{job.id}", Price(5))
        return transitions.complete(tx, job, Price(5))


def output_of(bench: Bench, job: Job) -> Output:
    with bench.ledger.reading() as connection:
        return outputs.get(connection, job.output_id)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def parts(bench: Bench) -> list[Path]:
    return list(bench.output.rglob(".batchbg-*"))


# To its place


async def test_a_result_is_in_its_place_and_on_file(bench: Bench, delivering: Delivering):
    """Whole, with nothing left beside it; its record needs not be asked for."""
    job = rendered(bench, "deep/a.png")
    done = await delivering.deliver(job)
    assert (done.state, done.remark) == (JobState.DONE, "")
    assert delivering.path(job).read_bytes() == png()
    saved = output_of(bench, job)
    assert (saved.saved_job, saved.saved_sha256, saved.saved_bytes) == (job.id, sha256(png()), len(png()))
    assert parts(bench) == []
    assert bench.api.asked == ["download"]


async def test_a_result_that_a_newer_one_has_overtaken_is_not_saved(bench: Bench, delivering: Delivering):
    """The photo has changed since."""
    job = rendered(bench)
    with bench.ledger.transaction(RUN) as tx:
        new = NewJob("what it is now", "", job.output_id, None, "", Treatment.NONE, 64, 48)
        transitions.plan_jobs(tx, [("newer", new)])
    await delivering.deliver(complete(bench, "newer"))
    done = await delivering.deliver(job)
    assert (done.state, done.remark) == (JobState.DONE, SUPERSEDED)
    assert bench.api.count("download") == 1


async def test_what_is_saved_is_to_be_deleted_at_the_service_only_where_that_is_wanted(bench: Bench):
    """It is on file together with the result; what is not saved stays."""
    saved, unsaved, kept = (rendered(bench, name) for name in ("a.png", "b.png", "c.png"))
    Delivering(bench).path(unsaved).parent.mkdir()
    Delivering(bench).path(unsaved).write_bytes(b"somebody's")
    deleting = Delivering(bench, delete_remote=True)
    assert (await deleting.deliver(saved)).state is JobState.DONE
    assert (await deleting.deliver(unsaved)).state is JobState.FAILED
    assert (await Delivering(bench).deliver(kept)).state is JobState.DONE
    with bench.ledger.reading() as connection:
        assert deletions.wanted(connection) == [saved.id]


async def test_a_file_that_nobody_knows_is_left_in_the_results_place(bench: Bench, delivering: Delivering):
    """The paid result can be had later; nothing is asked of the service again."""
    job = rendered(bench)
    delivering.path(job).parent.mkdir()
    delivering.path(job).write_bytes(b"somebody's")
    failed = await delivering.deliver(job)
    assert (failed.state, failed.error) == (JobState.FAILED, TAKEN)
    assert delivering.path(job).read_bytes() == b"somebody's"
    assert output_of(bench, job).saved_job is None
    assert parts(bench) == []


async def test_an_older_result_of_this_ledger_is_replaced(bench: Bench, delivering: Delivering):
    """Nobody has changed it since."""
    job = rendered(bench)
    delivering.path(job).parent.mkdir()
    delivering.path(job).write_bytes(b"older")
    await bench.writer.do(outputs.saved, job.output_id, job.id, job.photo_sha256, sha256(b"older"), 5)
    assert (await delivering.deliver(job)).state is JobState.DONE
    assert delivering.path(job).read_bytes() == png()


async def test_what_was_forced_replaces_any_file(bench: Bench, delivering: Delivering):
    """A person said so; but never the photo itself, which may lie there by another way."""
    job = rendered(bench, replace=True)
    delivering.path(job).parent.mkdir()
    delivering.path(job).write_bytes(b"somebody's")
    assert (await delivering.deliver(job)).state is JobState.DONE
    assert delivering.path(job).read_bytes() == png()
    other = rendered(bench, "b.png", replace=True)
    photo = (bench.photos / "b.png").read_bytes()
    delivering.path(other).write_bytes(photo)
    other = dataclasses.replace(other, photo_sha256=sha256(photo))
    assert (await delivering.deliver(other)).error == TAKEN
    assert delivering.path(other).read_bytes() == photo


async def test_a_path_that_the_disk_does_not_take_costs_its_job(bench: Bench, delivering: Delivering, caplog):
    """A file lies where its folder belongs; the paid result can be had at another place."""
    job = rendered(bench, "deep/a.png")
    bench.output.mkdir()
    (bench.output / "deep").write_bytes(b"a file")
    failed = await delivering.deliver(job)
    assert failed.state is JobState.FAILED
    assert failed.error.startswith("cannot be saved: ")
    assert failed.error.endswith("; then `batchbg rescue`")
    assert "deep/a.png: cannot be saved: " in caplog.text


# Formats


async def test_a_result_is_given_the_format_of_its_path(bench: Bench):
    """What it is now is on file before it has its name; the bytes that came are kept where that is wanted."""
    delivering = Delivering(bench, keep_received=True)
    job = rendered(bench, output="a.jpg")
    assert (await delivering.deliver(job)).state is JobState.DONE
    with Image.open(delivering.path(job)) as picture:
        assert picture.format == "JPEG"
    with bench.ledger.reading() as connection:
        assert outputs.saved_ever(connection, job.id) == [sha256(delivering.path(job).read_bytes())]
    assert (bench.output / RECEIVED / "a.jpg.png").read_bytes() == png()


# What may go wrong with a download


async def test_a_picture_that_is_none_is_downloaded_again(bench: Bench, delivering: Delivering):
    """By a fresh address; it fails after some, its project id kept."""
    job = rendered(bench)
    bench.api.projects = [record(name=name_of(job))]
    bench.api.downloads = [b"half a picture", png()]
    assert (await delivering.deliver(job)).state is JobState.DONE
    assert bench.api.asked == ["download", "project", "download"]
    other = rendered(bench, "b.png")
    bench.api.projects = [record(name=name_of(other))]
    bench.api.downloads = [b"half a picture"]
    before = bench.api.count("download")
    failed = await delivering.deliver(other)
    assert (failed.state, failed.project_id) == (JobState.FAILED, f"project-{other.id}")
    assert bench.api.count("download") - before == UNUSABLE_TRIES


async def test_an_odd_picture_is_downloaded_once_more_and_kept(bench: Bench, delivering: Delivering, caplog):
    """With a remark; the first of a run is said aloud, for it is seldom the last."""
    caplog.set_level(logging.INFO)
    bench.api.downloads = [png((32, 24))]
    for name in ("a.png", "b.png"):
        job = rendered(bench, name)
        bench.api.projects = [record(name=name_of(job))]
        done = await delivering.deliver(job)
        assert done.state is JobState.DONE
        assert "32x24" in done.remark
    told = [entry.levelno for entry in caplog.records if "32x24" in entry.message]
    assert told == [logging.WARNING, logging.INFO]
    assert bench.api.count("download") == 4


async def test_an_odd_picture_that_comes_right_is_taken(bench: Bench, delivering: Delivering):
    """Without a remark."""
    job = rendered(bench)
    bench.api.projects = [record(name=name_of(job))]
    bench.api.downloads = [png((32, 24)), png()]
    assert (await delivering.deliver(job)).remark == ""


@pytest.mark.parametrize("trouble", [ApiUnreachable("reset"), RequestRefused("403 expired", status=403)])
async def test_an_address_that_does_not_answer_is_asked_for_anew(
    bench: Bench, delivering: Delivering, trouble: Exception
):
    """It may have expired."""
    job = rendered(bench)
    bench.api.projects = [record(name=name_of(job))]
    bench.api.downloads = [trouble, trouble, png()]
    assert (await delivering.deliver(job)).state is JobState.DONE
    assert bench.api.count("project") == 2


async def test_a_result_that_cannot_be_had_is_left_for_a_later_run(bench: Bench, delivering: Delivering):
    """After some tries, and after one where the run is being left."""
    job = rendered(bench)
    bench.api.projects = [record(name=name_of(job))]
    bench.api.downloads = [RequestRefused("403 expired", status=403)]
    with pytest.raises(ApiUnreachable, match="403 expired"):
        await delivering.deliver(job)
    assert bench.api.count("download") == TRIES
    assert bench.job(job).state is JobState.DOWNLOADING
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    with pytest.raises(ApiUnreachable):
        await delivering.deliver(job)
    assert bench.api.count("download") == TRIES + 1


async def test_a_disk_that_fails_leaves_the_job_as_it_is(bench: Bench, delivering: Delivering, monkeypatch):
    """It is the run's trouble, not the job's."""

    def full(*_: Any, **__: Any) -> None:
        raise DiskError("disk full")

    monkeypatch.setattr("batchbg.disk.results.put", full)
    job = rendered(bench)
    with pytest.raises(DiskError):
        await delivering.deliver(job)
    assert bench.job(job).state is JobState.DOWNLOADING
    assert parts(bench) == []


async def test_a_record_without_a_download_is_asked_for_again(bench: Bench, delivering: Delivering):
    """That job's trouble alone, should it stay so."""
    job = rendered(bench)
    empty = record(name=name_of(job), downloads=())
    bench.api.projects = [record(name=name_of(job))]
    assert (await delivering.deliver(job, empty)).state is JobState.DONE
    assert bench.api.asked == ["project", "download"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda name: RequestRefused("404 not found", status=404), "the project cannot be found: 404 not found"),
        (lambda name: record("rendering", name), "no result to download (status rendering)"),
        (lambda name: record(name=name, downloads=()), "no result to download (status complete)"),
        (lambda name: record(name=name, enabled=False), "no result to download (status complete)"),
    ],
)
async def test_a_project_that_has_nothing_fails_its_job(
    bench: Bench, delivering: Delivering, answer: Callable[[str], Any], why: str
):
    """With what the service said of it."""
    job = rendered(bench)
    bench.api.projects = [answer(name_of(job))]
    failed = await delivering.deliver(job, record(name=name_of(job), downloads=()))
    assert failed.state is JobState.FAILED
    assert why in failed.error


async def test_a_project_of_another_name_is_not_downloaded(bench: Bench, delivering: Delivering):
    """Its picture is another's; a nameless one is taken at its word."""
    job = rendered(bench)
    empty = record(downloads=())
    bench.api.projects = [record(name="batchbg another-1")]
    with pytest.raises(WrongProject):
        await delivering.deliver(job, empty)
    assert bench.job(job).state is JobState.DOWNLOADING
    assert bench.api.count("download") == 0
    bench.api.projects = [record()]
    assert (await delivering.deliver(job, empty)).state is JobState.DONE


# Before it is paid for


async def test_a_result_that_could_not_be_saved_is_not_paid_for(bench: Bench, delivering: Delivering):
    """Its place is free, taken by a stranger's file, or by an older result of this ledger."""
    job = bench.photo_job()
    assert await delivering.deliverer.why_not(job) == ""
    bench.output.mkdir(exist_ok=True)
    delivering.path(job).write_bytes(b"somebody's")
    assert await delivering.deliverer.why_not(job) == UNKNOWN_FILE
    await bench.writer.do(outputs.saved, job.output_id, job.id, job.photo_sha256, "0" * 64, 5)
    assert await delivering.deliverer.why_not(job) == ""


@pytest.mark.slow
async def test_what_is_forced_may_lie_anywhere_but_on_its_own_photo(bench: Bench, delivering: Delivering):
    """Which may be in the output folder by another way."""
    job = bench.photo_job(replace=True)
    bench.output.mkdir()
    delivering.path(job).write_bytes(b"somebody's")
    assert await delivering.deliverer.why_not(job) == ""
    delivering.path(job).write_bytes((bench.photos / "a.png").read_bytes())
    job = dataclasses.replace(job, photo_sha256=sha256(delivering.path(job).read_bytes()))
    with pytest.raises(OutputRefused, match=ORIGINAL[:20]):
        await delivering.deliverer.why_not(job)


async def test_a_path_that_the_disk_does_not_take_is_not_paid_for(bench: Bench, delivering: Delivering):
    """It is told as a person can act on it."""
    job = bench.photo_job("deep/a.png")
    bench.output.mkdir()
    (bench.output / "deep").write_bytes(b"a file")
    with pytest.raises(OutputRefused, match="cannot be saved: "):
        await delivering.deliverer.why_not(job)


# Copies for other photos of the same picture


def wanted_also(bench: Bench, job: Job, path: str, folder: str = "output") -> int:
    """Let another output want a job's result."""
    with bench.ledger.transaction(RUN) as tx:
        output_id = bench.output_of(tx, f"photo of {folder}/{path}", path, folder)
        outputs.want(tx, [(output_id, job.id)])
        return output_id


async def test_every_photo_of_the_picture_gets_its_result(bench: Bench, delivering: Delivering):
    """In its own folder and format, of one download; and the service is asked no more."""
    job = rendered(bench)
    wanted_also(bench, job, "copy.png")
    wanted_also(bench, job, "copy.jpg")
    wanted_also(bench, job, "copy.png", "elsewhere")
    await delivering.deliver(job)
    assert (bench.output / "copy.png").read_bytes() == png()
    assert (bench.ledger.absolute("elsewhere") / "copy.png").read_bytes() == png()
    with Image.open(bench.output / "copy.jpg") as picture:
        assert picture.format == "JPEG"
    copies = [("reused", "copy.jpg"), ("reused", "copy.png"), ("reused", "copy.png")]
    assert bench.seen.told[0] == ("saved", bench.job(job).photo_path)
    assert sorted(bench.seen.told[1:]) == copies
    assert delivering.deliverer.copied == 3
    assert bench.api.asked == ["download"]
    await delivering.copy(bench.job(job))
    assert delivering.deliverer.copied == 3


async def test_a_copy_is_downloaded_where_no_file_holds_the_result_any_more(bench: Bench, delivering: Delivering):
    """Somebody has changed it; or what there is has lost something."""
    job = rendered(bench, output="a.jpg")
    done = await delivering.deliver(job)
    wanted_also(bench, job, "copy.png")
    bench.api.projects = [record(name=name_of(job))]
    await delivering.copy(done)
    assert (bench.output / "copy.png").read_bytes() == png()
    assert bench.api.count("download") == 2
    (bench.output / "copy.png").write_bytes(b"changed")
    wanted_also(bench, job, "third.png")
    await delivering.copy(done)
    assert (bench.output / "third.png").read_bytes() == png()
    assert bench.api.count("download") == 3


async def test_a_copy_of_what_was_deleted_at_the_service_comes_from_the_disk_or_not_at_all(
    bench: Bench, delivering: Delivering
):
    """Nobody is asked for it."""
    job = rendered(bench)
    done = await delivering.deliver(job)
    await bench.writer.do(deletions.want, [job.id])
    await bench.writer.do(deletions.record, done)
    asked = len(bench.api.asked)
    wanted_also(bench, job, "copy.png")
    await delivering.copy(bench.job(job))
    assert (bench.output / "copy.png").read_bytes() == png()
    for name in ("a.png", "copy.png"):
        (bench.output / name).write_bytes(b"changed")
    wanted_also(bench, job, "third.png")
    with pytest.raises(ResultUnusable, match="was deleted at the service"):
        await delivering.copy(bench.job(job))
    assert not (bench.output / "third.png").exists()
    assert len(bench.api.asked) == asked


async def test_a_copy_replaces_no_strangers_file(bench: Bench, delivering: Delivering, caplog):
    """It is left out, once; the others have theirs."""
    job = rendered(bench)
    done = await delivering.deliver(job)
    (bench.output / "copy.png").write_bytes(b"somebody's")
    wanted_also(bench, job, "copy.png")
    wanted_also(bench, job, "other.png")
    await delivering.copy(done)
    await delivering.copy(done)
    assert (bench.output / "copy.png").read_bytes() == b"somebody's"
    assert (bench.output / "other.png").read_bytes() == png()
    assert caplog.text.count("copy.png: output exists, not in this ledger; left as it is") == 1
    assert parts(bench) == []


async def test_a_forced_job_replaces_what_lies_where_its_copies_belong_only_by_a_forced_run(bench: Bench):
    """That it was forced once is no leave for a later run."""
    job = rendered(bench, replace=True)
    done = await Delivering(bench).deliver(job)
    (bench.output / "copy.png").write_bytes(b"somebody's")
    wanted_also(bench, job, "copy.png")
    await Delivering(bench).copy(done)
    assert (bench.output / "copy.png").read_bytes() == b"somebody's"
    await Delivering(bench, force=True).copy(done)
    assert (bench.output / "copy.png").read_bytes() == png()


async def test_a_copy_that_the_disk_does_not_take_holds_up_no_other(bench: Bench, delivering: Delivering):
    """It is told at the end, once."""
    job = rendered(bench)
    done = await delivering.deliver(job)
    (bench.output / "deep").write_bytes(b"a file")
    wanted_also(bench, job, "deep/copy.png")
    wanted_also(bench, job, "other.png")
    with pytest.raises(OutputRefused):
        await delivering.copy(done)
    assert (bench.output / "other.png").read_bytes() == png()
    await delivering.copy(done)


async def test_so_many_come_at_once(bench: Bench, monkeypatch):
    """The next begins when one has ended."""
    monkeypatch.setattr("batchbg.pool.deliver.AT_ONCE", 1)
    delivering = Delivering(bench)
    first, second = rendered(bench), rendered(bench, "b.png")
    going_on = asyncio.Event()

    async def slow() -> bytes:
        await going_on.wait()
        return png()

    bench.api.downloads = [slow]
    tasks = [asyncio.create_task(delivering.deliver(job)) for job in (first, second)]
    await bench.settle()
    assert bench.api.count("download") == 1
    going_on.set()
    assert [job.state for job in await soon(asyncio.gather(*tasks))] == [JobState.DONE] * 2
    assert bench.api.count("download") == 2
