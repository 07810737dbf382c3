import os
from pathlib import Path

import pytest
from PIL import Image

from batchbg.core.lifecycle import JobState
from batchbg.core.planning import DONE_BEFORE, LOST
from batchbg.disk import decoder_pool
from batchbg.disk import probe as probing
from batchbg.disk.rehearsal import Rehearsal
from batchbg.errors import ConfigError
from batchbg.ledger import deletions, jobs
from batchbg.plan import portions
from batchbg.plan.lines import BEING_WRITTEN, NOT_THERE
from tests.benchmarks.scan import pretend_done
from tests.plan.support import Desk
from tests.support.privileges import without_privileges


def test_an_unchanged_folder_is_planned_without_opening_a_file(desk: Desk):
    """One that is new or changed is opened, and no other."""
    for index in range(5):
        desk.photo(f"{index}.png", index + 1)
    (desk.photos / "bad.jpg").write_text("bad")
    (desk.photos / "notes.txt").write_text("notes")
    assert (desk.plan().new, desk.opened) == (5, 7)
    assert (desk.plan().taken_up, desk.opened) == (5, 0)
    desk.photo("3.png", 99, size=(20, 20))
    desk.photo("new.png", 77)
    tally = desk.plan()
    assert (tally.new, tally.taken_up, desk.opened) == (2, 4, 2)


def test_rejects_are_news_once(desk: Desk):
    """Until the file changes; its reason is told each time."""
    bad = desk.photos / "bad.jpg"
    bad.write_text("bad")
    assert [desk.plan().newly_rejected for _ in range(3)] == [1, 0, 0]
    assert [(line.path, line.action) for line in desk.lines] == [("bad.jpg", "reject")]
    bad.write_text("still bad")
    assert desk.plan().newly_rejected == 1


def test_a_file_that_cannot_be_read_is_tried_again(open_folder: Path):
    """Mending its permissions leaves size and time as they were. The reject is news once."""
    desk = Desk(open_folder)
    photo = desk.photo("a.png")
    photo.chmod(0o000)
    with without_privileges():
        first, second = desk.plan(), desk.plan()
    assert (first.rejected, first.newly_rejected, first.seen) == (1, 1, 1)
    assert (second.rejected, second.newly_rejected, desk.opened) == (1, 0, 1)
    assert "cannot be read: Permission denied" in desk.lines[0].detail
    photo.chmod(0o644)
    with without_privileges():
        assert (desk.plan().new, desk.plan().taken_up) == (1, 1)


def test_several_pages_are_judged_by_todays_choice(desk: Desk):
    """Not by the one of the day on which the file was looked at; then it is not opened again."""
    page = Image.new("RGB", (20, 20), 5)
    page.save(desk.photos / "a.tif", save_all=True, append_images=[page])
    desk.photo("b.png")
    refused = desk.plan()
    assert (refused.new, refused.rejected, refused.newly_rejected) == (1, 1, 1)
    assert "2 pages; save the one you want by itself, or give --first-page" in [line.detail for line in desk.lines]
    taken = desk.plan(first_page=True)
    assert (taken.new, taken.taken_up, taken.rejected, desk.opened) == (1, 1, 0, 1)
    assert (desk.plan(first_page=True).taken_up, desk.opened) == (2, 0)
    again = desk.plan()
    assert (again.taken_up, again.rejected, again.newly_rejected, desk.opened) == (1, 1, 1, 1)
    assert (desk.plan().newly_rejected, desk.opened) == (0, 0)


def test_the_upload_limit_is_that_of_today(desk: Desk):
    """A larger plan takes what was too large before; a smaller one refuses what was not. The reason names both sizes."""
    large = desk.photo("large.bmp").rename(desk.photos / "large")  # content decides, not the name
    large.write_bytes(large.read_bytes().ljust(300_000, b"\0"))
    desk.photo("small.png")
    (desk.photos / "film.mp4").write_bytes(b"\0" * 300_000)
    for _ in range(2):
        tally = desk.plan(max_upload_bytes=200000)
        assert (tally.new + tally.taken_up, tally.rejected, tally.ignored) == (1, 1, 1)
    reason = "0.3 MB, and the most that can be uploaded (max_upload_bytes) is 0.2 MB; save it smaller"
    assert [(line.path, line.detail) for line in desk.lines if line.action == "reject"] == [("large", reason)]
    assert (desk.plan(max_upload_bytes=2000000).new, desk.plan(max_upload_bytes=2000000).taken_up, desk.opened) == (
        1,
        2,
        0,
    )
    assert (desk.plan(max_upload_bytes=100).rejected, desk.plan(max_upload_bytes=100).newly_rejected) == (1, 0)


