import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from batchbg.errors import BudgetExceeded
from batchbg.ledger import transitions
from batchbg.ledger.store import Ledger

from .support import budget, disagreements, entries, job_of, open_at, planned, total

SPAWN = multiprocessing.get_context("spawn")


def reserve_all(ledger: Ledger, job_ids: list[str], barrier: Any) -> int:
    """Reserve every job that still can be; return how many could."""
    reserved = 0
    barrier.wait(200)
    for job_id in job_ids:
        try:
            with ledger.transaction("run") as tx:
                transitions.reserve(tx, job_of(tx.connection, job_id), budget(run=23))
            reserved += 1
        except BudgetExceeded:
            pass
    return reserved


def reserve_in_a_process(path: Path, job_ids: list[str], barrier: Any, results: Any) -> None:
    ledger = open_at(path)
    results.put(reserve_all(ledger, job_ids, barrier))
    ledger.close()


def test_eight_threads_reserve_four_times_under_a_cap_of_23(ledger):
    """Four images of five credits fit, whoever comes first."""
    made = [job.id for job in planned(ledger, *(f"{n}.jpg" for n in range(24)))]
    barrier, results = threading.Barrier(8), []
    threads = [
        threading.Thread(target=lambda part: results.append(reserve_all(ledger, part, barrier)), args=(made[n::8],))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == 4
    assert entries(ledger) == [("reserved", 5)] * 4
    assert total(ledger).spent == 20
    assert disagreements(ledger) == []


@pytest.mark.slow
def test_three_processes_reserve_four_times_under_a_cap_of_23(ledger, path):
    """The same without the ledger's lock: the cap is kept by the database."""
    made = [job.id for job in planned(ledger, *(f"{n}.jpg" for n in range(12)))]
    barrier, results = SPAWN.Barrier(3), SPAWN.SimpleQueue()
    processes = [
        SPAWN.Process(target=reserve_in_a_process, args=(path, made[n::3], barrier, results)) for n in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sum(results.get() for _ in processes) == 4
    assert total(ledger).reserved == 20
    assert disagreements(ledger) == []


def test_two_workers_with_the_same_job_reserve_it_once(ledger):
    """The guarded UPDATE lets one of them through."""
    (job,) = planned(ledger, "a.jpg")
    barrier, outcomes = threading.Barrier(4), []

    def reserve() -> None:
        barrier.wait()
        try:
            with ledger.transaction("run") as tx:
                outcomes.append(str(transitions.reserve(tx, job, budget()).version))
        except Exception as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=reserve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["2", "StaleJobError", "StaleJobError", "StaleJobError"]
    assert entries(ledger) == [("reserved", 5)]
