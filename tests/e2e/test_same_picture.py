"""The same picture is paid for once, whatever else a program writes into its file."""

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.support.shop import Shop


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


def test_a_planned_photo_that_is_rated_before_it_is_sent_goes_up_as_it_is_now(shop: Shop):
    """What is sent is hashed as it is sent, and the job goes on."""
    shop.photo("a.png")
    rated = shop.photo("b.png")
    assert shop.run("--max-credits", "5").code == 8
    rate(rated, 4)
    assert shop.run("--max-credits", "100").code == 0
    assert len(shop.creates()) == 2
    shop.assert_adds_up()


@pytest.mark.parametrize("change", ["a pixel", "its orientation"])
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
