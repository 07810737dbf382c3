"""The whole pool in a storm of answers, with errors, signals and cancellations in between: it leaks nothing."""

import asyncio
import itertools
import random
from typing import Any

import pytest

from batchbg.api.wire import Account, Project
from batchbg.core.budget import Caps
from batchbg.core.create_outcome import Ambiguous, Created, Guarded, NotCreated, Outcome, Refusal
from batchbg.core.price import Price
from batchbg.errors import ApiUnreachable, ExitCode, LedgerError
from batchbg.ledger import credits
from batchbg.pool import pool
from batchbg.pool.deliver import SaveOptions
from batchbg.pool.pool import Pool
from tests.ledger.support import ACCOUNT
from tests.pool.bench import Bench, record

pytestmark = pytest.mark.slow

FOR_EVER_S = 100.0
"""Longer than any of these takes on any machine."""


class Storm:
    """Gives whatever answer comes up."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._ids = itertools.count()

    async def create(self) -> Outcome:
        await asyncio.sleep(self.random.random() * 0.01)
        refusal = self.random.choice([Refusal.BUSY, Refusal.UNREACHABLE, Refusal.REQUEST])
        made = Created(f"project-{next(self._ids)}", Price(self.random.choice([0, 5, 5, 5, 7])))
        guarded = Guarded("502", self.random.random() * 0.02)
        common = [made] * 10 + [NotCreated(refusal, "no", 422)] * 5 + [guarded] * 2 + [Ambiguous("lost")] * 2
        found = self.random.choice([*common, NotCreated(Refusal.ACCOUNT, "402", 402), None])
        if found is None:
            raise RuntimeError("what nobody thought of")
        return found

    async def project(self) -> Project:
        await asyncio.sleep(self.random.random() * 0.005)
        waiting, vain = record("rendering", price=self.random.choice([5, 7])), self.random.choice([0, 5])
        ends = [record(), record(), record("canceled", price=0), record("error", price=vain)]
        lost = record("error", price=vain, error_code="invalid_image_path")
        found = self.random.choice([waiting, waiting, *ends, lost, None])
        if found is None:
            raise ApiUnreachable("no answer")
        return found

    async def account(self) -> Account:
        if self.random.random() < 0.2:
            raise ApiUnreachable("no answer")
        return Account(ACCOUNT, self.random.choice([900, 1000]), "pro")


@pytest.mark.parametrize("seed", range(24))
async def test_whatever_happens_every_place_and_every_count_comes_back(
    bench: Bench, seed: int, monkeypatch: pytest.MonkeyPatch
):
    """And the credits add up."""
    monkeypatch.setattr("batchbg.pool.refunds.ASKED_AFTER_S", (0.01, 0.03))
    monkeypatch.setattr(pool, "GRACE_S", 0.05)
    storm = Storm(seed)
    for index in range(12):
        bench.photo_job(f"{index}.png")
    bench.api.creates, bench.api.projects, bench.api.accounts = [storm.create], [storm.project], [storm.account]
    bench.read_balance(1000)
    if seed % 3 == 0:
        _let_it_fail_now_and_then(bench, storm, monkeypatch)
    session = bench.session(
        caps=[Caps(), Caps(run=35)][seed % 2], max_in_flight=1 + seed % 8, max_files=[None, 6][seed % 5 == 0]
    )
    at_work = Pool(session, SaveOptions(quality=90, flatten=None, keep_received=False))
    draining = asyncio.create_task(at_work.drain())
    if seed % 4 == 1:
        await asyncio.sleep(storm.random.random() * 0.3)
        bench.stop.leave(ExitCode.INTERRUPT, "a signal")
        if seed % 8 == 1:
            draining.cancel()
    await asyncio.wait({draining}, timeout=FOR_EVER_S)
    assert draining.done()
    # What was shielded from a cancellation ends by itself.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait(others, timeout=FOR_EVER_S) if others else None
    left = at_work.admission
    assert (left.in_air, left.concurrency.held) == (0, 0)
    await asyncio.wait_for(left.at_rest(), FOR_EVER_S)
    with bench.ledger.reading() as connection:
        assert not credits.disagreements(connection)


def _let_it_fail_now_and_then(bench: Bench, storm: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
    do = bench.writer.do

    async def may_fail(*work: Any) -> Any:
        if storm.random.random() < 0.03:
            raise LedgerError("the disk is full")
        return await do(*work)

    monkeypatch.setattr(bench.writer, "do", may_fail)
