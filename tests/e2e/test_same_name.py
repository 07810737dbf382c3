"""Folders of real shops: one picture in two files, files that are left out, and pictures under other names."""

from pathlib import Path

import pytest
from PIL import Image

from tests.support.shop import Shop
from tests.support.tiers import rest_slow

RAW = b"II*\0\x10\0\0\0CR\x02\0" + bytes(200)
"""How the raw file of a Canon begins."""


def raw(shop: Shop, path: str) -> Path:
    (shop.photos / path).write_bytes(RAW)
    return shop.photos / path


def master(shop: Shop, path: str, of: str = "", size: tuple[int, int] = (128, 96)) -> Path:
    """Write a TIFF of its own content, or of another photo's."""
    if not of:
        return shop.photo(path, size)
    Image.open(shop.photos / of).resize(size).save(shop.photos / path)
    return shop.photos / path


# -- raw and JPEG ---------------------------------------------------------------------------------------------------


def test_a_raw_beside_its_jpeg_is_one_photo_and_no_reject(shop: Shop):
    """The raw is counted among what is ignored, and said in one line for all; the exit code is that of success."""
    for number in (1, 2, 3):
        shop.photo(f"IMG_{number}.JPG", colour=number << 22)
        raw(shop, f"IMG_{number}.CR2")
    raw(shop, "img_3.NEF")  # case makes no difference on some disks
    planned = shop.do("plan")
    assert planned.code == 0, planned
    assert "3 photos: 3 new jobs" in planned.out
    assert planned.out.count("camera raw") == 2  # the line, and the count by reason
    assert "4 camera raws or Photoshop files beside a picture of the same name" in planned.out
    result = shop.run("--json")
    assert result.code == 0, result
    assert result.json["photos"] == {"seen": 3, "rejected": 0, "reused": 0, "skipped": 0, "ignored": 4}
    assert result.err.count("camera raw") == 1
    assert "camera raw" not in shop.run().err  # nothing is paid for any more, and so there is no news


@pytest.mark.slow
def test_a_raw_by_itself_is_rejected(shop: Shop):
    """So is one whose JPEG lies in another folder, has another name, or is filtered out."""
    shop.photo("a.jpg")
    shop.photo("sub/b.jpg")
    raw(shop, "b.CR2")
    result = shop.run("--json")
    assert (result.code, result.json["photos"]["rejected"]) == (3, 1)
    assert "develop it to JPEG" in result.err
    raw(shop, "a.NEF")
    assert shop.do("plan", "--exclude", "*.jpg", "--json").json["photos"]["rejected"] == 2


@pytest.mark.slow
def test_a_raw_that_was_rejected_is_forgotten_when_its_jpeg_arrives(shop: Shop):
    raw(shop, "a.CR2")
    assert shop.run().code == 3
    shop.photo("a.jpg")
    assert shop.run("--strict").code == 0
    assert shop.do("jobs", "--state", "rejected").out == ""


# -- conflicts of a sync ----------------------------------------------------------------------------------------------


def test_the_version_that_lost_a_conflict_is_not_paid_for(shop: Shop):
    """Whichever program kept it; where nothing has the file's own name, it is the photo."""
    shop.photo("a.png")
    lost = [
        "a (conflicted copy 2024-05-01 101500).png",
        "a (Anna's conflicted copy 2024-05-01).png",
        "a [conflicted].png",
        "a.sync-conflict-20240501-101500-ABCDEF2.png",
        "a_conflict-20240501-101500.png",
    ]
    for name in (*lost, "alone (conflicted copy 2024-05-01 101500).png", "a conflict.png"):
        shop.photo(name)
    found = shop.do("plan", "--json").json
    assert found["ignored"] == {"the version that lost a sync's conflict": len(lost)}
    assert found["jobs"]["new"] == 3
    assert "5 versions that lost a sync's conflict: ignored" in shop.do("plan").out
    (shop.folder / "list.txt").write_text(lost[0])  # a person means it
    assert shop.do("plan", "--json", "--files-from", "list.txt").json["jobs"]["new"] == 1


# -- master and export ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "sent"),
    rest_slow([((), ["a.jpg"]), (("--prefer", "tiff"), ["a.tif"]), (("--prefer", "both"), ["a.jpg", "a.tif"])]),
)
def test_a_master_and_its_export_are_paid_for_once(shop: Shop, given: tuple[str, ...], sent: list[str]):
    """A TIFF and a JPEG of one name and one shape; said before anything is paid for, and in every later run the same."""
    shop.photo("a.jpg")
    master(shop, "a.tif", of="a.jpg")
    planned = shop.do("plan", *given)
    assert (f"1 skipped: a {'TIFF' if not given else 'JPEG'} beside a" in planned.out) == (len(sent) == 1), planned
    for _ in range(2):
        result = shop.run("--json", *given)
        assert result.code == 0, result
        assert result.json["photos"]["seen"] == 2
    assert sorted(job["photo"].rpartition("/")[2] for job in shop.jobs()) == sent
    assert len(shop.creates()) == len(sent)


def test_what_is_left_out_is_said_before_it_is_paid(shop: Shop):
    """The first create finds it said already, where a person is asked or there is a cap."""
    shop.photo("a.jpg")
    master(shop, "a.tif", of="a.jpg")
    result = shop.run("--max-credits", "0")
    assert "1 skipped: a TIFF beside a JPEG of the same name and shape (prefer = jpeg)" in result.err
    assert not shop.creates()


