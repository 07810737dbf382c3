"""Commands that only look need not be able to write."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support.shop import Shop
from tests.support.tiers import rest_slow


@pytest.fixture
def closed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop whose ledger and its folder cannot be written; whoever runs the tests may be root, who can do anything."""
    access = os.access

    def refuse(path: str | Path, mode: int, **options: bool) -> bool:
        return not (mode & os.W_OK and Path(path) in (shop.folder, shop.folder / "batchbg.db")) and access(
            path, mode, **options
        )

    monkeypatch.setattr(os, "access", refuse)
    return shop


def beside(shop: Shop) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shop.folder.glob("batchbg.db*") if not path.name.endswith("-shm")}


@pytest.mark.parametrize("killed", rest_slow([False, True]))
def test_what_only_looks_leaves_a_ledger_that_it_cannot_write_as_it_is(closed: Shop, killed: bool):
    """Also one whose run was killed, so that its last commits are in the log."""
    closed.some_photos(3)
    if killed:
        closed.faults.add("create", "hang", seconds=60, nth=2)
        process = closed.spawn("run", "--max-in-flight", "1")
        closed.wait_for(lambda: len(closed.creates()) == 2)
        process.kill()
        process.communicate()
        assert (closed.folder / "batchbg.db-wal").stat().st_size
    else:
        assert closed.run().code == 0
    before = beside(closed)
    assert sum(closed.status()["jobs"].values()) == 3
    assert len(closed.jobs()) == 3
    for command in ("audit", "ledger check", "ledger timezone", "ledger clock"):
        assert closed.do(command).code in (0, 3), command
    assert len(closed.do("ledger export").out.splitlines()) == 3
    page = closed.folder.parent / f"{closed.folder.name}.html"
    assert closed.do("report", "-o", str(page)).code == 0
    assert "photo-000.png" in page.read_text()
    page.unlink()
    assert beside(closed) == before


def test_a_log_without_its_index_is_read_beside_a_copy(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As on a read-only disk, where no index can be made."""
    from batchbg.ledger import sqlite
    from batchbg.ledger.engine import open_ledger

    shop.some_photos(2)
    assert shop.run("--max-files", "1").code == 8
    ledger = open_ledger(shop.ledger)
    with ledger.transaction("x"):
        pass
    (tmp_path / "away").mkdir()
    for end in ("", "-wal"):
        shutil.copy(shop.folder / f"batchbg.db{end}", tmp_path / "away")
    ledger.close()

    def refuse(*_: object) -> None:
        import sqlite3

        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite, "_back_up", refuse)
    sqlite.copy_to(tmp_path / "away" / "batchbg.db", tmp_path / "away" / "copy.db")
    assert (tmp_path / "away" / "copy.db").read_bytes() == (tmp_path / "away" / "batchbg.db").read_bytes()
    assert (tmp_path / "away" / "copy.db-wal").exists()


def test_a_plan_without_room_for_its_copy_says_where(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """The ledger is well; there is no folder for temporary files, or too little room in it."""
    from batchbg.ledger import sqlite

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shop.some_photos(1)
    assert shop.run("--max-files", "0").code == 8
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_back_up", full)
        result = shop.do("plan")
    assert (result.code, "no room for a copy of the ledger" in result.err) == (5, True), result
    monkeypatch.setattr(tempfile, "_get_default_tempdir", lambda: full())
    monkeypatch.setattr(tempfile, "tempdir", None)
    result = shop.do("plan")
    assert (result.code, "TMPDIR" in result.err) == (5, True), result
