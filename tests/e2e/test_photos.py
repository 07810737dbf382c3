"""Photos as they really are: what a folder may hold, and what becomes of each file."""

import json
import os

import pytest
from PIL import Image

from batchbg.ledger import marks
from tests.support.shop import Shop
from tests.support.tiers import rest_slow


def test_invariant_10_every_file_is_accounted_for(shop: Shop):
    """Seen, rejected, reused, skipped and ignored add up to the files of the folder."""
    shop.photo("a.png")
    shop.photo("deep/b.png")
    shop.photo("twin-1.png", colour=9)
    shop.photo("twin-2.png", colour=9)
    (shop.photos / "bad.jpg").write_text("text")
    (shop.photos / "notes.txt").write_text("no picture, and no picture's name")
    (shop.photos / ".DS_Store").write_text("junk")
    (shop.photos / "Thumbs.db").write_text("junk")
    (shop.photos / "@eaDir").mkdir()
    (shop.photos / "@eaDir" / "c.jpg").write_text("junk")
    photos = shop.run("--json").json["photos"]
    assert photos == {"seen": 5, "rejected": 1, "reused": 1, "skipped": 0, "ignored": 4}
    assert sum(shop.status()["jobs"].values()) == 3


@pytest.mark.slow
def test_two_photos_never_share_an_output(shop: Shop):
    """Same stem: all get their full name; one that comes later does, and the older keeps its own."""
    shop.photo("IMG.jpg")
    shop.photo("img.png")
    shop.photo("alone.jpg")
    shop.run()
    assert shop.outputs() == ["IMG.jpg.png", "alone.png", "img.png.png"]
    shop.photo("alone.png")
    shop.run()
    assert shop.outputs() == ["IMG.jpg.png", "alone.png", "alone.png.png", "img.png.png"]
    assert len(shop.creates()) == 4


@pytest.mark.slow
def test_a_renamed_photo_is_copied_and_a_moved_folder_is_done(shop: Shop):
    """Content tells; nothing is paid for again."""
    shop.photo("a.png")
    shop.photo("b.png")
    shop.run()
    (shop.photos / "a.png").rename(shop.photos / "renamed.png")
    assert shop.run("--json").json["photos"] | {"reused": 1, "skipped": 1} == shop.run("--json").json["photos"] | {
        "reused": 1,
        "skipped": 1,
    }
    assert "renamed.png" in shop.outputs()
    moved = shop.folder / "elsewhere"
    shop.photos.rename(moved)
    shop.photos = moved
    result = shop.run("--json")
    assert result.code == 0
    assert result.json["photos"]["skipped"] == 2
    assert len(shop.creates()) == 2


@pytest.mark.slow
def test_a_file_the_ledger_does_not_know_is_left_alone(shop: Shop):
    """The photo is skipped, nothing is paid; --force pays and replaces."""
    shop.photo("a.png")
    shop.output.mkdir()
    (shop.output / "a.png").write_bytes(b"mine")
    result = shop.run("--json")
    assert result.code == 0
    assert result.json["photos"]["skipped"] == 1
    assert not shop.creates()
    assert (shop.output / "a.png").read_bytes() == b"mine"
    assert shop.run("--force").code == 0
    assert len(shop.creates()) == 1
    with Image.open(shop.output / "a.png") as picture:
        picture.load()


@pytest.mark.slow
def test_the_background_map_overrides_the_policy(shop: Shop):
    """By glob; "transparent" is no background; a mistake names the line."""
    shop.photo("mugs/a.png")
    shop.photo("b.png")
    shop.background("one.png")
    shop.background("two.png")
    table = shop.folder / "map.csv"
    table.write_text("photo,background\nmugs/*,two.png\n# the rest\nb.*,transparent\n")
    assert shop.run("--background-map", str(table)).code == 0
    assert {job["photo"]: job["background"] for job in shop.jobs()} == {"mugs/a.png": "two.png", "b.png": None}
    table.write_text("*.png,tow.png\n")
    refused = shop.do("plan", "--background-map", str(table))
    assert refused.code == 2
    assert "line 1" in refused.err
    assert "two.png" in refused.err


@pytest.mark.parametrize(
    ("policy", "treatment", "skipped"),
    rest_slow([("fit", "fit", 0), ("accept", "as-is", 0), ("transparent", "none", 0), ("skip", None, 1)]),
)
def test_a_background_of_another_shape(shop: Shop, policy: str, treatment: str | None, skipped: int):
    """Cropped to fit, sent as it is, left away, or the photo is left out, as on_mismatch says."""
    shop.photo("wide.png", size=(200, 50))
    shop.background("square.png", size=(64, 64))
    result = shop.run("--json", "--on-mismatch", policy)
    assert result.code == 0
    assert result.json["photos"]["skipped"] == skipped
    exported = [json.loads(line) for line in shop.do("ledger export").out.splitlines()]
    assert [row["treatment"] for row in exported] == ([treatment] if treatment else [])


