"""Results that are not good enough are done again by a person's word: once, under the caps, the old one kept beside."""

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from batchbg.core.review import ReviewVerdict
from batchbg.disk import results
from batchbg.errors import DiskError
from batchbg.ledger import reviews
from batchbg.ledger.engine import open_ledger
from batchbg.report import rows
from tests.cli.test_schemas import check
from tests.support.shop import Shop
from tests.support.tiers import rest_slow

ACCEPTED, REJECTED = ReviewVerdict.ACCEPTED, ReviewVerdict.REJECTED


def judge(shop: Shop, verdict: ReviewVerdict, *photos: str) -> None:
    """Give a verdict on the newest results of photos."""
    ids = {job["photo"]: job["id"] for job in shop.jobs() if job["state"] == "done"}
    with contextlib.closing(open_ledger(shop.ledger)) as ledger, ledger.transaction() as tx:
        for photo in photos:
            reviews.give(tx, ids[photo], verdict, "halo")


def done(shop: Shop, number: int = 5) -> list[str]:
    """Do some photos; what is rendered later is another picture to the last byte. Return their names."""
    names = [path.name for path in shop.some_photos(number)]
    shop.faults.add("download", "jpeg", nth=f"1-{number}")
    assert shop.run().code == 0
    return names


def kept(shop: Shop) -> list[str]:
    return [name for name in shop.outputs() if name.startswith(".previous/")]


def bytes_of(shop: Shop, name: str) -> bytes:
    return (shop.output / name).read_bytes()


def assert_whole(shop: Shop) -> None:
    """Everything adds up, and nothing half-written is left."""
    checked = shop.do("ledger check")
    assert checked.code == 0, checked.out
    assert [name for name in shop.outputs() if ".part" in name] == []
    assert shop.do("audit").code == 0
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as ledger:
        recorded = ledger.execute("SELECT path FROM previous_results ORDER BY path").fetchall()
    assert [path for (path,) in recorded] == kept(shop)


def test_the_rejected_are_done_again_under_the_cap(shop: Shop):
    """Two of five: told with their cost, not paid by that, paid once, and the old results are kept until acceptance."""
    names = done(shop)
    old = {name: bytes_of(shop, name) for name in names}
    judge(shop, REJECTED, names[1], names[3])
    planned = shop.do("redo", "--rejected")
    assert planned.code == 0
    assert planned.out.startswith(
        "2 results planned anew: 10 credits; nothing is spent yet\nnext: `batchbg resume --max"
    )
    assert len(shop.creates()) == 5
    assert {name: bytes_of(shop, name) for name in names} == old
    again = shop.do("redo", "--rejected", "--json").json
    check("redo", again)
    assert (again["planned"], len(again["before"]), again["credits"]) == ([], 2, 10)
    capped = shop.run("--max-credits", "9")
    assert (capped.code, len(shop.creates())) == (8, 6)
    assert shop.run("--json").json["jobs"]["done"] == 1
    assert len(shop.creates()) == 7
    assert shop.run().out == "nothing to do: 5 photos: 5 skipped; 0 credits spent\n"
    changed = {name for name in names if bytes_of(shop, name) != old[name]}
    assert changed == {names[1], names[3]}
    assert sorted(bytes_of(shop, name) for name in kept(shop)) == sorted(old[name] for name in changed)
    assert shop.do("redo", "--rejected").out == "nothing is to be done again\n"
    assert shop.do("rescue").out == "no result is missing\n"
    assert_whole(shop)
    judge(shop, ACCEPTED, names[1])
    judge(shop, REJECTED, names[3])
    assert shop.run().code == 0
    assert [bytes_of(shop, name) for name in kept(shop)] == [old[names[3]]]
    judge(shop, ACCEPTED, names[3])
    assert shop.run().code == 0
    assert shop.outputs() == names, "the folder that held them goes, too"
    assert_whole(shop)


