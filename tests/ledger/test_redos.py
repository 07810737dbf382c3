"""What a person wants done again: found, planned once for every place, taken back; what was replaced is kept on file."""

import dataclasses

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, Output
from batchbg.core.price import Price
from batchbg.core.review import ReviewVerdict
from batchbg.ledger import folders, jobs, outputs, previous, redos, reviews, transitions
from batchbg.ledger.store import Ledger

from .support import budget, history, move, rendering, stored

ACCEPTED, REJECTED = ReviewVerdict.ACCEPTED, ReviewVerdict.REJECTED


@pytest.fixture
def ledger(emptied):
    return emptied


def done(ledger: Ledger, name: str = "a.jpg") -> Job:
    """A job whose result is saved."""
    return finish(ledger, rendering(ledger, name))


def finish(ledger: Ledger, job: Job) -> Job:
    job = move(ledger, transitions.complete, job, Price(5))
    with ledger.transaction("run") as tx:
        for one in outputs.wanting(tx.connection, job.id):
            outputs.saved(tx, one.id, job.id, job.photo_sha256, f"result {job.id}", 9)
        return transitions.done(tx, job)


def copied(ledger: Ledger, job: Job, name: str) -> Output:
    """Another photo of the same content, which has a copy of the result."""
    with ledger.transaction("run") as tx:
        roots = folders.id_of(tx, "output"), folders.id_of(tx, "photos")
        (number,) = outputs.assign(tx, *roots, [(f"{name}.png", name)])
        outputs.want(tx, [(number, job.id)])
        outputs.saved(tx, number, job.id, job.photo_sha256, "copy", 9)
        return outputs.get(tx.connection, number)


def output_of(ledger: Ledger, job: Job) -> Output:
    with ledger.reading() as connection:
        return outputs.get(connection, job.output_id)


def plan(ledger: Ledger, old: Job, generation: int = 2) -> Job:
    with ledger.transaction("redo") as tx:
        job_id = redos.plan(tx, old, outputs.get(tx.connection, old.output_id), generation)
        job = jobs.get(tx.connection, job_id)
    assert job is not None
    return job


def judge(ledger: Ledger, job: Job, verdict: ReviewVerdict) -> None:
    with ledger.transaction() as tx:
        reviews.give(tx, job.id, verdict)


def test_a_redo_is_the_same_key_again_for_every_place(ledger):
    """Its own job, planned; nothing is reserved, and the old result is where it was."""
    old = done(ledger)
    copy = copied(ledger, old, "copy.jpg")
    new = plan(ledger, old)
    same = ("photo_sha256", "background_sha256", "treatment", "width", "height", "output_id", "photo_path")
    assert [getattr(new, name) for name in same] == [getattr(old, name) for name in same]
    assert (new.state, new.redo_of, new.credits, new.replace) == (JobState.PLANNED, old.id, 0, False)
    assert stored(ledger, old) == old
    with ledger.reading() as connection:
        assert {one.id for one in outputs.wanting(connection, new.id)} == {old.output_id, copy.id}
        assert {one.id for one in outputs.holding_of(connection, old)} == {old.output_id, copy.id}
        (known, _) = jobs.by_content(connection, [old.photo_sha256])[old.photo_sha256]
        assert (known.generation, known.redo_of) == (2, old.id)
        assert jobs.count_planned(connection, [new.id, old.id]) == 1
    assert history(ledger, old.id)[-1] == ("redo", None, None)


def test_it_is_taken_back_as_if_it_had_never_been(ledger):
    old = done(ledger)
    copied(ledger, old, "copy.jpg")
    before = output_of(ledger, old)
    new = plan(ledger, old)
    with ledger.transaction("redo") as tx:
        assert redos.planned(tx.connection) == [new.id]
        transitions.drop(tx, new, "not wanted")
        assert redos.planned(tx.connection) == []
    assert output_of(ledger, old) == before


