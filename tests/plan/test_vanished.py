import shutil

import pytest

from batchbg.errors import DiskError
from tests.plan.support import Desk


def some_photos(desk: Desk) -> None:
    for index, path in enumerate(("a.png", "b.png", "c/1.png", "c/2.png")):
        desk.photo(path, index + 1)
    assert desk.plan().new == 4


def test_a_disk_that_is_not_mounted_is_not_a_folder_whose_photos_are_gone(desk: Desk):
    """Exit 5, and when it is back nothing has to be opened again."""
    some_photos(desk)
    away = desk.photos.rename(desk.folder / "away")
    desk.photos.mkdir()
    with pytest.raises(DiskError, match="holds none of the 2 photos that were in it; is its disk mounted"):
        desk.plan()
    desk.photos.rmdir()
    away.rename(desk.photos)
    assert (desk.plan().taken_up, desk.opened) == (4, 0)


def test_a_photo_that_is_gone_is_forgotten_where_others_are_there(desk: Desk):
    """When it comes back it is opened; its job has waited for it."""
    some_photos(desk)
    kept = (desk.photos / "a.png").rename(desk.folder / "kept.png")
    assert (desk.plan().taken_up, desk.opened) == (3, 0)
    kept.rename(desk.photos / "a.png")
    assert (desk.plan().taken_up, desk.opened) == (4, 1)


def test_photos_above_the_first_that_is_there_are_forgotten_with_it(desk: Desk):
    """Whether a disk is there is known as soon as one photo is seen on it."""
    some_photos(desk)
    for name in ("a.png", "b.png"):
        shutil.copy2(desk.photos / name, desk.folder / name)
        (desk.photos / name).unlink()
    assert (desk.plan().taken_up, desk.opened) == (2, 0)
    for name in ("a.png", "b.png"):
        (desk.folder / name).rename(desk.photos / name)
    assert (desk.plan().taken_up, desk.opened) == (4, 2)


def test_a_photo_that_is_left_out_by_a_pattern_is_not_forgotten(desk: Desk):
    """It is there."""
    some_photos(desk)
    assert (desk.plan(exclude=("a.png",)).taken_up, desk.opened) == (3, 0)
    assert (desk.plan().taken_up, desk.opened) == (4, 0)
