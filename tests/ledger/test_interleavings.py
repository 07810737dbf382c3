"""The caps under any order of events: a model beside the ledger, step by step."""

import datetime
import itertools
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from batchbg.core.budget import Caps, Scope
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.errors import BudgetExceeded, KeyInDoubt, StaleJobError
from batchbg.ledger import credits, runs, transitions
from batchbg.ledger.budgets import Budget
from tests.support.tiers import rest_slow

from .support import ACCOUNT, job_of, memory_disk, open_at, plan_one

S = JobState
UNSETTLED = (S.SUBMITTING, S.RENDERING, S.DOWNLOADING, S.UNRESOLVED)

NEAR_THE_END_OF_A_MONTH = datetime.datetime(2026, 1, 31, 22, 30, tzinfo=datetime.UTC).timestamp()
JUMPS_S = (1.0, 3600.0, 7200.0, 86_400.0, 28 * 86_400.0, -1.0, -7200.0, -86_400.0, -31 * 86_400.0)

few = st.sampled_from([None, 5, 12, 23])
answers = st.sampled_from([None, 5, 7, 7, 3, 0])
either = st.integers(0, 1)


class Money(RuleBasedStateMachine):
    """Two connections drive one ledger; the model knows what every scope has spent and where a price went past it."""

    empty: bytes

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="batchbg-tests-", dir=memory_disk()))
        path = self.folder / "batchbg.db"
        path.write_bytes(self.empty)
        self.ledgers = [open_at(path), open_at(path)]
        self.now = NEAR_THE_END_OF_A_MONTH
        self.patch = mock.patch.object(time, "time", self.clock)
        self.patch.start()
        self.ledger_time = 0.0
        self.run: runs.Run
        self.jobs: dict[str, Job] = {}
        self.keys: dict[str, str] = {}
        self.past: list[Job] = []
        self.excess: dict[tuple[Scope, str], int] = {}
        self.caps_seen: dict[tuple[Scope, str], int] = {}
        self.answered = self.recorded = 0
        self.run_caps: dict[str, int | None] = {}
        self.names = map("{}.jpg".format, itertools.count())

    def clock(self) -> float:
        return self.now

    def teardown(self) -> None:
        self.patch.stop()
        for ledger in self.ledgers:
            ledger.close()
        shutil.rmtree(self.folder)

    @initialize(day=few, month=few, total=few, run=few)
    def start(self, day: int | None, month: int | None, total: int | None, run: int | None) -> None:
        """The first run, and the caps that hold over all of them."""
        self.day, self.month, self.total = day, month, total
        self.begin(run, killed=False)

    # The model

    def begin(self, cap: int | None, *, killed: bool) -> None:
        before = self.run if killed else None
        with self.ledgers[0].transaction() as tx:
            self.run = runs.begin(tx, "run", "https://api.example", cap)
        self.moved()
        if before is None:
            assert (self.run.budget_id, self.run.cap_credits) == (self.run.id, cap)
        else:
            held = before.cap_credits if cap is None else cap
            assert (self.run.budget_id, self.run.cap_credits) == (before.budget_id, held)
        self.run_caps[self.run.budget_id] = self.run.cap_credits

    def moved(self) -> None:
        """Every transaction that writes carries the ledger's time on."""
        self.ledger_time = max(self.ledger_time, self.now)

    def spent(self, scope: Scope, period: str) -> int:
        """What the model says: every job counts its credits where its present attempt was reserved."""
        return sum(job.credits for job in self.jobs.values() if (scope, period) in places(job))

    def budget_of(self, job: Job) -> str:
        """The budget a job is reserved in: that of the run that began it, where this one has no cap and that one has."""
        began = job.budget_run_id
        is_held = self.run.cap_credits is None and self.run_caps.get(began) is not None
        return began if is_held else self.run.budget_id

    def caps_of(self, day: str, budget_id: str) -> list[tuple[Scope, str, int]]:
        all_of_them = [
            (Scope.RUN, budget_id, self.run_caps[budget_id]),
            (Scope.DAY, day, self.day),
            (Scope.MONTH, day[:7], self.month),
            (Scope.TOTAL, "", self.total),
        ]
        return [(scope, period, cap) for scope, period, cap in all_of_them if cap is not None]

    def do(self, place: int, function: Any, job: Job, *args: Any) -> Job:
        with self.ledgers[place].transaction(self.run.id) as tx:
            moved: Job = function(tx, job, *args)
        self.moved()
        self.past.append(job)
        self.jobs[job.id] = moved
        if moved.credits > job.credits and job.state is not S.PLANNED:
            for where in places(job):
                self.excess[where] = self.excess.get(where, 0) + moved.credits - job.credits
        return moved

    def has(self, *states: JobState) -> bool:
        return any(job.state in states for job in self.jobs.values())

    def pick(self, data: st.DataObject, *states: JobState) -> Job | None:
        found = [job for job in self.jobs.values() if job.state in states]
        return data.draw(st.sampled_from(found)) if found else None

    # What happens

    @rule(place=either, data=st.data())
    @precondition(lambda self: self.jobs)
    def plan_again(self, place: int, data: st.DataObject) -> None:
        """--force: the same key once more."""
        content = data.draw(st.sampled_from(sorted(set(self.keys.values()))))
        self.enter(place, content, 1 + list(self.keys.values()).count(content))

    def enter(self, place: int, content: str, generation: int) -> Job:
        with self.ledgers[place].transaction(self.run.id) as tx:
            job_id = plan_one(tx, content, content=content, generation=generation)
            self.jobs[job_id] = job_of(tx.connection, job_id)
        self.keys[job_id] = content
        self.moved()
        return self.jobs[job_id]

    @rule(place=either, data=st.data())
    def reserve(self, place: int, data: st.DataObject) -> None:
        """A new photo, or one that waits; granted exactly where every cap has room and no other job of the key is in doubt."""
        job = self.pick(data, S.PLANNED) or self.enter(place, next(self.names), 1)
        at = datetime.datetime.fromtimestamp(max(self.ledger_time, self.now), datetime.UTC)
        day, price = f"{at:%Y-%m-%d}", max(5, self.answered, self.recorded)
        budget_id = self.budget_of(job)
        caps = self.caps_of(day, budget_id)
        fits = all(self.spent(scope, period) + price <= cap for scope, period, cap in caps)
        twins = [one for one, content in self.keys.items() if content == self.keys[job.id] and one != job.id]
        in_doubt = any(self.jobs[one].state in UNSETTLED for one in twins)
        limits = Caps(run=self.run.cap_credits, day=self.day, month=self.month, total=self.total)
        budget = Budget(self.run.budget_id, limits, ACCOUNT, datetime.UTC)
        if not fits or in_doubt:
            with pytest.raises(KeyInDoubt if fits else (BudgetExceeded, KeyInDoubt)):
                self.do(place, transitions.reserve, job, budget)
            return
        moved = self.do(place, transitions.reserve, job, budget)
        assert (moved.credits, moved.budget_day, moved.budget_run_id) == (price, day, budget_id)
        for scope, period, cap in caps:
            assert self.spent(scope, period) <= cap
            self.caps_seen[scope, period] = max(cap, self.caps_seen.get((scope, period), 0))

    @rule(place=either, data=st.data(), price=answers)
    @precondition(lambda self: self.has(S.SUBMITTING))
    def created(self, place: int, data: st.DataObject, price: int | None) -> None:
        """Answered, at whatever price."""
        if job := self.pick(data, S.SUBMITTING):
            moved = self.do(place, transitions.created, job, f"project {job.id} {job.attempt}", Price(price))
            assert moved.credits == max(job.credits, price or 0)
            self.answered = self.answered if price is None else price

    @rule(place=either, data=st.data())
    @precondition(lambda self: self.has(S.SUBMITTING))
    def not_created(self, place: int, data: st.DataObject) -> None:
        """Refused for certain."""
        if job := self.pick(data, S.SUBMITTING):
            assert self.do(place, transitions.not_created, job, "429").credits == 0

    @rule(place=either, data=st.data())
    @precondition(lambda self: self.has(S.SUBMITTING))
    def lost(self, place: int, data: st.DataObject) -> None:
        """The answer never came, or the process ended before it."""
        if job := self.pick(data, S.SUBMITTING):
            assert self.do(place, transitions.lost, job, "timeout").credits == job.credits

    @rule(place=either, data=st.data(), reported=answers)
    @precondition(lambda self: self.has(S.RENDERING))
    def complete(self, place: int, data: st.DataObject, reported: int | None) -> None:
        """Rendered; the record may say more than the answer did."""
        if job := self.pick(data, S.RENDERING):
            moved = self.do(place, transitions.complete, job, Price(reported))
            assert moved.credits == (job.credits if reported is None else max(job.charged, reported))
            assert moved.charged == moved.credits
            self.heard(reported)

    def heard(self, reported: int | None) -> None:
        """A record of a render that did not fail is what the next reservation goes by."""
        self.recorded = self.recorded if reported is None else reported

    @rule(place=either, data=st.data(), reported=answers)
    @precondition(lambda self: self.has(S.RENDERING))
    def priced(self, place: int, data: st.DataObject, reported: int | None) -> None:
        """A record that still waits names a price; it can only raise what the job counts."""
        if job := self.pick(data, S.RENDERING):
            moved = self.do(place, transitions.priced, job, Price(reported))
            assert moved.credits == max(job.credits, reported or 0)
            self.heard(reported)

    @rule(place=either, data=st.data())
    @precondition(lambda self: self.has(S.RENDERING, S.DOWNLOADING))
    def misattributed(self, place: int, data: st.DataObject) -> None:
        """The project is another's."""
        if job := self.pick(data, S.RENDERING, S.DOWNLOADING):
            assert self.do(place, transitions.misattributed, job, "its name").credits == job.credits

    @rule(place=either, data=st.data())
    @precondition(lambda self: self.has(S.DOWNLOADING))
    def done(self, place: int, data: st.DataObject) -> None:
        """On disk."""
        if job := self.pick(data, S.DOWNLOADING):
            self.do(place, transitions.done, job)

    @rule(place=either, data=st.data(), reported=answers, state=st.sampled_from([S.FAILED, S.CANCELED]))
    @precondition(lambda self: self.has(S.RENDERING))
    def ended(self, place: int, data: st.DataObject, reported: int | None, state: JobState) -> None:
        """Rendered in vain, with as much of a refund as is to be seen."""
        if job := self.pick(data, S.RENDERING):
            moved = self.do(place, transitions.ended, job, state, "error", Price(reported))
            assert moved.credits == (job.credits if reported is None else reported)

    @rule(place=either, data=st.data(), reported=answers)
    @precondition(lambda self: self.has(S.FAILED, S.CANCELED))
    def refunded(self, place: int, data: st.DataObject, reported: int | None) -> None:
        """Asked again later."""
        if job := self.pick(data, S.FAILED, S.CANCELED):
            moved = self.do(place, transitions.refunded, job, Price(reported))
            assert moved.credits == (job.credits if reported is None else reported)

    @rule(place=either, data=st.data(), word=st.sampled_from(["charged", "not charged", "project"]), reported=answers)
    @precondition(lambda self: self.has(S.UNRESOLVED))
    def resolve(self, place: int, data: st.DataObject, word: str, reported: int | None) -> None:
        """A person's word."""
        job = self.pick(data, S.UNRESOLVED)
        if job is None:
            return
        match word:
            case "charged":
                assert self.do(place, transitions.resolve_charged, job).credits == job.credits
            case "not charged":
                assert self.do(place, transitions.resolve_not_charged, job).credits == 0
            case _:
                moved = self.do(place, transitions.resolve_project, job, f"found {job.id}", Price(reported))
                assert moved.credits == max(job.credits, reported or 0)
                self.heard(reported)

    @rule(place=either, data=st.data())
    @precondition(lambda self: self.has(S.FAILED, S.CANCELED))
    def retry(self, place: int, data: st.DataObject) -> None:
        """What is no longer charged is planned again; what still is, is asked for again."""
        job = self.pick(data, S.FAILED, S.CANCELED)
        if job is None or (job.credits and job.project_id is None):
            return
        self.do(place, transitions.reopen, job, S.RENDERING if job.credits else S.PLANNED, "retry")

    @rule(cap=few)
    def next_run(self, cap: int | None) -> None:
        """The run ends, another begins: a new cap."""
        with self.ledgers[0].transaction(self.run.id) as tx:
            runs.end(tx, 0)
        self.moved()
        self.begin(cap, killed=False)

    @rule(cap=few, place=either)
    def killed(self, cap: int | None, place: int) -> None:
        """The run dies; the next continues it under its cap and parks what was in the air."""
        self.begin(cap, killed=True)
        for job in [job for job in self.jobs.values() if job.state is S.SUBMITTING]:
            self.do(place, transitions.lost, job, "the process ended")

    @rule(seconds=st.sampled_from(JUMPS_S))
    def clock_jumps(self, seconds: float) -> None:
        """Forwards and backwards, over midnight and the end of the month."""
        self.now += seconds

    @rule(place=either, data=st.data())
    @precondition(lambda self: self.past)
    def a_stale_copy_moves_nothing(self, place: int, data: st.DataObject) -> None:
        """A worker that was overtaken."""
        old = data.draw(st.sampled_from(self.past))
        if old.version == self.jobs[old.id].version:
            return
        function: Any = {S.SUBMITTING: transitions.lost, S.PLANNED: transitions.refused}.get(old.state)
        if function is not None:
            with self.ledgers[place].transaction(self.run.id) as tx, pytest.raises(StaleJobError):
                function(tx, old, "stale")

    # What holds after every step

    @invariant()
    def the_figures_agree(self) -> None:
        """Totals are the sums of the entries, and what the jobs count, in every scope."""
        with self.ledgers[1].reading() as connection:
            assert credits.disagreements(connection) == []
            for scope, period in {where for job in self.jobs.values() for where in places(job)}:
                sums = credits.totals(connection, scope, period)
                assert sums.spent == self.spent(scope, period), (scope, period)
                assert sums.reserved == sum(
                    job.credits - job.charged
                    for job in self.jobs.values()
                    if job.state is not S.UNRESOLVED and (scope, period) in places(job)
                )
                assert min(sums.charged, sums.refunded, sums.charged - sums.refunded) >= 0

    @invariant()
    def no_cap_is_exceeded(self) -> None:
        """But by what answers took beyond their reservation, which nobody can foresee."""
        for where, cap in self.caps_seen.items():
            assert self.spent(*where) <= cap + self.excess.get(where, 0), where

    @invariant()
    def the_ledger_has_what_the_workers_have(self) -> None:
        """Every job is as its last move left it."""
        with self.ledgers[0].reading() as connection:
            for job in self.jobs.values():
                found = job_of(connection, job.id)
                assert (found.state, found.version, found.credits) == (job.state, job.version, job.credits)

    @invariant()
    def a_key_is_in_the_air_once(self) -> None:
        """No two jobs of one photo and background wait for an answer or a render of a create at the same time."""
        sending = [self.keys[job.id] for job in self.jobs.values() if job.state is S.SUBMITTING]
        assert len(sending) == len(set(sending))


def places(job: Job) -> set[tuple[Scope, str]]:
    """The scopes in which a job's credits count."""
    if not job.budget_day:
        return set()
    return {
        (Scope.TOTAL, ""),
        (Scope.RUN, job.budget_run_id),
        (Scope.DAY, job.budget_day),
        (Scope.MONTH, job.budget_month),
    }


@pytest.mark.parametrize("examples", rest_slow([5, 40]))
def test_the_caps_hold_under_any_interleaving(empty_ledger, examples):
    """Reservations, answers at any price, losses, refunds, words, runs, kills and clock jumps, in any order."""
    Money.empty = empty_ledger
    run_state_machine_as_test(
        Money,
        settings=settings(max_examples=examples, stateful_step_count=40),
    )
