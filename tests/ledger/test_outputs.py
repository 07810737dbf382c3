"""Output paths: whose they are, whose result belongs there, and whose is there."""

import pytest

from batchbg.core.model import Job, PhotoInfo, Size, Stamp
from batchbg.core.price import Price
from batchbg.ledger import folders, jobs, outputs, photos, transitions
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx

from .support import job_of, move, plan_one, planned, rendering


@pytest.fixture
def ledger(emptied):
    return emptied


def roots(tx: Tx) -> tuple[int, int]:
    return folders.id_of(tx, "output"), folders.id_of(tx, "photos")


def save(ledger: Ledger, job: Job, content: str = "ab") -> None:
    with ledger.transaction("run") as tx:
        outputs.saved(tx, job.output_id, job.id, content, f"result of {job.id}", 9)


def test_a_photo_keeps_the_output_it_was_given(ledger):
    """Ids come in the order of the paths; they are found by photo, by folder, and by number."""
    with ledger.transaction("run") as tx:
        paths = [("b.png", "b.jpg"), ("sub/a.png", "sub/a.jpg"), ("a.png", "a.jpg")]
        ids = outputs.assign(tx, *roots(tx), paths)
        assert outputs.assign(tx, *roots(tx), []) == []
        found = outputs.of_photos(tx.connection, *roots(tx), ["a.jpg", "b.jpg", "none.jpg"])
        assert {path: one.id for path, one in found.items()} == {"a.jpg": ids[2], "b.jpg": ids[0]}
        assert outputs.get(tx.connection, ids[1]).path == "sub/a.png"
        assert outputs.names_of(tx.connection, *roots(tx), "") == {"a.jpg": "a.png", "b.jpg": "b.png"}
        assert outputs.names_of(tx.connection, *roots(tx), "sub") == {"sub/a.jpg": "sub/a.png"}
        assert sorted(outputs.paths_in(tx.connection, roots(tx)[0], "")) == ["a.png", "b.png"]
        assert list(outputs.paths_in(tx.connection, roots(tx)[0], "sub")) == ["sub/a.png"]
        outputs.rename(tx, found["a.jpg"], "A.png")
        assert outputs.get(tx.connection, ids[2]).path == "A.png"


def test_an_output_wants_a_result_until_it_holds_it(ledger):
    """By whichever job it is to be made; others that want the same one get their copy."""
    first, second = planned(ledger, "a.jpg", "b.jpg")
    with ledger.transaction("run") as tx:
        outputs.want(tx, [(second.output_id, first.id)])
        outputs.want(tx, [])
        assert [one.path for one in outputs.wanting(tx.connection, first.id)] == ["a.jpg.png", "b.jpg.png"]
        assert outputs.wanting(tx.connection, second.id) == []
        assert outputs.awaiting(tx.connection, roots(tx)[0]) == {"a.jpg.png", "b.jpg.png"}
        assert outputs.awaiting(tx.connection, folders.id_of(tx, "elsewhere")) == set()
    save(ledger, first, first.photo_sha256)
    with ledger.reading() as connection:
        assert [one.path for one in outputs.wanting(connection, first.id)] == ["b.jpg.png"]
        (held,) = outputs.holding(connection)
        assert (held.id, held.saved_job, held.saved_bytes) == (first.output_id, first.id, 9)
        assert outputs.holding_of(connection, first) == [held]
        assert outputs.holding_of(connection, second) == []
        assert outputs.saved_contents(connection) == {f"result of {first.id}"}


@pytest.mark.in_a_file
def test_the_outputs_that_hold_one_result_are_found_without_looking_at_all(ledger):
    """Of every copy that is made this is asked, however many there are."""
    (job,) = planned(ledger, "a.jpg")
    asked = outputs._HELD_BY.params(job=job.id, photo=job.photo_sha256)
    with ledger.reading() as connection:
        query = asked.compile(connection, compile_kwargs={"literal_binds": True})
        steps = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    assert any("USING INDEX ix_outputs_folder_id_saved_photo_sha256" in step for step in steps), steps
    assert not any(step.startswith("SCAN outputs") for step in steps), steps