@pytest.mark.slow
def test_a_saved_plan_is_done_just_so(shop: Shop):
    """Photos that came later are left out; one that has changed is refused."""
    shop.some_photos(3)
    shop.background("one.png")
    saved = shop.folder / "plan.jsonl"
    assert shop.do("plan", "--save", str(saved)).code == 0
    shop.photo("later.png")
    shop.photo("photo-001.png")  # other content
    result = shop.run("--json", "--plan", str(saved))
    assert result.json["jobs"]["done"] == 2
    assert result.json["photos"] == {"seen": 3, "rejected": 0, "reused": 0, "skipped": 1, "ignored": 0}
    assert {job["photo"] for job in shop.jobs()} == {"photo-000.png", "photo-002.png"}


@pytest.mark.slow
def test_only_the_photos_that_are_named(shop: Shop):
    """--files-from, with line ends or NULs; a name that is not there is counted."""
    shop.some_photos(3)
    shop.photo("odd\nname.png")
    names = shop.folder / "names"
    names.write_bytes(b"photo-001.png\nmissing.png\n")
    assert shop.run("--json", "--files-from", str(names)).json["photos"]["seen"] == 2
    names.write_bytes(b"odd\nname.png\0")
    assert shop.run("--files-from", str(names), "--null").code == 0
    assert {job["photo"] for job in shop.jobs()} == {"photo-001.png", "odd\nname.png"}


@pytest.mark.slow
def test_names_that_no_encoding_can_read(shop: Shop):
    """Bytes that are no text are kept, byte for byte."""
    raw = os.fsencode(shop.photos) + b"/caf\xe9.png"
    Image.new("RGB", (8, 8)).save(os.fsdecode(raw))
    assert shop.run().code == 0
    saved = os.listdir(os.fsencode(shop.output))  # noqa: PTH208 - bytes are wanted
    assert set(saved) - {os.fsencode(marks.NAME)} == {b"caf\xe9.png"}
    assert shop.run("--json").json["photos"]["skipped"] == 1
    assert shop.do("status").code == 0
    assert shop.do("jobs").code == 0


@pytest.mark.slow
def test_portable_names_are_valid_on_windows(shop: Shop):
    """Device names, forbidden characters, trailing dots; the ledger still knows which photo it was."""
    shop.photo("CON.png")
    shop.photo("what?.png")
    shop.photo("dir. /a.png")
    assert shop.run("--portable-names").code == 0
    for name in shop.outputs():
        for part in name.split("/"):
            assert part == part.rstrip(". ")
            assert not set(part) & set('<>:"\\|?*')
            assert part.split(".")[0].upper() != "CON"
    assert shop.run("--portable-names", "--json").json["photos"]["skipped"] == 3
    assert len(shop.creates()) == 3


def test_a_changed_photo_is_new_work_and_replaces_its_result(shop: Shop):
    """The plan says so, with its cost."""
    shop.photo("a.png")
    shop.run()
    first = (shop.output / "a.png").read_bytes()
    shop.photo("a.png")
    planned = shop.do("plan")
    assert "1 new job, 5 credits" in planned.out
    assert "1 of them for photos that were done before and have changed" in planned.out
    assert shop.run().code == 0
    assert (shop.output / "a.png").read_bytes() != first
    assert len(shop.creates()) == 2


@pytest.mark.slow
def test_new_backgrounds_make_no_new_work(shop: Shop):
    """Done is done, whatever pairing would choose today; the plan says how many are on another background."""
    shop.photo("a.png", size=(60, 40))
    shop.background("far.png", size=(66, 43))
    shop.run()
    shop.background("near.png", size=(60, 40))
    result = shop.do("plan")
    assert "0 new jobs" in result.out
    assert "1 of these done with another background" in result.out
    assert shop.run().code == 0
    assert len(shop.creates()) == 1


def test_a_pilot_tries_a_few_writes_the_report_and_stops(shop: Shop):
    """Its results count as done; off a terminal nobody is asked, and the rest remains."""
    for folder in ("mugs", "bowls"):
        for index in range(4):
            shop.photo(f"{folder}/{index}.png")
    result = shop.run("--json", "--pilot", "2", "--yes")
    assert result.code == 8, result.err
    assert {name.split("/")[0] for name in shop.outputs() if name.endswith(".png")} == {"mugs", "bowls"}
    assert (shop.output / "report.html").exists()
    assert result.json["jobs"]["done"] == 2
    assert result.json["jobs"]["planned"] == 6
    assert shop.run().code == 0
    assert len(shop.creates()) == 8
