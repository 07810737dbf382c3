import asyncio
from typing import Any

import pytest

from batchbg.api.wire import Account
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.errors import AccountUnreadable, ExitCode
from batchbg.ledger import transitions
from batchbg.pool.evidence import Evidence
from tests.ledger.support import ACCOUNT
from tests.pool.bench import Bench, soon


class Guarded:
    """Creates that a gateway answered for, and the balance beside them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.admission = bench.admission()
        self.evidence = Evidence(bench.session(), self.admission)

    @property
    def readings(self) -> int:
        """How often the service was asked for the balance."""
        return self.bench.api.count("account")

    def tells(self, answer: Any) -> None:
        """Let the service answer so from now on; a number is a balance."""
        self.bench.api.accounts = [Account(ACCOUNT, answer, "pro") if isinstance(answer, int) else answer]

    async def sent(self, name: str = "a.jpg") -> Job:
        return await self.bench.admitted(self.admission, name)

    async def asked(self, job: Job, pause_s: float = 0.0) -> str:
        """Return what speaks against a create, which is settled then."""
        found = await soon(self.evidence.against(job, pause_s))
        recorded = await self.bench.writer.do(transitions.lost if found else transitions.not_created, job, found)
        self.admission.answered(recorded)
        return found


@pytest.fixture
def guarded(bench: Bench) -> Guarded:
    return Guarded(bench)


async def test_a_balance_that_is_as_it_was_speaks_against_nothing(guarded: Guarded):
    """It is read anew, after the pause."""
    guarded.bench.read_balance()
    assert await guarded.asked(await guarded.sent()) == ""
    assert guarded.readings == 1


async def test_a_fall_that_the_ledger_does_not_explain_is_said(guarded: Guarded):
    """With its size."""
    guarded.bench.read_balance()
    job = await guarded.sent()
    guarded.tells(95)
    assert "fallen by 5 credits more" in await guarded.asked(job)


async def test_a_rise_is_no_fall(guarded: Guarded):
    """Somebody bought credits; that hides a charge, which nobody can tell."""
    guarded.bench.read_balance()
    job = await guarded.sent()
    guarded.tells(1000)
    assert await guarded.asked(job) == ""


async def test_without_a_balance_nothing_is_proved(guarded: Guarded):
    """None before, none now, or none at all."""
    assert await guarded.asked(await guarded.sent()) == "the balance was not known before"
    guarded.tells(Account(ACCOUNT, None, "pro"))
    assert await guarded.asked(await guarded.sent("b.jpg")) == "the service reports no balance"
    guarded.tells(None)
    assert await guarded.asked(await guarded.sent("c.jpg")) == "the service reports no balance"
    guarded.tells(AccountUnreadable("403 forbidden"))
    assert "403 forbidden" in await guarded.asked(await guarded.sent("d.jpg"))


async def test_those_that_wait_together_are_each_measured(guarded: Guarded):
    """None waits for another's decision for ever, and none is cleared by it."""
    guarded.bench.read_balance()
    first, second = await guarded.sent(), await guarded.sent("b.jpg")
    guarded.tells(95)
    found = await asyncio.gather(guarded.asked(first), guarded.asked(second))
    assert all("fallen by 5 " in one for one in found)


@pytest.mark.parametrize("pauses_s", [(0.0, 0.0, 0.0), (0.0, 0.05, 0.02)])
async def test_those_that_wait_together_share_one_reading(guarded: Guarded, pauses_s: tuple[float, ...]):
    """Also those answered a little later: it is taken when the last of their pauses is over."""
    guarded.bench.read_balance()
    sent = [await guarded.sent(f"{number}.jpg") for number in range(len(pauses_s))]
    found = await asyncio.gather(*(guarded.asked(job, pause_s) for job, pause_s in zip(sent, pauses_s, strict=True)))
    assert found == [""] * len(pauses_s)
    assert guarded.readings == 1


async def test_a_reading_that_fails_fails_for_all_who_wait_for_it(guarded: Guarded):
    """Each would be told the same, the last of them after the others' patience together."""
    guarded.bench.read_balance()
    sent = [await guarded.sent(), await guarded.sent("b.jpg")]
    guarded.tells(AccountUnreadable("403 forbidden"))
    found = await asyncio.gather(*map(guarded.asked, sent))
    assert all("403 forbidden" in one for one in found)
    assert guarded.readings == 1


async def test_a_reading_that_was_broken_off_is_taken_again_by_who_still_waits(guarded: Guarded):
    """It has told nobody anything."""
    guarded.bench.read_balance()
    first, second = await guarded.sent(), await guarded.sent("b.jpg")
    hanging = asyncio.Event()
    balance = guarded.bench.api.accounts[0]
    guarded.bench.api.accounts = [hanging.wait, balance]
    staying = asyncio.create_task(guarded.asked(first))
    leaving = asyncio.create_task(guarded.asked(second))  # the last to come to rest, which reads for both
    await guarded.bench.settle()
    assert guarded.readings == 1
    leaving.cancel()
    assert await soon(staying) == ""
    assert guarded.readings == 2


async def test_nothing_is_found_for_one_that_waits_no_longer(guarded: Guarded):
    """A later attempt at the same job would be judged by it."""
    guarded.bench.read_balance()
    first, second = await guarded.sent(), await guarded.sent("b.jpg")
    answered = asyncio.Event()
    balance = guarded.bench.api.accounts[0]

    async def answer() -> Account:
        await answered.wait()
        return Account(ACCOUNT, 95, "pro")

    guarded.bench.api.accounts = [answer, balance]
    leaving = asyncio.create_task(guarded.asked(first))
    reading = asyncio.create_task(guarded.asked(second))  # the last to come to rest, which reads for both
    await guarded.bench.settle()
    leaving.cancel()
    await asyncio.wait({leaving})
    answered.set()
    assert "fallen by 5 " in await soon(reading)
    again = await guarded.bench.made_nothing(guarded.admission, first)
    guarded.bench.read_balance()
    again = await soon(guarded.admission.admit(again))
    assert await guarded.asked(again) == ""
    assert guarded.readings == 2


async def test_one_that_comes_later_is_not_judged_by_an_earlier_reading(guarded: Guarded):
    """What it was charged could not be in there."""
    guarded.bench.read_balance()
    assert await guarded.asked(await guarded.sent()) == ""
    later = await guarded.sent("b.jpg")
    guarded.tells(95)
    assert "fallen by 5" in await guarded.asked(later)
    assert guarded.readings == 2


async def test_the_balance_is_not_read_while_another_create_is_in_the_air(guarded: Guarded):
    """Its charge may be in the balance and is not in the ledger yet."""
    guarded.bench.read_balance()
    job, other = await guarded.sent(), await guarded.sent("b.jpg")
    waiting = asyncio.create_task(guarded.evidence.against(job, 0.0))
    assert await guarded.bench.waits(waiting)
    assert guarded.readings == 0
    other = await guarded.bench.made_nothing(guarded.admission, other)
    assert await soon(waiting) == ""
    assert guarded.readings == 1
    assert other.state is JobState.PLANNED


async def test_whoever_leaves_before_the_pause_is_over_knows_nothing(guarded: Guarded):
    """The create stays in doubt."""
    guarded.bench.read_balance()
    waiting = asyncio.create_task(guarded.evidence.against(await guarded.sent(), 3600.0))
    await asyncio.sleep(0)
    guarded.bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    assert "left before" in await waiting
    assert guarded.readings == 0