@pytest.mark.slow
def test_a_redo_is_shown_and_planned_for_what_it_is(shop: Shop):
    """A dry run plans nothing; a plan takes it up, on the background that it had; the caps and the schema are told."""
    shop.background("wood.png")
    names = done(shop, 3)
    judge(shop, REJECTED, *names)
    tried = shop.do("redo", "--rejected", "-n", "--max-credits", "10", "--json").json
    check("redo", tried)
    assert len(tried["planned"]) == 3
    assert (tried["credits"], tried["cap_left"]) == (15, 10)
    assert "enough for 2 of 3 jobs" in tried["warnings"][0]
    assert {job["state"] for job in shop.jobs()} == {"done"}
    assert "would be planned anew: 15 credits" in shop.do("redo", "--rejected", "-n").out
    assert "again: photo-001.png on wood.png" in shop.do("redo", "photos/photo-001.png", "-v").out
    (shop.backgrounds / "wood.png").rename(shop.backgrounds / "aside.png")
    shop.background("wood.png", (64, 48))
    (shop.backgrounds / "wood.png").unlink()
    (shop.backgrounds / "aside.png").rename(shop.backgrounds / "wood.png")
    shop.background("better.png", (64, 48))
    plan = shop.do("plan", "-v")
    assert "1 job of earlier runs to continue" in plan.out
    assert "go on  photo-001.png  64x48  on wood.png  done again  -> photo-001.png  5 credits" in plan.out
    assert shop.run().code == 0
    assert {job["background"] for job in shop.jobs()} == {"wood.png"}
    assert len(shop.creates()) == 4
    assert_whole(shop)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["photos/{}", "output/{}", "{}", "{absolute}"])
def test_a_result_is_named_by_its_photo_or_by_itself(shop: Shop, how: str):
    names = done(shop, 2)
    named = how.format(names[1], absolute=shop.photos / names[1])
    found = shop.do("redo", named, "--json").json
    assert [one["photo"] for one in found["planned"]] == [names[1]]
    assert shop.resume("--max-credits", "5").code == 0
    assert len(shop.creates()) == 3
    assert_whole(shop)


