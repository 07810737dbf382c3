"""Uploads: each content once, whether or not the ledger remembers it yet."""

from collections.abc import Callable
from typing import Any

import pytest

from batchbg.errors import LedgerError
from batchbg.ledger import assets
from batchbg.ledger.transaction import Tx
from batchbg.pool.decode_limit import DecodeLimit
from batchbg.pool.outage import Outage
from batchbg.pool.uploads import Uploads
from tests.ledger.support import ACCOUNT
from tests.pool.bench import Bench, soon


@pytest.fixture
def uploads(bench: Bench) -> Uploads:
    return Uploads(bench.session(), Outage(bench.stop, 600.0), DecodeLimit())


def remembered(bench: Bench, recipe: str) -> str | None:
    with bench.ledger.looking() as connection:
        return assets.find(connection, [ACCOUNT], recipe, 0.0)


async def test_an_upload_is_remembered_with_the_next_commit(bench: Bench, uploads: Uploads):
    """Nobody waits for it, and whoever needs the same file meanwhile has it all the same."""
    job = bench.photo_job()
    first, _ = await soon(uploads.assets_for(job))
    again, _ = await soon(uploads.assets_for(job))
    assert first == again
    assert first.fresh
    assert remembered(bench, first.recipe) is None
    await bench.settle()
    assert remembered(bench, first.recipe) == first.file_path
    later, _ = await soon(uploads.assets_for(job))
    assert not later.fresh
    assert bench.api.count("put") == 1


async def test_an_upload_that_cannot_be_remembered_is_made_again(
    bench: Bench, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
):
    """It costs nothing but time, and what is told to all of a commit is told to who waits for it."""

    def refuse(*_: Any) -> None:
        raise LedgerError("disk full")

    keep: Callable[..., None] = assets.uploaded
    monkeypatch.setattr(assets, "uploaded", refuse)
    job = bench.photo_job()
    await soon(uploads.assets_for(job))

    def other(tx: Tx) -> None:
        """What somebody waits for."""

    with pytest.raises(LedgerError, match="disk full"):
        await soon(bench.writer.do(other))
    monkeypatch.setattr(assets, "uploaded", keep)
    again, _ = await soon(uploads.assets_for(job))
    await bench.settle()
    assert remembered(bench, again.recipe) == again.file_path
    assert bench.api.count("put") == 2
