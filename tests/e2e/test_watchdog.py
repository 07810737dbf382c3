"""The event loop goes on whatever the disk and the pictures take."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from batchbg.disk import results
from batchbg.ledger.store import Ledger
from batchbg.pool import uploads
from batchbg.pool.track import Tracker
from tests.support.shop import Shop

SLOW_S = 0.4
"""What each commit and each look at a picture takes here."""


def slowed(work: Callable[..., Any]) -> Callable[..., Any]:
    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(SLOW_S)
        return work(*arguments, **options)

    return slow


@pytest.mark.slow
def test_no_commit_and_no_picture_holds_up_the_loop(shop: Shop, monkeypatch):
    """Half a second for each of them, and the loop's heart beats on: polls, creates and other downloads do not wait."""
    gaps: list[float] = []

    async def beat() -> None:
        while True:
            last = time.monotonic()
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - last)

    track = Tracker.run

    async def watched(self: Tracker) -> None:
        heart = asyncio.create_task(beat())
        try:
            await track(self)
        finally:
            heart.cancel()

    monkeypatch.setattr(Tracker, "run", watched)
    for module, name in ((results, "check"), (results, "put"), (results, "digest"), (uploads, "upright_copy")):
        monkeypatch.setattr(module, name, slowed(getattr(module, name)))
    begin = Ledger.begin

    def slow_disk(self: Ledger, **options: Any) -> Any:
        if not sa.event.contains(self.engine, "commit", pause):
            sa.event.listen(self.engine, "commit", pause)
        return begin(self, **options)

    commits: list[bool] = []

    def pause(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get("reading"):
            commits.append(True)
            time.sleep(SLOW_S)

    monkeypatch.setattr(Ledger, "begin", slow_disk)
    shop.photo("a.png")
    shop.photo("b.gif")  # goes up as a copy
    assert shop.run().code == 0
    assert len(commits) >= 8
    assert gaps
    assert max(gaps) < SLOW_S - 0.1
