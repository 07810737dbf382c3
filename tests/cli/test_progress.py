"""The bar, and the status line that SIGUSR1 asks for."""

import os
import re
import signal
import threading

import pytest

from batchbg.cli.console_reporter import status_line
from batchbg.core.progress import Progress
from batchbg.settings import load
from tests.support.shop import Shop
from tests.support.terminal import Terminal


@pytest.mark.slow
def test_the_bar_shows_places_credits_rate_and_time_left(
    shop: Shop, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
):
    """The learnt width too, where the service takes less than was asked for."""
    monkeypatch.setattr("batchbg.run.watching.TICK_S", 0.01)
    shop.some_photos(3)
    shop.sandbox.configure(render_s=0.1, in_flight_limit=1, over_limit="refuse", retry_after="none")
    result = shop.run("--max-in-flight", "3", "--max-credits", "100")
    assert result.code == 0
    for said in ("/3, 1 of 1 (asked 3) in flight, ", "/100 credits", "/min", " s left"):
        assert said in result.err


@pytest.mark.slow
def test_sigusr1_tells_how_the_run_stands_and_disturbs_nothing(shop: Shop):
    """With -q too: somebody asked."""
    shop.some_photos(3)
    shop.faults.add("create", "delay", seconds=0.3, nth=2)

    def ask() -> None:
        shop.wait_for(lambda: len(shop.creates()) >= 1)
        os.kill(os.getpid(), signal.SIGUSR1)

    asking = threading.Thread(target=ask)
    asking.start()
    result = shop.run("-q", "--max-credits", "50")
    asking.join()
    assert result.code == 0, result.err
    assert len(shop.creates()) == 3
    (line,) = [line for line in result.err.splitlines() if line.startswith("batchbg: ")]
    assert " of 3 jobs, " in line
    assert " in flight, " in line
    assert " of 50 under the cap" in line


@pytest.mark.slow
def test_a_rescue_counts_the_results_that_it_fetches(shop: Shop):
    """It said "2 of 0 jobs"."""
    shop.some_photos(2)
    assert shop.run().code == 0
    for path in shop.output.glob("*.png"):
        path.unlink()
    shop.meanwhile("download", lambda: os.kill(os.getpid(), signal.SIGUSR1))
    rescued = shop.do("rescue")
    assert rescued.code == 0
    assert re.search(r"^batchbg: [01] of 2 jobs, 0 in flight, 0 credits spent", rescued.err, re.MULTILINE)


@pytest.mark.slow
def test_sigusr1_while_it_plans_tells_that_it_plans(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.some_photos(2)
    from batchbg.plan.planner import Planner

    plan = Planner.plan

    def slow(self: Planner):
        for line in plan(self):
            os.kill(os.getpid(), signal.SIGUSR1)
            yield line

    monkeypatch.setattr(Planner, "plan", slow)
    result = shop.run()
    assert result.code == 0
    assert "batchbg: planning: 1 photo so far, 2 files opened" in result.err


def test_sigusr1_kills_no_command_that_has_nothing_to_tell(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.some_photos(1)

    def show_plan(*_: object) -> int:
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0

    monkeypatch.setattr("batchbg.cli.planned.show_plan", show_plan)
    assert shop.do("plan").code == 0


def test_the_status_line_tells_money_and_the_learnt_width():
    standing = Progress(45, 100, 5, 5, 8, 225, (225, 500), 52.4, 200.0, stopping=False)
    settings = load({}, {"BATCHBG_PRICE_PER_CREDIT": "0.01"})
    assert status_line(standing, settings) == (
        "batchbg: 45 of 100 jobs, 5 in flight (the service allows 5, 8 were asked for), 225 credits (2.25) spent,"
        " 225 of 500 under the cap, 52 images a minute, about 3 min left"
    )
    stopping = Progress(45, 100, 5, 8, 8, 225, None, None, 200.0, stopping=True)
    assert status_line(stopping, settings) == "batchbg: 45 of 100 jobs, 5 in flight, 225 credits (2.25) spent, stopping"