def test_results_are_found_by_verdict(ledger, ticking):
    """As long as they are in a place, the job's own before its copies; the first rejected first."""
    first, second, good = (done(ledger, name) for name in ("a.jpg", "b.jpg", "c.jpg"))
    copy = copied(ledger, first, "0.jpg")
    judge(ledger, second, REJECTED)
    judge(ledger, first, REJECTED)
    judge(ledger, good, ACCEPTED)
    with ledger.reading() as connection:
        assert redos.rejected(connection) == [second.output_id, first.output_id, copy.id]
    finish(ledger, made(ledger, plan(ledger, second)))
    with ledger.reading() as connection:
        assert redos.rejected(connection) == [first.output_id, copy.id]


def made(ledger: Ledger, job: Job) -> Job:
    """Create a planned job."""
    with ledger.transaction("run") as tx:
        job = transitions.reserve(tx, job, budget("run"))
    with ledger.transaction("run") as tx:
        return transitions.created(tx, job, f"project-{job.id}", Price(5))


def test_results_are_found_by_their_paths_and_their_photos(ledger):
    """Below their own folders, and nowhere else."""
    job = done(ledger)
    with ledger.transaction() as tx:
        photo_root, output_root = folders.id_of(tx, "photos"), folders.id_of(tx, "output")
        assert redos.at(tx.connection, photo_root, "a.jpg") == [job.output_id]
        assert redos.at(tx.connection, output_root, "a.jpg.png") == [job.output_id]
        assert redos.at(tx.connection, output_root, "a.jpg") == []
        assert redos.at(tx.connection, photo_root, "a.jpg.png") == []
        assert list(redos.photos(tx.connection)) == [(photo_root, "a.jpg")]
        assert folders.all_ids(tx.connection)["photos"] == photo_root


def test_a_job_is_adopted_once(ledger):
    """One that was planned without that word; whose word it was first stays."""
    old = done(ledger)
    new = plan(ledger, old)
    with ledger.transaction("redo") as tx:
        redos.adopt(tx, dataclasses.replace(old, id="another"), new.id)
    assert stored(ledger, new).redo_of == old.id


def test_the_old_result_accepted_since_is_the_later_word(ledger, ticking):
    accepted, wanted = done(ledger, "a.jpg"), done(ledger, "b.jpg")
    judge(ledger, wanted, ACCEPTED)
    over, _ = plan(ledger, accepted), plan(ledger, wanted)
    judge(ledger, accepted, ACCEPTED)
    with ledger.reading() as connection:
        assert redos.overruled(connection) == [over.id]


def test_what_was_replaced_is_kept_on_file_until_the_new_one_is_accepted(ledger, ticking):
    """Any number of files for a place; each once."""
    old = done(ledger)
    place = output_of(ledger, old)
    for _ in range(2):
        with ledger.transaction("run") as tx:
            previous.remember(tx, place, ".previous/one.png", "one", 7)
    with ledger.transaction("run") as tx:
        previous.remember(tx, place, ".previous/two.png", "two", 8)
        found = previous.of_output(tx.connection, place.id)
        assert [(one.path, one.job_id, one.bytes) for one in found] == [
            (".previous/two.png", old.id, 8),
            (".previous/one.png", old.id, 7),
        ]
        assert previous.of_jobs(tx.connection) == {(place.id, old.id): found[0]}
        assert {"one", "two"} <= outputs.saved_contents(tx.connection)
    new = finish(ledger, made(ledger, plan(ledger, old)))
    judge(ledger, old, ACCEPTED)
    judge(ledger, new, REJECTED)
    with ledger.reading() as connection:
        assert previous.needless(connection) == []
    judge(ledger, new, ACCEPTED)
    with ledger.transaction() as tx:
        needless = previous.needless(tx.connection)
        assert sorted(one.sha256 for one in needless) == ["one", "two"]
        previous.forget(tx, needless[:1])
        assert len(previous.of_output(tx.connection, place.id)) == 1