@pytest.mark.slow
def test_a_list_names_what_a_script_has_found(shop: Shop):
    """Names of any bytes, photos and results, each once."""
    odd = os.fsdecode(b"odd\xff\nname.png")
    shop.photo("a.png")
    shutil.copy(shop.photo("b.png"), shop.photos / odd)
    (shop.photos / "b.png").unlink()
    assert shop.run().code == 0
    (shop.folder / "bad.txt").write_bytes(b"photos/a.png\0output/odd\xff\nname.png\0photos/a.png\0")
    found = shop.do("redo", "--files-from", "bad.txt", "-0", "--json").json
    assert len(found["planned"]) == 2
    assert shop.resume("--max-credits", "10").code == 0
    assert len(shop.creates()) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    rest_slow(
        [
            (["photos/photo-001.jpg"], "did you mean 'photos/photo-001.png'?"),
            (["photos/photo-000.png", "photos/foto-001.png"], "did you mean 'photo-001.png'?"),
            (["x", "y", "z"], "x is no photo and no result of this ledger, nor are 2 others; nothing was planned"),
            (["photos"], "photos is a folder: name the photos in it"),
            ([], "name the photos that are to be done again, or give --rejected"),
            (["a.png", "--rejected"], "give one or the other"),
            (["--files-from", "none.txt"], "none.txt: No such file"),
        ]
    ),
)
def test_what_cannot_be_meant_is_refused_whole(shop: Shop, arguments: list[str], said: str):
    done(shop, 2)
    result = shop.do("redo", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert len(shop.jobs()) == 2


@pytest.mark.slow
def test_without_a_ledger_there_is_nothing_to_do_again(shop: Shop):
    result = shop.do("redo", "--rejected")
    assert result.code == 2
    assert "there is no ledger" in result.err
    assert not (shop.folder / "batchbg.db").exists()


@pytest.mark.slow
def test_photos_that_are_not_what_they_were_are_left_out(shop: Shop):
    """Each with its reason; the others are planned. A changed note in the file is no changed picture."""
    shop.background("wood.png")
    names = done(shop, 4)
    (shop.photos / names[0]).unlink()
    shop.photo(names[1], colour=99)
    (shop.photos / names[2]).write_text("no picture")
    os.utime(shop.photos / names[3], ns=(1, 1))
    result = shop.do("redo", *(f"photos/{name}" for name in names))
    assert result.code == 3
    assert f"{names[0]}: left out: {shop.photos / names[0]}: No such file or directory; put it back" in result.err
    assert f"{names[1]}: left out: its picture has changed since; `batchbg run" in result.err
    assert f"{names[2]}: left out: {shop.photos / names[2]} cannot be sent any more" in result.err
    assert result.out.startswith("1 result planned anew: 5 credits")
    (shop.photos / names[0]).write_bytes(shop.photo("spare.png").read_bytes())
    (shop.backgrounds / "wood.png").unlink()
    result = shop.do("redo", f"photos/{names[1]}")
    assert result.code == 3
    assert "its background wood.png" in result.err
    assert len(shop.creates()) == 4


@pytest.mark.slow
def test_copies_are_done_again_with_their_picture(shop: Shop):
    """Paid once for all; the old result of each is kept; whichever path is named, and if the first photo is gone."""
    shop.photo("a.png", colour=7)
    shop.photo("sub/copy.png", colour=7)
    shop.faults.add("download", "jpeg", nth=1)
    assert shop.run().code == 0
    old = bytes_of(shop, "a.png")
    (shop.photos / "a.png").unlink()
    found = shop.do("redo", "photos/sub/copy.png", "output/a.png", "--json").json
    assert ([one["photo"] for one in found["planned"]], found["before"]) == (["sub/copy.png"], [])
    result = shop.run("--json").json
    assert result["jobs"]["done"] == 1
    assert len(shop.creates()) == 2
    new = bytes_of(shop, "a.png")
    assert new == bytes_of(shop, "sub/copy.png") != old
    assert [bytes_of(shop, name) for name in kept(shop)] == [old, old]
    assert [str(Path(name).parent) for name in kept(shop)] == [".previous", ".previous/sub"]
    assert_whole(shop)
    judge(shop, ACCEPTED, "sub/copy.png")
    assert shop.do("redo", "--rejected").out == "nothing is to be done again\n"
    assert kept(shop) == []
    assert_whole(shop)


@pytest.mark.slow
def test_a_scan_counts_copies_of_what_is_done_again(shop: Shop):
    shop.photo("a.png", colour=7)
    shop.photo("b.png", colour=7)
    shop.faults.add("download", "jpeg", nth=1)
    assert shop.run().code == 0
    assert shop.do("redo", "photos/b.png").code == 0
    result = shop.run("--json").json
    assert result["jobs"]["done"] == 1
    assert {name: result["photos"][name] for name in ("seen", "reused", "skipped")} == {
        "seen": 2,
        "reused": 1,
        "skipped": 0,
    }
    assert_whole(shop)


@pytest.mark.slow
def test_a_result_that_somebody_has_changed_is_kept_as_it_is(shop: Shop):
    """It is no longer what was paid for, but somebody's work; and one that was taken away is not missed."""
    names = done(shop, 2)
    (shop.output / names[0]).write_bytes(b"retouched")
    (shop.output / names[1]).unlink()
    assert shop.do("redo", *(f"output/{name}" for name in names)).code == 0
    assert shop.run().code == 0
    assert [bytes_of(shop, name) for name in kept(shop)] == [b"retouched"]
    assert_whole(shop)
    (shop.output / kept(shop)[0]).write_bytes(b"changed once more")
    judge(shop, ACCEPTED, *names)
    assert shop.run().code == 0
    assert [bytes_of(shop, name) for name in kept(shop)] == [b"changed once more"], "it is not ours to remove"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["job_error", "job_canceled"])
def test_a_redo_that_comes_to_nothing_leaves_the_old_result(shop: Shop, ending: str):
    """Where it is; what it takes to try again is told, and the photo is done, as before."""
    names = done(shop, 2)
    old = bytes_of(shop, names[0])
    assert shop.do("redo", f"photos/{names[0]}").code == 0
    shop.faults.add("create", ending, nth=1)
    assert shop.run().code == 3
    assert bytes_of(shop, names[0]) == old
    assert kept(shop) == []
    again = shop.do("redo", f"photos/{names[0]}")
    assert again.code == 3
    assert "`batchbg retry" in again.err
    assert shop.run().out.startswith("nothing to do: 2 photos: 2 skipped")
    assert shop.do("retry").code in (0, 3)
    assert shop.run().code == 0
    assert bytes_of(shop, names[0]) != old
    assert [bytes_of(shop, name) for name in kept(shop)] == [old]
    assert_whole(shop)


