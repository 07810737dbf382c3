import asyncio

import pytest

from batchbg.errors import ApiUnreachable, ExitCode
from batchbg.pool.outage import Outage
from batchbg.pool.stop import Stop
from tests.pool.bench import soon

NEVER = ApiUnreachable("no answer")


@pytest.fixture
def stop() -> Stop:
    return Stop()


class Asked:
    """A request that is answered in the end."""

    def __init__(self, failures: int, error: Exception = NEVER) -> None:
        self.failures = failures
        self.error = error
        self.times = 0

    async def __call__(self) -> str:
        self.times += 1
        if self.times <= self.failures:
            raise self.error
        return "answer"


async def test_a_request_is_repeated_until_it_is_answered(stop: Stop, caplog):
    """The first failure is said, the others would say the same."""
    outage = Outage(stop, 600.0)
    request = Asked(3)
    assert await soon(outage.ask(request)) == "answer"
    assert request.times == 4
    assert [record.message for record in caplog.records] == ["no answer; trying again for 10 min"]
    assert not outage.over


async def test_after_so_long_without_any_answer_the_run_stops(stop: Stop):
    """Creates stop, and nothing is asked again; once."""
    outage = Outage(stop, 0.0)
    request = Asked(9)
    with pytest.raises(ApiUnreachable):
        await soon(outage.ask(request))
    assert request.times == 2
    assert outage.gave_up
    assert outage.over
    assert "no useful answer for 0 s (no answer)" in stop.reasons[ExitCode.TEMPORARY]
    outage.unanswered("another")
    assert "another" not in stop.reasons[ExitCode.TEMPORARY]


async def test_an_answer_to_anything_begins_the_count_anew(stop: Stop):
    """The API is there: what else is not answered has another cause."""
    outage = Outage(stop, 0.0)
    outage.unanswered("first")
    outage.answered()
    outage.unanswered("second")
    assert not outage.gave_up
    outage.unanswered("third")
    assert outage.gave_up


async def test_another_error_is_the_callers(stop: Stop):
    """It is an answer, if not a good one."""
    with pytest.raises(ValueError, match="odd"):
        await soon(Outage(stop, 600.0).ask(Asked(1, ValueError("odd"))))


async def test_whoever_leaves_asks_once_more_at_most(stop: Stop):
    """The pause ends, and so does the asking."""
    outage = Outage(stop, 600.0)
    request = Asked(9, ApiUnreachable("busy", retry_after_s=3600.0))
    asking = asyncio.create_task(outage.ask(request))
    for _ in range(5):
        await asyncio.sleep(0)
    assert request.times == 1
    stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    with pytest.raises(ApiUnreachable):
        await soon(asking)
    assert request.times == 1
    with pytest.raises(ApiUnreachable):
        await soon(outage.ask(request))
    assert request.times == 2


async def test_no_pause_is_longer_than_the_api_may_be_down(stop: Stop):
    """A server that says "in an hour" is asked once more before the run gives up."""
    await soon(Outage(stop, 0.0).pause(1, ApiUnreachable("busy", retry_after_s=3600.0)))
    await soon(Outage(stop, 600.0).pause(1, ValueError("not of the wire: it asks for no pause")))
