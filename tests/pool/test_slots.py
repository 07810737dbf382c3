import asyncio

from batchbg.pool.concurrency import GROW_AFTER, ConcurrencyLimit


async def taken(slots: ConcurrencyLimit, *jobs: str) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(slots.take(job)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_first_is_served_first():
    """Each place that comes free wakes one job."""
    slots = ConcurrencyLimit(2)
    tasks = await taken(slots, *"abcd")
    assert [task.done() for task in tasks] == [True, True, False, False]
    slots.free("a")
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, True, False]


async def test_a_job_that_gives_up_in_the_moment_of_its_turn_holds_no_place():
    """A place that nobody gives back would be lost for the rest of the run."""
    slots = ConcurrencyLimit(1)
    (_, second) = await taken(slots, "a", "b")
    slots.free("a")  # b's turn
    second.cancel()
    await asyncio.wait({second})
    assert slots.held == 0
    assert (await taken(slots, "c"))[0].done()


async def test_a_refusal_lowers_the_width_to_what_is_in_flight_and_success_lets_it_creep_back():
    """By one place after so many creates that were taken."""
    slots = ConcurrencyLimit(8)
    await taken(slots, *"abcde")
    slots.refused("d")
    slots.refused("e")
    assert (slots.width, slots.held) == (3, 3)
    (waiting,) = await taken(slots, "f")
    for _ in range(GROW_AFTER):
        slots.accepted()
    await asyncio.sleep(0)
    assert slots.width == 4
    assert waiting.done()


async def test_there_is_always_one_place():
    """A service that refuses the only one is asked again, by one."""
    slots = ConcurrencyLimit(4)
    await taken(slots, "a")
    slots.refused("a")
    assert slots.width == 1
    assert (await taken(slots, "b"))[0].done()


async def test_a_job_that_an_earlier_run_left_in_flight_holds_a_place():
    """Beyond the width, if need be; others wait until it is free."""
    slots = ConcurrencyLimit(1)
    slots.occupy("a")
    slots.occupy("b")
    assert slots.held == 2
    (waiting,) = await taken(slots, "c")
    slots.free("a")
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.free("b")
    await asyncio.sleep(0)
    assert waiting.done()


async def test_who_has_a_place_does_not_wait_for_another():
    """It may ask as often as it likes."""
    slots = ConcurrencyLimit(1)
    slots.occupy("a")
    assert (await taken(slots, "a"))[0].done()
    assert slots.held == 1
    slots.free("never came")
    assert slots.held == 1
