import asyncio

import pytest

from batchbg.core.circuit_breaker import MAX_DOUBTS
from batchbg.errors import ExitCode
from batchbg.pool.gate import Gate
from batchbg.pool.stop import Stop


@pytest.fixture
def stop() -> Stop:
    return Stop()


def gate_of(stop: Stop, max_files: int | None = None) -> Gate:
    """A gate of a run that knows the price."""
    gate = Gate(stop, max_files)
    gate.brake.recorded()
    return gate


async def waits(gate: Gate) -> bool:
    """Return whether a create has to wait."""
    task = asyncio.create_task(gate.clear())
    for _ in range(4):
        await asyncio.sleep(0)
    done = task.done()
    task.cancel()
    await asyncio.wait({task})
    return not done


async def test_the_first_create_goes_alone_until_its_record_is_seen(stop: Stop):
    """Its answer is not enough: it may understate; another job's record is none of it."""
    gate = Gate(stop, None)
    assert gate.enter()
    assert not gate.enter()
    await gate.leave(created="a")
    assert not gate.enter()
    assert await waits(gate)
    await gate.followed("b")
    assert not gate.enter()
    await gate.followed("a")
    assert gate.enter()


async def test_who_waits_for_the_record_is_woken_by_it(stop: Stop):
    """Without a create that leaves there is nothing else to wake it."""
    gate = Gate(stop, None)
    gate.enter()
    await gate.leave(created="a")
    waiting = asyncio.create_task(gate.clear())
    await asyncio.sleep(0)
    await gate.followed("a")
    await asyncio.wait_for(waiting, 5)


async def test_with_the_price_known_they_go_side_by_side(stop: Stop):
    """And no later create holds up the others until its record is seen."""
    gate = gate_of(stop)
    assert [gate.enter() for _ in range(3)] == [True] * 3
    assert (gate.in_air, gate.let_through) == (3, 3)
    await gate.leave(created="a")
    assert (gate.in_air, gate.let_through) == (2, 3)
    gate.brake.doubted()
    await gate.leave(created="b")
    await gate.leave()
    assert gate.enter()


async def test_after_a_doubt_one_is_in_the_air(stop: Stop):
    """Whoever comes beside it waits, and is let in when it has left."""
    gate = gate_of(stop)
    gate.enter()
    gate.brake.doubted()
    assert not gate.enter()
    waiting = asyncio.create_task(gate.clear())
    await asyncio.sleep(0)
    assert not waiting.done()
    await gate.leave()
    await asyncio.wait_for(waiting, 5)
    assert gate.enter()
    assert not gate.enter()


async def test_shut_it_lets_nothing_through_whatever_is_answered_meanwhile(stop: Stop):
    """After a 502 an answer to a create that left before it is no reason to go on."""
    gate = gate_of(stop)
    gate.enter()
    async with gate.shut():
        gate.brake.doubted()
        gate.brake.created()
        assert not gate.enter()
        async with gate.shut():
            pass
        assert not gate.enter()
        waiting = asyncio.create_task(gate.clear())
        await asyncio.sleep(0)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 5)
    assert gate.enter()


async def test_max_files_counts_what_may_have_made_something(stop: Stop):
    """One in the air may yet have made nothing; the run ends with the last place taken for good."""
    gate = gate_of(stop, 2)
    assert gate.enter()
    assert gate.enter()
    assert not gate.enter()
    assert await waits(gate)
    assert not stop.no_creates
    await gate.leave(made_nothing=True)
    assert gate.let_through == 1
    assert gate.enter()
    await gate.leave(created="a")
    await gate.leave(created="b")
    assert not await waits(gate)
    assert not gate.enter()
    assert stop.reasons == {ExitCode.CAP: "max_files: 2 new jobs were sent"}


async def test_the_brake_stops_creates_with_what_it_says(stop: Stop):
    """Once, when it trips; a create that is in front of the gate does not pass it."""
    gate = gate_of(stop)
    gate.enter()
    for _ in range(MAX_DOUBTS):
        gate.brake.doubted()
    await gate.leave()
    assert stop.exit_code is ExitCode.TEMPORARY
    assert "3 creates in a row" in stop.reasons[ExitCode.TEMPORARY]
    assert not gate.enter()
    assert (gate.in_air, gate.let_through) == (0, 1)


async def test_a_tripped_brake_is_heeded_before_the_next_create(stop: Stop):
    """Also where no create has left since."""
    gate = gate_of(stop)
    for _ in range(MAX_DOUBTS):
        gate.brake.doubted()
    assert not gate.enter()
    assert stop.no_creates


async def test_creates_that_were_stopped_stay_so_for_their_own_reason(stop: Stop):
    """A brake that trips while the run ends adds none."""
    gate = gate_of(stop)
    stop.creates(ExitCode.CAP, "the cap")
    assert not gate.enter()
    for _ in range(MAX_DOUBTS):
        gate.brake.doubted()
    gate.heed()
    assert stop.reasons == {ExitCode.CAP: "the cap"}


async def test_settled_is_when_no_more_than_so_many_are_in_the_air(stop: Stop):
    """The number may change while one waits."""
    gate = gate_of(stop)
    gate.enter()
    gate.enter()
    waiting = asyncio.create_task(gate.settled(lambda: 1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await gate.leave()
    await asyncio.wait_for(waiting, 5)
