"""The ledger in the hands of somebody careless: deleted, replaced, copied, cut, used twice. Nothing is paid twice."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop


def files(shop: Shop) -> list[Path]:
    """The ledger's files."""
    return [path for end in ("", "-wal", "-shm") if (path := shop.folder / f"batchbg.db{end}").exists()]


def paid_twice(shop: Shop) -> int:
    paid = [create.image_sha256 for create in shop.creates() if create.credits_charged]
    return len(paid) - len(set(paid))


def delete(shop: Shop) -> None:
    for path in files(shop):
        path.unlink()


def delete_database(shop: Shop) -> None:
    (shop.folder / "batchbg.db").unlink()


def delete_log(shop: Shop) -> None:
    (shop.folder / "batchbg.db-wal").unlink()


def cut_log(shop: Shop) -> None:
    log = shop.folder / "batchbg.db-wal"
    os.truncate(log, log.stat().st_size // 2)


def put_older_in_its_place(shop: Shop) -> None:
    shutil.copy(shop.folder / "older.db", shop.folder / "new.db")
    (shop.folder / "new.db").replace(shop.folder / "batchbg.db")


def overwrite_with_older(shop: Shop) -> None:
    shutil.copyfile(shop.folder / "older.db", shop.folder / "batchbg.db")


def link(shop: Shop) -> None:
    (shop.folder / "second.db").hardlink_to(shop.folder / "batchbg.db")


@pytest.mark.parametrize(
    "blow", [delete, delete_database, delete_log, cut_log, put_older_in_its_place, overwrite_with_older, link]
)
def test_no_create_leaves_once_the_ledger_is_not_the_one_at_its_path(shop: Shop, blow: Callable[[Shop], None]):
    """Exit 5, what is paid for is collected, and every project that nobody knows of any more is named.

    A log that is cut takes with it what says which results are wanted: those are named alone.
    """
    shop.some_photos(2)
    assert shop.run().code == 0
    shutil.copy(shop.folder / "batchbg.db", shop.folder / "older.db")
    shop.some_photos_more(10)
    shop.meanwhile("create", lambda: blow(shop), nth=3)
    result = shop.run("--max-in-flight", "2")
    assert result.code == 5, result.err
    creates = shop.creates()
    assert 4 <= len(creates) <= 7
    assert "batchbg.db" in result.err + result.out
    assert blow is cut_log or len(list(shop.output.glob("*.png"))) == len(creates)
    for create in creates:
        assert create.project_id in result.err, result.err
