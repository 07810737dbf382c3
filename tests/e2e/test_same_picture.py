"""The same picture is paid for once, whatever else a program writes into its file."""

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.support.shop import Shop
from tests.support.tiers import rest_slow


def rate(path: Path, stars: int) -> None:
    """Write a rating into a PNG, as a photo library does; the pixels stay what they are."""
    with Image.open(path) as picture:
        text = PngImagePlugin.PngInfo()
        text.add_text("Rating", str(stars))
        picture.load()
        picture.save(path, pnginfo=text)


def rate_jpeg(path: Path) -> None:
    """Put a comment into a JPEG without touching its picture."""
    data = path.read_bytes()
    comment = b"five stars"
    path.write_bytes(data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:])


def test_a_rating_makes_no_new_picture(shop: Shop):
    """Nor does a second one; the result is done, in this run and the next."""
    png, jpeg = shop.photo("a.png"), shop.photo("b.jpg")
    assert shop.run().code == 0
    for stars in (3, 5):
        rate(png, stars)
        rate_jpeg(jpeg)
        again = shop.run("--json")
        assert again.code == 0
        assert again.json["photos"] | {"seen": 2, "skipped": 2} == again.json["photos"]
    assert len(shop.creates()) == 2
    shop.assert_adds_up()


def test_two_files_of_one_picture_are_paid_for_once(shop: Shop):
    """The other one gets a copy, whichever has the rating."""
    first, second = shop.photo("a.png", colour=5), shop.photo("b.png", colour=5)
    rate(first, 1)
    rate(second, 2)
    result = shop.run("--json")
    assert (result.code, len(shop.creates()), len(shop.outputs())) == (0, 1, 2)
    assert result.json["photos"]["reused"] == 1


@pytest.mark.slow
def test_a_planned_photo_that_is_rated_before_it_is_sent_goes_up_as_it_is_now(shop: Shop):
    """What is sent is hashed as it is sent, and the job goes on."""
    shop.photo("a.png")
    rated = shop.photo("b.png")
    assert shop.run("--max-credits", "5").code == 8
    rate(rated, 4)
    assert shop.run("--max-credits", "100").code == 0
    assert len(shop.creates()) == 2
    shop.assert_adds_up()


@pytest.mark.slow
@pytest.mark.parametrize("change", rest_slow(["a pixel", "its orientation"]))
def test_a_changed_look_is_a_new_picture(shop: Shop, change: str):
    """An edit, or a turn."""
    path = shop.photo("a.jpg", (64, 48), quality=95)
    assert shop.run().code == 0
    with Image.open(path) as picture:
        edited = picture.copy()
    if change == "a pixel":
        edited.paste(0xFFFFFF, (10, 10, 30, 30))
        edited.save(path, quality=95)
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        edited.save(path, quality="keep" if edited.format == "JPEG" else 95, exif=exif)
    shop.run("--json")
    assert len(shop.creates()) == 2


@pytest.mark.slow
def test_what_an_older_ledger_knows_stays_known(shop: Shop):
    """Its photos are looked at once more, and from then on a rating makes none of them a new picture."""
    path = shop.photo("a.png")
    assert shop.run().code == 0
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as connection, connection as ledger:
        ledger.execute("UPDATE photos SET picture = '', key = ''")  # as the first version leaves it
        ledger.execute("DELETE FROM pictures")
    assert shop.run().code == 0
    rate(path, 3)
    os.utime(path, (1, 1))
    result = shop.run("--json")
    assert (result.code, result.json["photos"]["skipped"], len(shop.creates())) == (0, 1, 1)


def overwrite(path: Path) -> None:
    """Put another picture into a file under the same size, time and number, as some synchronisers do."""
    told, data = path.stat(), path.read_bytes()
    with path.open("r+b") as file:
        file.seek(len(data) - 300)
        file.write(bytes(255 - byte for byte in data[-300:]))
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    now = path.stat()
    assert (now.st_size, now.st_mtime_ns, now.st_ino) == (told.st_size, told.st_mtime_ns, told.st_ino)
    assert now.st_ctime_ns != told.st_ctime_ns


@pytest.mark.slow
def test_another_picture_under_the_same_size_time_and_number_is_seen(shop: Shop):
    """Some programs set the time back after they have written; the system's own mark of a change they cannot set."""
    path, _ = shop.photo("a.bmp"), shop.photo("b.bmp")
    assert shop.run().code == 0
    overwrite(path)
    again = shop.run("--json")
    assert (again.code, again.json["jobs"]["done"], again.json["photos"]["skipped"]) == (0, 1, 1)
    assert len(shop.creates()) == 3
    shop.assert_adds_up()


@pytest.mark.slow
def test_a_change_of_rights_or_names_costs_nothing(shop: Shop):
    """It is looked at once more, and what is found is kept: the night after, nothing is opened."""
    path, lasting = shop.photo("a.png"), shop.photo("b.png")
    assert shop.run().code == 0
    path.chmod(0o640)
    os.link(lasting, shop.folder / "a second name.png")
    again = shop.run("--json")
    assert (again.code, sum(again.json["jobs"].values()), again.json["photos"]["skipped"]) == (0, 0, 2)
    assert (len(shop.creates()), len(shop.jobs())) == (2, 2)
    assert known_changes(shop) == {"a.png": path.stat().st_ctime_ns, "b.png": lasting.stat().st_ctime_ns}
    shop.assert_adds_up()


def test_a_rejection_is_not_told_again_for_a_change_of_rights(shop: Shop):
    """Exit code 3 speaks of what is new."""
    torn = shop.photos / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff")
    assert shop.run().code == 3
    torn.chmod(0o640)
    assert shop.run().code == 0
    assert known_changes(shop) == {"torn.jpg": torn.stat().st_ctime_ns}


def test_a_change_that_is_not_known_is_not_compared(shop: Shop):
    """A ledger that has no time of change, or a disk that tells none, has every photo opened for nothing otherwise."""
    path = shop.photo("a.bmp")
    assert shop.run().code == 0
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as connection, connection:
        connection.execute("UPDATE photos SET ctime_ns = 0")
    overwrite(path)
    again = shop.run("--json")
    assert (again.code, again.json["photos"]["skipped"], len(shop.creates())) == (0, 1, 1)


def known_changes(shop: Shop) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as connection:
        return dict(connection.execute("SELECT path, ctime_ns FROM photos").fetchall())