def test_a_done_job_is_undelivered_while_an_output_wants_its_result(ledger):
    """One that is at work is not; nor one whose result was marked as missing and has come again."""
    job = move(ledger, transitions.complete, rendering(ledger), Price(5))
    with ledger.reading() as connection:
        assert outputs.undelivered(connection) == []
    job = move(ledger, transitions.done, job)
    with ledger.reading() as connection:
        assert outputs.undelivered(connection) == [job.id]
    save(ledger, job)
    with ledger.transaction("run") as tx:
        assert outputs.undelivered(tx.connection) == []
        outputs.mark_missing(tx, outputs.get(tx.connection, job.output_id))
        assert outputs.undelivered(tx.connection) == [job.id]
    save(ledger, job)
    with ledger.reading() as connection:
        assert outputs.undelivered(connection) == []


def test_results_are_found_by_the_photo_they_were_made_of(ledger):
    """In one output folder, by path; more contents than one statement takes."""
    first, second, third = planned(ledger, "b.jpg", "a.jpg", "c.jpg")
    save(ledger, first)
    save(ledger, second)
    save(ledger, third, "cd")
    asked = ["ab", "cd", *map(str, range(1100))]
    with ledger.transaction() as tx:
        found = outputs.by_content(tx.connection, roots(tx)[0], asked)
        assert {content: [one.path for one in held] for content, held in found.items()} == {
            "ab": ["a.jpg.png", "b.jpg.png"],
            "cd": ["c.jpg.png"],
        }
        assert outputs.by_content(tx.connection, folders.id_of(tx, "elsewhere"), asked) == {}


@pytest.mark.parametrize("what", ["its result", "a planned job", "another picture", "an output of its own"])
def test_a_folder_that_was_moved_keeps_its_outputs(ledger, what):
    """Where its photos show what they did; one that has an output there already keeps that."""
    (job,) = planned(ledger, "sub/a.jpg")
    if what == "its result":
        save(ledger, job, "ab")
    content = (
        job.photo_sha256
        if what in ("a planned job", "an output of its own")
        else "other"
        if what == "another picture"
        else "ab"
    )
    info = PhotoInfo(Stamp(1, 1, 1), content, Size(64, 48), "jpg", "", "", f"look of {content}")
    with ledger.transaction("run") as tx:
        output_root, moved = roots(tx)[0], folders.id_of(tx, "moved")
        photos.remember(tx, moved, {"sub/a.jpg": info})
        if what == "an output of its own":
            outputs.assign(tx, output_root, moved, [("sub/mine.png", "sub/a.jpg")])
        outputs.adopt_moved(tx, output_root, moved, "elsewhere")
        assert outputs.get(tx.connection, job.output_id).photo_folder_id == roots(tx)[1]
        outputs.adopt_moved(tx, output_root, moved, "sub")
        is_moved = outputs.get(tx.connection, job.output_id).photo_folder_id == moved
    assert is_moved is (what in ("its result", "a planned job"))


def test_jobs_are_found_by_content_and_by_output(ledger):
    """The newest generation first, in whatever state; planned ones by the output they are for."""
    with ledger.transaction("run") as tx:
        ids = [plan_one(tx, "a.jpg", generation=number) for number in (1, 2)]
        first = job_of(tx.connection, ids[0])
        found = jobs.by_content(tx.connection, [first.photo_sha256, "none"])
        assert {content: [one.id for one in known] for content, known in found.items()} == {
            first.photo_sha256: ids[::-1]
        }
        transitions.drop(tx, job_of(tx.connection, ids[1]), "once is enough")
        assert jobs.planned_for_outputs(tx.connection, [first.output_id, 999]) == {first.output_id: ids[0]}
        transitions.refused(tx, first, "too large")
        assert jobs.planned_for_outputs(tx.connection, [first.output_id]) == {}
