import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batchbg.api.wire import Account
from batchbg.core.model import Job
from batchbg.errors import AccountUnreadable, ExitCode
from batchbg.ledger import balances, credits
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.store import Ledger
from batchbg.ledger.writer import Writer
from batchbg.pool.evidence import Evidence
from batchbg.pool.gate import Gate
from batchbg.pool.stop import Stop
from tests.ledger.support import ACCOUNT, submitting


class Balances:
    """Stands in for the API: tells of the account, and counts how often it was asked."""

    def __init__(self) -> None:
        self.credits: int | None = 100
        self.error: Exception | None = None
        self.asked = 0

    async def account(self) -> Account | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return Account(ACCOUNT, self.credits, "pro")


class Bench:
    """A ledger with a reading of 100 credits, and creates that a gateway answered for."""

    def __init__(self, ledger: Ledger, writer: Writer) -> None:
        self.ledger = ledger
        self.api = Balances()
        self.stop = Stop()
        self.gate = Gate(self.stop, None)
        self.gate.brake.recorded()
        api: Any = self.api
        self.evidence = Evidence(api, ledger, writer, self.stop, self.gate)

    def sent(self, name: str = "a.jpg") -> Job:
        assert self.gate.enter()
        return submitting(self.ledger, name)

    async def asked(self, job: Job) -> str:
        """Return what speaks against a create, which is settled then."""
        found = await asyncio.wait_for(self.evidence.against(job, 0.0), 10)
        await self.gate.leave()
        return found

    def read(self, balance: int = 100) -> None:
        with self.ledger.transaction("run") as tx:
            balances.record(tx, ACCOUNT, balance, credits.settled(tx.connection))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'batchbg.db'}")
    with Writer(ledger, "run") as writer:
        yield Bench(ledger, writer)
    ledger.close()


async def test_a_balance_that_is_as_it_was_speaks_against_nothing(bench: Bench):
    """It is read anew, after the pause."""
    bench.read()
    assert await bench.asked(bench.sent()) == ""
    assert bench.api.asked == 1


async def test_a_fall_that_the_ledger_does_not_explain_is_said(bench: Bench):
    """With its size."""
    bench.read()
    job = bench.sent()
    bench.api.credits = 95
    assert "fallen by 5 credits more" in await bench.asked(job)


async def test_a_rise_is_no_fall(bench: Bench):
    """Somebody bought credits; that hides a charge, which nobody can tell."""
    bench.read()
    job = bench.sent()
    bench.api.credits = 1000
    assert await bench.asked(job) == ""


async def test_without_a_balance_nothing_is_proved(bench: Bench):
    """None before, none now, or none at all."""
    assert await bench.asked(bench.sent()) == "the balance was not known before"
    bench.api.credits = None
    assert await bench.asked(bench.sent("b.jpg")) == "the service tells no balance"
    bench.api.error = AccountUnreadable("403 forbidden")
    assert "403 forbidden" in await bench.asked(bench.sent("c.jpg"))


async def test_those_that_wait_together_are_each_measured(bench: Bench):
    """None waits for another's decision for ever, and none is cleared by it."""
    bench.read()
    first, second = bench.sent(), bench.sent("b.jpg")
    bench.api.credits = 95
    found = await asyncio.gather(bench.asked(first), bench.asked(second))
    assert all("fallen by 5" in one for one in found)


async def test_one_that_comes_later_is_not_judged_by_an_earlier_reading(bench: Bench):
    """What it was charged could not be in there."""
    bench.read()
    assert await bench.asked(bench.sent()) == ""
    later = bench.sent("b.jpg")
    bench.api.credits = 95
    assert "fallen by 5" in await bench.asked(later)
    assert bench.api.asked == 2


async def test_the_balance_is_not_read_while_another_create_is_in_the_air(bench: Bench):
    """Its charge may be in the balance and is not in the ledger yet."""
    bench.read()
    job = bench.sent()
    bench.gate.enter()
    waiting = asyncio.create_task(bench.evidence.against(job, 0.0))
    for _ in range(20):
        await asyncio.sleep(0)
    assert bench.api.asked == 0
    await bench.gate.leave()
    assert await waiting == ""
    assert bench.api.asked == 1


async def test_whoever_leaves_before_the_pause_is_over_knows_nothing(bench: Bench):
    """The create stays in doubt."""
    bench.read()
    waiting = asyncio.create_task(bench.evidence.against(bench.sent(), 3600.0))
    await asyncio.sleep(0)
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    assert "left before" in await waiting
    assert bench.api.asked == 0