@pytest.mark.slow
def test_while_a_redo_is_unresolved_nothing_is_created_for_it(shop: Shop):
    """Nor planned: by its name, by --rejected, or in a run; a person's word that it was not charged goes on with it."""
    names = done(shop, 2)
    judge(shop, REJECTED, names[0])
    assert shop.do("redo", "--rejected").code == 0
    shop.faults.add("create", "hang_up", nth=1, commit=False)
    assert shop.run().code == 3
    for words in (["--rejected"], [f"photos/{names[0]}"]):
        result = shop.do("redo", *words)
        assert result.code == 3
        assert "may be paid for already; `batchbg resolve" in result.err
    assert shop.run().code == 3
    assert shop.run("--force", "--include", names[0], "--yes").code == 3
    assert shop.requests() == 3
    (unresolved,) = shop.jobs("--state", "unresolved")
    assert shop.do("resolve", unresolved["id"], "--not-charged").code == 0
    assert shop.run().code == 0
    assert (len(shop.creates()), len(kept(shop))) == (3, 1)
    assert_whole(shop)


@pytest.mark.slow
def test_a_redo_and_a_force_order_pay_once(shop: Shop):
    """Whichever came first; and what was forced becomes a redo, whose old result is kept, too."""
    names = done(shop, 3)
    old = bytes_of(shop, names[2])
    assert shop.do("redo", f"photos/{names[0]}").code == 0
    assert shop.run("--force", "--max-credits", "10").code == 8
    assert len(shop.creates()) == 5
    waiting = [job["photo"] for job in shop.jobs("--state", "planned")]
    assert len(waiting) == 1
    planned = shop.do("redo", f"photos/{waiting[0]}", "--json").json
    assert (planned["planned"], len(planned["before"])) == ([], 1)
    assert shop.run().code == 8, "the cap that it was begun under holds"
    assert shop.run("--max-credits", "5").code == 0, "without --force it goes on, since a person wants it"
    assert len(shop.creates()) == 6
    assert shop.run("--force").code == 0
    assert len(shop.creates()) == 6, "the order is carried out"
    assert old in [bytes_of(shop, name) for name in kept(shop)] or waiting != [names[2]]
    assert_whole(shop)


@pytest.mark.slow
def test_done_again_and_again_every_old_result_is_kept(shop: Shop):
    """Until one is accepted: who rejects twice may yet want the first."""
    names = done(shop, 1)
    for colour in (b"one", b"two"):
        (shop.output / names[0]).write_bytes(colour)
        judge(shop, REJECTED, names[0])
        assert shop.do("redo", "--rejected").code == 0
        assert shop.run().code == 0
    assert sorted(bytes_of(shop, name) for name in kept(shop)) == [b"one", b"two"]
    assert len(shop.creates()) == 3
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as ledger:
        generations = ledger.execute("SELECT generation, redo_of IS NULL FROM jobs ORDER BY generation").fetchall()
    assert generations == [(1, 1), (2, 0), (3, 0)]
    assert_whole(shop)


@pytest.mark.slow
def test_beside_a_run_it_gives_way(shop: Shop):
    """The ledger is held; a dry run only reads."""
    names = done(shop, 2)
    judge(shop, REJECTED, names[0])
    shop.photo("new.png")
    shop.sandbox.configure(render_s=30)
    process = shop.spawn("run", "--yes")
    shop.wait_for(lambda: len(shop.creates()) == 3)
    result = shop.do("redo", "--rejected")
    assert (result.code, result.out) == (11, "")
    assert "another run" in result.err or "holds" in result.err
    assert shop.do("redo", "--rejected", "-n").code == 0
    shop.sandbox.advance(60)
    process.communicate(timeout=60)
    assert shop.do("redo", "--rejected").code == 0


@pytest.mark.slow
def test_on_a_colour_and_in_another_format(shop: Shop):
    """A colour is no file that could be missing; the old result keeps its format, and its quality is another matter."""
    shop.some_photos(1)
    arguments = ("--format", "webp", "-b", "#f5f5f5")
    shop.faults.add("download", "jpeg", nth=1)
    assert shop.run(*arguments).code == 0
    old = bytes_of(shop, "photo-000.webp")
    (shop.output / "photo-000.webp").write_bytes(old + b"0")
    assert shop.do("redo", "photos/photo-000.png").code == 0
    assert shop.run(*arguments).code == 0
    assert [bytes_of(shop, name) for name in kept(shop)] == [old + b"0"]
    assert kept(shop)[0].endswith(".webp")
    assert {job["background"] for job in shop.jobs()} == {"#f5f5f5"}
    assert len(shop.creates()) == 2
    assert_whole(shop)


