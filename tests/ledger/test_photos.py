"""Fingerprints: what probing found, kept for files that are as they were."""

import dataclasses

import pytest

from batchbg.core.model import PhotoInfo, Size, Stamp
from batchbg.ledger import folders, outputs, photos, runs
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx

from .support import plan_one

GOOD = PhotoInfo(Stamp(10, 20, 30, 40), "ab", Size(4, 3), "png", "", "", "look")
BAD = PhotoInfo(Stamp(10, 20, 30, 40), "", None, "", "", "torn")


@pytest.fixture
def ledger(emptied):
    return emptied


def remember(ledger: Ledger, infos: dict[str, PhotoInfo], root: str = "photos") -> dict[str, PhotoInfo]:
    with ledger.transaction("run") as tx:
        return photos.remember(tx, folders.id_of(tx, root), infos)


def infos(ledger: Ledger, *paths: str, root: str = "photos") -> dict[str, PhotoInfo]:
    with ledger.transaction() as tx:
        return photos.infos_of(tx.connection, folders.id_of(tx, root), paths)


def test_what_was_found_is_found_again(ledger):
    """By its path below its root; more files than one statement takes."""
    many = {f"{n}.png": dataclasses.replace(GOOD, sha256=f"{n}", picture=f"look {n}") for n in range(1100)}
    remember(ledger, many)
    found = infos(ledger, *many, "missing.png")
    assert found == {path: dataclasses.replace(info, key=info.sha256) for path, info in many.items()}
    with ledger.reading() as connection:
        assert photos.info_of(connection, "photos", "7.png") == found["7.png"]
        assert photos.info_of(connection, "elsewhere", "7.png") is None


def test_files_of_one_picture_share_the_key_of_the_first(ledger):
    """In one batch and in a later one; a file whose picture is not known has none."""
    first, second = GOOD, dataclasses.replace(GOOD, sha256="rated")
    assert [one.key for one in remember(ledger, {"a.png": first, "b.png": second}).values()] == ["ab", "ab"]
    third = remember(ledger, {"c.png": dataclasses.replace(GOOD, sha256="moved"), "torn.png": BAD})
    assert (third["c.png"].key, third["torn.png"].key) == ("ab", "")
    assert third["c.png"].contents == ("ab", "moved")


def test_what_is_found_anew_takes_the_place_of_what_was(ledger):
    """All of it; and what is forgotten is gone, below its root alone."""
    remember(ledger, {"a.png": BAD})
    remember(ledger, {"a.png": BAD}, root="others")
    remember(ledger, {"a.png": GOOD})
    assert infos(ledger, "a.png") == {"a.png": dataclasses.replace(GOOD, key="ab")}
    with ledger.transaction() as tx:
        photos.forget(tx, folders.id_of(tx, "photos"), ["a.png"])
    assert infos(ledger, "a.png") == {}
    assert infos(ledger, "a.png", root="others") == {"a.png": BAD}
    assert remember(ledger, {}) == {}


def newly_rejected(ledger: Ledger, run_id: str, *paths: str) -> int:
    with ledger.transaction(run_id) as tx:
        return len(photos.newly_rejected(tx, folders.id_of(tx, "photos"), paths))


def begin(ledger: Ledger) -> str:
    with ledger.transaction() as tx:
        return runs.begin(tx, "run", "https://api.example", None).id


def end(ledger: Ledger, run_id: str) -> None:
    with ledger.transaction(run_id) as tx:
        runs.end(tx, 3)


def test_a_rejection_is_told_once(ledger):
    """By the first run that came to its end: a killed one has told nobody."""
    remember(ledger, {"a.png": BAD, "b.png": BAD})
    killed = begin(ledger)
    assert newly_rejected(ledger, killed, "a.png") == 1
    second = begin(ledger)
    assert newly_rejected(ledger, second, "a.png", "b.png") == 2
    assert newly_rejected(ledger, second, "a.png", "b.png") == 0
    end(ledger, second)
    assert newly_rejected(ledger, begin(ledger), "a.png", "b.png") == 0