def test_a_folder_that_cannot_be_read_is_told_and_counted(open_folder: Path):
    """As one reject, which is news once; when it can be read again it is forgotten."""
    desk = Desk(open_folder)
    desk.photo("a.png")
    desk.photo("shut/b.png")
    (desk.photos / "shut").chmod(0o000)
    with without_privileges():
        first, second = desk.plan(), desk.plan()
    assert (first.seen, first.rejected, first.newly_rejected, first.new) == (2, 1, 1, 1)
    assert (second.rejected, second.newly_rejected) == (1, 0)
    assert ("shut/", "the folder cannot be read: Permission denied") in [(one.path, one.detail) for one in desk.lines]
    (desk.photos / "shut").chmod(0o755)
    with without_privileges():
        third = desk.plan()
    assert (third.seen, third.rejected, third.new) == (2, 0, 1)
    (desk.photos / "shut").chmod(0o000)
    with without_privileges():
        assert desk.plan().newly_rejected == 1


def test_a_file_that_changes_while_it_is_looked_at_is_left_for_the_next_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    """It is counted, and nothing is planned for it."""
    photo = desk.photo("a.png")
    judge = probing._judge

    def judge_while_it_grows(*args: object) -> object:
        with photo.open("ab") as file:
            file.write(b"more")
        return judge(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(probing, "_judge", judge_while_it_grows)
    monkeypatch.setattr(decoder_pool, "run", lambda function, *args: function(*args))  # here, where the above is known
    tally = desk.plan()
    assert (tally.seen, tally.new, dict(tally.skipped)) == (1, 0, {BEING_WRITTEN: 1})
    monkeypatch.undo()
    assert desk.plan().new == 1


def test_a_folder_larger_than_is_held_at_once_is_named_as_a_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Names that would meet are found, and equal contents, wherever in the folder they are."""
    monkeypatch.setattr(portions, "AT_ONCE", 3)
    for index in range(8):
        desk.photo(f"{index}.png", index + 1)
    desk.photo("0.jpg", 50)
    desk.photo("z-twin.png", 1)
    tally = desk.plan()
    assert (tally.new, tally.copies, tally.seen) == (9, 1, 10)
    assert {path: output for path, output in desk.outputs().items() if path.startswith("0")} == {
        "0.jpg": "0.jpg.png",
        "0.png": "0.png.png",
    }
    tally = desk.plan()
    assert (tally.new, tally.taken_up, tally.copies, desk.opened) == (0, 9, 1, 0)


def test_a_third_photo_that_would_meet_takes_its_full_name_as_well(desk: Desk):
    """Although neither of the first two has the short one."""
    desk.photo("a.png", 1)
    desk.photo("a.jpg", 2)
    desk.plan()
    desk.photo("a.webp", 3)
    desk.plan()
    assert desk.outputs()["a.webp"] == "a.webp.png"


def test_a_moved_folder_keeps_its_names_and_jobs(desk: Desk):
    """The ledger knows the photos by content."""
    for index in range(4):
        desk.photo(f"sub/{index}.png", index + 1)
    desk.plan()
    before = desk.outputs()
    desk.photos = desk.photos.rename(desk.folder / "moved")
    tally = desk.plan()
    assert (tally.new, tally.taken_up) == (0, 4)
    assert desk.outputs() == before


def test_of_a_moved_folder_a_changed_photo_is_new(desk: Desk):
    """It lies where another lay, and is not that one."""
    desk.photo("a.png", 1)
    desk.photo("b.png", 2)
    desk.plan()
    desk.photos = desk.photos.rename(desk.folder / "moved")
    desk.photo("a.png", 3)
    tally = desk.plan()
    assert (tally.new, tally.taken_up) == (1, 1)


def test_names_from_a_file_may_begin_with_a_byte_order_mark(desk: Desk):
    """As some editors write it."""
    desk.photo("a.png")
    names = desk.folder / "names"
    names.write_bytes(b"\xef\xbb\xbfa.png\r\n\r\nb.png\r\n")
    tally = desk.plan(files_from=str(names))
    assert (tally.new, dict(tally.skipped)) == (1, {NOT_THERE: 1})


def test_bad_backgrounds_are_named_and_the_others_used(desk: Desk, caplog: pytest.LogCaptureFixture):
    """Junk among them is not worth a word; where none is left nothing is planned."""
    backgrounds = desk.folder / "backgrounds"
    backgrounds.mkdir()
    (backgrounds / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    (backgrounds / "Thumbs.db").write_text("junk")
    desk.photo("a.png")
    with pytest.raises(ConfigError, match="holds no picture that can be used"):
        desk.plan(backgrounds=backgrounds)
    Image.new("RGB", (4, 3)).save(backgrounds / "small.png")
    tally = desk.plan(backgrounds=backgrounds)
    assert list(tally.bad_backgrounds) == ["torn.jpg"]
    assert "torn.jpg" in caplog.text
    assert (tally.enlarged, dict(tally.backgrounds)) == (1, {"small.png": 1})
    assert desk.lines[0].detail == "enlarged 2 times"


def test_nothing_is_opened_for_writing_and_the_order_is_that_of_the_names(desk: Desk):
    """Two plans of one folder are told alike."""
    for path in ["b/2.png", "a/1.png", "a.png", "Z.png"]:
        desk.photo(path)
    for photo in desk.photos.rglob("*.png"):
        photo.chmod(0o444)
    desk.plan()
    assert [line.path for line in desk.lines] == ["Z.png", "a.png", "a/1.png", "b/2.png"]
    assert not [name for name in os.listdir(desk.photos) if name not in {"Z.png", "a.png", "a", "b"}]  # noqa: PTH208


def test_what_is_done_is_passed_over_whatever_its_name(desk: Desk):
    """Also a name that is no text: it is found again, and so is its result."""
    names = ["a.png", "\u00e9.png", "caf\udce9.png"]
    for index, name in enumerate(names):
        desk.photo(f"sub/{name}", index + 1)
    desk.plan()
    ledger = desk.ledger()
    with ledger.begin() as connection:
        pretend_done(connection)
    ledger.close()
    for name in names[:2]:
        target = desk.folder / "output" / "sub" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    tally = desk.plan()
    assert (dict(tally.skipped), tally.missing, desk.opened, desk.lines) == ({DONE_BEFORE: 3}, 1, 0, [])


class Refusing(Rehearsal):
    """Says of one name that the disk does not take it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def refuses(self, root: Path, path: str) -> str:
        return "no such name" if path == self._name else ""


def test_a_photo_takes_over_from_its_twin_whose_result_can_no_longer_be_saved(desk: Desk):
    """The twin's job is gone, so that nothing may wait for it."""
    desk.photo("a.png", 1)
    desk.photo("twin.png", 1)
    first = desk.plan()
    assert (first.new, first.copies) == (1, 1)
    tally = desk.plan(Refusing("a.png"))
    assert [(line.path, line.action) for line in desk.lines] == [("a.png", "reject"), ("twin.png", "new")]
    assert (tally.new, tally.copies, tally.rejected) == (1, 0, 1)
    assert (desk.plan(Refusing("a.png")).taken_up, desk.plan(Refusing("a.png")).rejected) == (1, 1)


class Saving(Rehearsal):
    """Saves, as a pool beside the plan would, what the first photo waits for before the second is decided."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def refuses(self, root: Path, path: str) -> str:
        if path == "b.png":
            root.mkdir()
            (self._desk.folder / "output" / "a.png").rename(root / "a.png")
            ledger = self._desk.ledger()
            with ledger.begin() as connection:
                pretend_done(connection)
            ledger.close()
        return ""


def test_what_was_deleted_at_the_service_is_copied_from_where_a_file_has_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    """Even if only an output folder holds it that was empty when the plan was begun; without any file it is skipped."""
    monkeypatch.setattr(portions, "AT_ONCE", 1)
    for name in ("a.png", "b.png"):
        desk.photo(name, 1)
    desk.plan(include=("a.png",))
    ledger = desk.ledger()
    with ledger.transaction("run") as tx:
        pretend_done(tx.connection)
        (job,) = jobs.in_states(tx.connection, {JobState.DONE})
        deletions.want(tx, [job.id])
        deletions.record(tx, job)
    ledger.close()
    assert desk.plan(output=desk.folder / "other").skipped == {LOST: 2}
    first = desk.folder / "output" / "a.png"
    first.parent.mkdir()
    first.touch()
    assert desk.plan(Saving(desk), output=desk.folder / "third").copies == 2