@pytest.mark.slow
def test_photos_of_one_name_may_be_different_pictures(shop: Shop):
    """Other formats, another shape, another folder: each is paid for."""
    shop.photo("shop.jpg")
    shop.photo("shop.png")
    shop.photo("cut.jpg", size=(64, 48))
    master(shop, "cut.tif", size=(48, 64))
    shop.photo("far.jpg")
    (shop.photos / "sub").mkdir()
    master(shop, "sub/far.tif")
    assert shop.run().code == 0
    assert len(shop.creates()) == 6


@pytest.mark.slow
def test_the_second_of_two_is_not_paid_for_when_it_comes_later(shop: Shop):
    """Whichever was first, also into another folder of results; a changed one that was paid for is new work."""
    master(shop, "a.tif")
    assert shop.run().code == 0
    shop.photo("a.jpg")
    assert "is done or under way" in shop.do("plan").out
    assert shop.run().code == 0
    shop.output = shop.folder / "elsewhere"
    assert shop.run().code == 0
    assert (len(shop.creates()), shop.outputs()) == (1, ["a.png"])
    master(shop, "a.tif")
    assert shop.run().code == 0
    assert [job["photo"].rpartition("/")[2] for job in shop.jobs()] == ["a.tif", "a.tif"]


def test_a_master_goes_where_its_export_cannot(shop: Shop):
    master(shop, "a.tif")
    (shop.photos / "a.jpg").write_bytes(b"\xff\xd8\xff spoilt")
    result = shop.run("--json")
    assert (result.code, result.json["jobs"]["done"], result.json["photos"]["rejected"]) == (3, 1, 1)


@pytest.mark.slow
def test_a_saved_plan_does_just_what_it_says(shop: Shop):
    """Whatever is preferred when it is carried out."""
    shop.photo("a.jpg")
    master(shop, "a.tif", of="a.jpg")
    assert shop.do("plan", "--prefer", "both", "--save", "plan.jsonl").code == 0
    assert shop.run("--plan", "plan.jsonl").code == 0
    assert len(shop.creates()) == 2


# -- what is ignored ----------------------------------------------------------------------------------------------


def test_ignored_files_are_listed_with_their_reasons(shop: Shop):
    """With -v a line each; without it they are counted by reason, for programs too."""
    shop.photo("a.jpg")
    shop.photo("drafts/b.jpg")
    for name in (".hidden.jpg", "a.jpg~", "a.THM", "c.jpg.crdownload", "notes.txt", "Thumbs.db"):
        (shop.photos / name).write_bytes(b"x")
    for name in ("#recycle", "#snapshot", "x.photoslibrary/resources", "x.lrdata"):
        (shop.photos / name).mkdir(parents=True)
    raw(shop, "a.CR2")
    reasons = {
        ".hidden.jpg": "hidden",
        "a.jpg~": "an older version",
        "a.THM": "a thumbnail",
        "c.jpg.crdownload": "a download that is not whole",
        "notes.txt": "no picture",
        "Thumbs.db": "left behind by a system",
        "#recycle": "a recycle bin",
        "#snapshot": "a snapshot",
        "x.photoslibrary/resources": "copies that a program made",
        "x.lrdata": "copies that a program made",
        "drafts/b.jpg": "filtered out",
        "a.CR2": "a camera raw or Photoshop file beside a picture of its name",
    }
    told = shop.do("plan", "-v", "--exclude", "drafts/").out
    for path, reason in reasons.items():
        assert f"ignore  {path}  {reason}\n" in told
    found = shop.do("plan", "--json", "--exclude", "drafts/").json
    assert found["ignored"] == {reason: list(reasons.values()).count(reason) for reason in reasons.values()}
    assert found["photos"] == {"seen": 1, "rejected": 0, "reused": 0, "skipped": 0, "ignored": len(reasons)}
    plain = shop.do("plan", "--exclude", "drafts/").out
    assert "12 files ignored: copies that a program made (2), " in plain
    assert "; -v lists them" in plain
    assert "notes.txt" not in plain


# -- pictures under other names -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_pictures_under_names_of_other_things_are_counted_and_not_paid_for(shop: Shop):
    """Said once, by plan and by a run that pays for others; a person who names one means it."""
    shop.photo("a.jpg")
    shop.photo("IMG_1.jpg").rename(shop.photos / "IMG_1.jpg.bak")
    shop.photo("photo.png").rename(shop.photos / "photo.dat")
    shop.photo("no-ending.png").rename(shop.photos / "no-ending")  # says nothing else, and is a picture
    shop.photo("mug 12.30.png").rename(shop.photos / "mug 12.30")
    said = "2 files hold pictures under names that are not a picture's: IMG_1.jpg.bak, photo.dat: ignored"
    planned = shop.do("plan")
    assert planned.code == 0
    assert planned.out.count(said) == 1
    assert "3 photos: 3 new jobs" in planned.out
    result = shop.run("--json")
    assert result.err.count(said) == 1
    assert result.json["photos"] | {"seen": 3, "ignored": 2} == result.json["photos"]
    assert said not in shop.run().err
    assert len(shop.creates()) == 3
    (shop.folder / "list.txt").write_text("photo.dat\n")
    assert shop.run("--files-from", "list.txt", "--yes").code == 0
    assert len(shop.creates()) == 4
    shop.photo("photo.png").rename(shop.photos / "photo.dat")  # changed, and a photo from then on
    assert shop.run("--json").json["photos"]["ignored"] == 1
    assert len(shop.creates()) == 5