@pytest.mark.parametrize(
    ("now", "is_told_again"),
    [
        (dataclasses.replace(BAD, stamp=BAD.stamp._replace(ctime_ns=41)), False),
        (dataclasses.replace(BAD, stamp=BAD.stamp._replace(mtime_ns=21)), True),
        (dataclasses.replace(BAD, stamp=BAD.stamp._replace(inode=31)), False),
        (dataclasses.replace(BAD, stamp=BAD.stamp._replace(inode=31, ctime_ns=41)), True),
        (dataclasses.replace(BAD, stamp=BAD.stamp._replace(size=11)), True),
        (dataclasses.replace(BAD, rejected="empty"), True),
    ],
)
def test_a_rejection_is_told_again_where_the_file_or_the_reason_is_another(ledger, now, is_told_again):
    """New rights make no other file, nor does a number that the disk gave anew."""
    remember(ledger, {"a.png": BAD})
    first = begin(ledger)
    newly_rejected(ledger, first, "a.png")
    end(ledger, first)
    remember(ledger, {"a.png": now})
    assert newly_rejected(ledger, begin(ledger), "a.png") == is_told_again
    assert infos(ledger, "a.png") == {"a.png": now}


def test_a_result_that_cannot_be_saved_is_a_rejection_until_it_can(ledger):
    """Listed with the others, by root and path."""
    remember(ledger, {"a.png": GOOD, "torn.png": BAD})
    with ledger.transaction("run") as tx:
        root = folders.id_of(tx, "photos")
        photos.refuse(tx, root, {"a.png": "name too long"})
        assert list(photos.rejected(tx.connection)) == [
            ("photos", "a.png", "name too long"),
            ("photos", "torn.png", "torn"),
        ]
        photos.refuse(tx, root, {"a.png": ""})
        photos.refuse(tx, root, {})
        assert list(photos.rejected(tx.connection)) == [("photos", "torn.png", "torn")]


def done(tx: Tx, path: str, background: str = "") -> None:
    """Let a photo's result be on disk."""
    job_id = plan_one(tx, path, content=path, background=background)
    (output,) = outputs.wanting(tx.connection, job_id)
    outputs.saved(tx, output.id, job_id, "ab", "result", 9)


def known(ledger: Ledger, folder: str, *, deep: bool = False, paired: bool = False) -> list[tuple[object, ...]]:
    with ledger.transaction() as tx:
        roots = folders.id_of(tx, "photos"), folders.id_of(tx, "output")
        found = photos.known_photos(tx.connection, *roots, folder, deep=deep, paired=paired)
        return sorted(tuple(row) for some in found for row in some)


def test_the_photos_of_one_folder_are_known_with_their_results(ledger):
    """Those of other folders are not read, nor subfolders' where there are some; names that are no text are names."""
    paths = ["a.png", "b.png", "sub/c.png", "sub/\udcff.png", "sub/deeper/d.png", "subs/e.png"]
    remember(ledger, dict.fromkeys(paths, GOOD))
    with ledger.transaction("run") as tx:
        done(tx, "a.png", background="cd")
        done(tx, "sub/\udcff.png")
    stamp = tuple(GOOD.stamp)
    assert known(ledger, "") == [("a.png", *stamp, "a.png.png"), ("b.png", *stamp, None)]
    inside = [("sub/c.png", *stamp, None), ("sub/\udcff.png", *stamp, "sub/\udcff.png.png")]
    assert known(ledger, "sub", deep=True) == inside
    assert known(ledger, "sub") == sorted([*inside, ("sub/deeper/d.png", *stamp, None)])
    assert known(ledger, "", paired=True)[0] == ("a.png", *stamp, "a.png.png", 4, 3, "ab", "cd")


@pytest.mark.parametrize("change", ["another content", "an older version's look", "wants another job"])
def test_a_result_counts_as_the_photo_s_where_it_is_of_what_it_shows_now(ledger, change):
    """Anything else has to be looked at."""
    remember(ledger, {"a.png": GOOD})
    with ledger.transaction("run") as tx:
        done(tx, "a.png")
    assert known(ledger, "")[0][5] == "a.png.png"
    if change == "another content":
        remember(ledger, {"a.png": dataclasses.replace(GOOD, sha256="other", picture="other")})
    elif change == "an older version's look":
        remember(ledger, {"a.png": dataclasses.replace(GOOD, picture="")})
    else:
        with ledger.transaction("run") as tx:
            plan_one(tx, "a.png", content="more")
    assert known(ledger, "")[0][5] is None
