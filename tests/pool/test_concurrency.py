import asyncio

from batchbg.pool.concurrency import GROW_AFTER, ConcurrencyLimit


async def taken(limit: ConcurrencyLimit, *jobs: str) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(limit.take(job)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_first_is_served_first():
    """Each place that comes free wakes one job."""
    limit = ConcurrencyLimit(2)
    tasks = await taken(limit, *"abcd")
    assert [task.done() for task in tasks] == [True, True, False, False]
    limit.free("a")
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, True, False]


async def test_a_job_that_gives_up_in_the_moment_of_its_turn_holds_no_place():
    """A place that nobody gives back would be lost for the rest of the run."""
    limit = ConcurrencyLimit(1)
    (_, second) = await taken(limit, "a", "b")
    limit.free("a")  # b's turn
    second.cancel()
    await asyncio.wait({second})
    assert limit.held == 0
    assert (await taken(limit, "c"))[0].done()


async def test_a_refusal_lowers_the_width_to_what_is_in_flight_and_success_lets_it_creep_back():
    """By one place after so many creates that were taken."""
    limit = ConcurrencyLimit(8)
    await taken(limit, *"abcde")
    limit.refused("d")
    limit.refused("e")
    assert (limit.width, limit.held) == (3, 3)
    (waiting,) = await taken(limit, "f")
    for _ in range(GROW_AFTER):
        limit.accepted()
    await asyncio.sleep(0)
    assert limit.width == 4
    assert waiting.done()


async def test_there_is_always_one_place():
    """A service that refuses the only one is asked again, by one."""
    limit = ConcurrencyLimit(4)
    await taken(limit, "a")
    limit.refused("a")
    assert limit.width == 1
    assert (await taken(limit, "b"))[0].done()


async def test_a_job_that_an_earlier_run_left_in_flight_holds_a_place():
    """Beyond the width, if need be; others wait until it is free."""
    limit = ConcurrencyLimit(1)
    limit.occupy("a")
    limit.occupy("b")
    assert limit.held == 2
    (waiting,) = await taken(limit, "c")
    limit.free("a")
    await asyncio.sleep(0)
    assert not waiting.done()
    limit.free("b")
    await asyncio.sleep(0)
    assert waiting.done()


async def test_who_has_a_place_does_not_wait_for_another():
    """It may ask as often as it likes."""
    limit = ConcurrencyLimit(1)
    limit.occupy("a")
    assert (await taken(limit, "a"))[0].done()
    assert limit.held == 1
    limit.free("never came")
    assert limit.held == 1