@pytest.mark.slow
def test_the_report_shows_the_result_before_beside_the_new_one(shop: Shop):
    """As long as it is kept; then it is history."""
    names = done(shop, 1)
    judge(shop, REJECTED, names[0])
    assert shop.do("redo", "--rejected").code == 0
    assert shop.run().code == 0

    def shown() -> list[tuple[str, str, bool]]:
        with contextlib.closing(open_ledger(shop.ledger)) as ledger, ledger.reading() as connection:
            return [
                (row.verdict, row.remark.partition("; ")[2], row.result.there) for row in rows.read(ledger, connection)
            ]

    assert shown() == [("", "", True), ("rejected", rows.KEPT, True)]
    judge(shop, ACCEPTED, names[0])
    assert shop.resume().code == 0
    assert shown() == [("accepted", "", True), ("rejected", "", False)]


@pytest.mark.slow
def test_a_full_disk_keeps_the_old_result_in_its_place(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """What is paid for waits; nothing new is paid for meanwhile."""
    names = done(shop, 2)
    old = bytes_of(shop, names[0])
    assert shop.do("redo", *(f"photos/{name}" for name in names)).code == 0
    copied = results.copy

    def full(*_: object) -> None:
        raise DiskError("no space left")

    monkeypatch.setattr(results, "copy", full)
    assert shop.run("--max-in-flight", "1").code == 5
    assert bytes_of(shop, names[0]) == old
    paid = len(shop.creates())
    monkeypatch.setattr(results, "copy", copied)
    assert shop.run().code == 0
    assert (paid, len(shop.creates())) in {(3, 4), (4, 4)}
    assert sorted(Path(name).name.partition("~")[0] for name in kept(shop)) == ["photo-000", "photo-001"]
    assert_whole(shop)


@pytest.mark.slow
def test_what_is_not_paid_for_can_be_taken_back(shop: Shop):
    """By name, or all; copies and all else are as they were, and nothing was paid."""
    names = done(shop, 4)
    judge(shop, REJECTED, *names)
    assert shop.do("redo", "--undo").out == "nothing is to be done again\n"
    assert shop.do("redo", "--rejected").code == 0
    assert "would be no longer" in shop.do("redo", "--undo", "-n").out
    one = shop.do("redo", "--undo", f"output/{names[2]}", "--json").json
    check("redo", one)
    assert ([each["photo"] for each in one["undone"]], one["credits"]) == ([names[2]], 0)
    assert shop.run("--max-credits", "5").code == 8
    taken = shop.do("redo", "--undo")
    assert taken.out == "2 results no longer to be done again; nothing was paid for them\n"
    assert shop.run().out == "nothing to do: 4 photos: 4 skipped; 0 credits spent\n"
    assert shop.do("redo", "nonesuch.png", "--undo").code == 2
    assert shop.do("redo", "--rejected", "--undo").code == 2
    assert len(shop.creates()) == 5
    assert_whole(shop)


@pytest.mark.slow
def test_to_accept_the_old_result_after_all_takes_its_redo_back(shop: Shop):
    """It is the later word; a redo that was asked for after the acceptance is the later one."""
    names = done(shop, 2)
    judge(shop, ACCEPTED, names[1])
    assert shop.do("redo", *(f"photos/{name}" for name in names)).code == 0
    judge(shop, ACCEPTED, names[0])
    result = shop.run()
    assert result.code == 0
    assert "1 result is no longer to be done again: accepted since" in result.err
    assert len(shop.creates()) == 3
    assert len(kept(shop)) == 1
    assert_whole(shop)


@pytest.mark.slow
def test_the_result_before_stays_as_long_as_the_new_one_is_not_on_disk(shop: Shop):
    """Accepted or not: where the new one was taken away, and not fetched again yet, it is the only one."""
    names = done(shop, 1)
    assert shop.do("redo", f"photos/{names[0]}").code == 0
    assert shop.run().code == 0
    judge(shop, ACCEPTED, names[0])
    new = bytes_of(shop, names[0])
    (shop.output / names[0]).unlink()
    assert shop.run().code == 0
    assert len(kept(shop)) == 1
    assert shop.do("rescue").out == "1 result missing: fetched again, free\n"
    assert bytes_of(shop, names[0]) == new
    assert shop.run().code == 0
    assert kept(shop) == []
    assert len(shop.creates()) == 2


KILL = """
import os, signal, batchbg.disk.results as results, batchbg.ledger.previous as previous, batchbg.pool.deliver as deliver
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
def after(function):
    def call(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return call
put = results.put
def in_place(part, target, **options):
    if ".previous" not in str(target): {before}
    done = put(part, target, **options)
    if ".previous" not in str(target): {behind}
    return done
"""
STEPS = {
    "before the copy": "deliver.keep = die",
    "in the copy": "results.copy = after(results.copy)",
    "before the record": "deliver.keep = after(deliver.keep)",
    "before the new one": "results.put = in_place",
    "behind the new one": "results.put = in_place",
}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_one_of_the_two_is_whole(shop: Shop, step: str):
    """And the next run goes on: no create more, the new one in its place, the old one beside it."""
    names = done(shop, 2)
    old = bytes_of(shop, names[0])
    assert shop.do("redo", f"photos/{names[0]}").code == 0
    before, behind = ("die()", "pass") if step == "before the new one" else ("pass", "die()")
    code = KILL.format(before=before, behind=behind) + STEPS[step]
    process = shop.spawn("run", "--yes", first=f"exec({code!r});")
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert len(shop.creates()) == 3
    there = {bytes_of(shop, name) for name in (names[0], *kept(shop)) if ".part" not in name}
    assert old in there
    assert bytes_of(shop, names[0]) == old or step == "behind the new one"
    assert shop.do("redo", f"photos/{names[0]}", "--json").json["planned"] == []
    assert shop.run().code == 0
    assert len(shop.creates()) == 3
    assert bytes_of(shop, names[0]) != old
    assert [bytes_of(shop, name) for name in kept(shop)] == [old]
    assert_whole(shop)


@pytest.mark.slow
def test_killed_before_it_is_paid_it_is_paid_once(shop: Shop):
    """The process ends between redo and run, and in the run, with the create in the air."""
    names = done(shop, 3)
    judge(shop, REJECTED, *names[:2])
    assert shop.do("redo", "--rejected").code == 0
    shop.sandbox.configure(render_s=30)
    process = shop.spawn("run", "--yes")
    shop.wait_for(lambda: len(shop.creates()) == 5 and len(shop.jobs("--state", "rendering")) == 2)
    process.kill()
    process.communicate()
    shop.sandbox.advance(60)
    found = shop.do("redo", "--rejected", "--json").json
    assert (found["planned"], len(found["before"]), found["credits"]) == ([], 2, 0)
    assert shop.run().code == 0
    assert (len(shop.creates()), len(kept(shop))) == (5, 2)
    assert_whole(shop)


@pytest.mark.slow
def test_nothing_is_written_through_a_link(shop: Shop):
    """A link in the place of the folder for previous results: the new one waits, both are there."""
    names = done(shop, 1)
    old = bytes_of(shop, names[0])
    elsewhere = shop.folder / "elsewhere"
    elsewhere.mkdir()
    (shop.output / ".previous").symlink_to(elsewhere)
    assert shop.do("redo", f"photos/{names[0]}").code == 0
    result = shop.run()
    assert result.code == 3
    assert "is a link, through which nothing is written" in result.err
    assert (bytes_of(shop, names[0]), list(elsewhere.iterdir())) == (old, [])
    (shop.output / ".previous").unlink()
    assert shop.do("rescue").code == 0
    assert bytes_of(shop, names[0]) != old
    assert [bytes_of(shop, name) for name in kept(shop)] == [old]
    assert len(shop.creates()) == 2


def test_events_tell_whose_word_it_was(shop: Shop):
    names = done(shop, 1)
    (job,) = shop.jobs()
    assert shop.do("redo", f"photos/{names[0]}").code == 0
    events = [json.loads(line) for line in shop.do("ledger export", "--table", "events").out.splitlines()]
    (redo,) = [event for event in events if event["kind"] == "redo"]
    (new,) = shop.jobs("--state", "planned")
    assert (redo["job_id"], json.loads(redo["detail"])) == (job["id"], {"job": new["id"]})
