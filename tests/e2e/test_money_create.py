"""What may leave and what may not: caps, the brake, refusals, lost answers, prices, refunds."""

import contextlib
import json
import sqlite3

import pytest

from batchbg.api.limiter import RateLimiter, Urgency
from batchbg.pool import refunds
from tests.support.shop import Shop

pytestmark = pytest.mark.slow


def requests(shop: Shop) -> int:
    """Return how many creates arrived, refused and lost ones too."""
    return shop.sandbox.books.requests("create")


# -- invariant 4: the cap ------------------------------------------------------------------------------------------


def test_invariant_4_64_workers_and_a_cap_of_23_make_exactly_4_creates(shop: Shop):
    """Nobody overtakes the reservation of another; and nobody without room takes a slot of the request rate."""
    shop.some_photos(90)
    shop.sandbox.configure(render_s=0.2)
    result = shop.run("--json", "--max-credits", "23", "--max-in-flight", "64")
    assert result.code == 8
    assert requests(shop) == 4
    assert result.json["jobs"]["done"] == 4
    assert result.json["jobs"]["planned"] == 86
    assert result.json["credits"]["spent"] == 20
    assert "4 of 90 jobs done" in result.json["reasons"][0]
    shop.assert_adds_up()


def test_invariant_4_no_start_of_the_request_rate_is_spent_on_what_has_no_room(shop: Shop, monkeypatch):
    """At ten requests a second 64 futile tries would take six seconds, and the polls would wait behind them.

    One or two may have theirs already when the room is gone.
    """
    shop.some_photos(70)
    starts: list[Urgency] = []
    really_acquire = RateLimiter.acquire

    async def acquire(limiter: RateLimiter, urgency: Urgency) -> None:
        starts.append(urgency)
        await really_acquire(limiter, urgency)

    monkeypatch.setattr(RateLimiter, "acquire", acquire)
    result = shop.run("--max-credits", "10", "--max-in-flight", "64", "--requests-per-second", "10")
    assert result.code == 8
    assert requests(shop) == 2
    assert 2 <= starts.count(Urgency.CREATE) <= 6


@pytest.mark.parametrize(("scope", "cap", "creates"), [("PER_DAY", 14, 2), ("PER_MONTH", 5, 1), ("TOTAL", 4, 0)])
def test_invariant_4_every_cap_holds_over_all_runs(shop: Shop, monkeypatch, scope: str, cap: int, creates: int):
    """Day, month and total are counted over the ledger, not over the run."""
    shop.some_photos(4)
    shop.setting(f"BUDGET_{scope}", str(cap))
    assert shop.run("--json").code == 8
    assert shop.run("--json").code == 8
    assert requests(shop) == creates


def test_invariant_4_lost_answers_count_as_spent(shop: Shop):
    """Two unresolved and one charged fill a cap of 15."""
    shop.some_photos(6)
    shop.faults.add("create", "hang_up", nth=[2, 3])
    result = shop.run("--json", "--max-credits", "15")
    assert result.code == 8
    assert requests(shop) == 3
    assert (
        result.json["credits"] | {"charged": 5, "unresolved": 10, "spent": 15, "remaining": 0}
        == (result.json["credits"])
    )
    assert result.json["jobs"]["unresolved"] == 2


def test_invariant_4_the_price_is_learnt_from_the_first_answer(shop: Shop):
    """The first create goes alone; at 7 credits a cap of 23 has room for 3."""
    shop.some_photos(8)
    shop.faults.add("create", "price", credits=7)
    result = shop.run("--json", "--max-credits", "23", "--max-in-flight", "64")
    assert result.code == 8
    assert requests(shop) == 3
    assert result.json["credits"]["charged"] == 21
    assert shop.sandbox.books.charged == 21


def test_invariant_4_a_price_that_rises_in_mid_run_is_reserved_from_then_on(shop: Shop):
    """5, 5, then 8: under 30 credits there is room for 5+5+8+8, not for another."""
    shop.some_photos(9)
    shop.faults.add("create", "price", nth="3-", credits=8)
    result = shop.run("--json", "--max-credits", "30", "--max-in-flight", "1")
    assert result.code == 8
    assert result.json["credits"]["charged"] == shop.sandbox.books.charged == 26


@pytest.mark.parametrize(("answer", "charged"), [({}, 5), ({"credits_charged": 0}, 5), ({"credits_charged": "7"}, 7)])
def test_invariant_1_an_answer_without_or_with_an_odd_price_keeps_its_id(shop: Shop, answer, charged: int):
    """The id is what counts; a price that is missing is taken as reserved, one that the record raises as raised."""
    shop.some_photos(2)
    shop.faults.add("create", "replace", fields=answer) if answer else shop.faults.add("create", "missing")
    result = shop.run("--json")
    assert result.code == 0
    assert result.json["credits"]["charged"] == 2 * charged
    assert len(shop.outputs()) == 2


def test_invariant_4_keep_balance_stops_in_time(shop: Shop):
    """The floor under the account holds against its last reading less what was reserved since."""
    shop.some_photos(6)
    shop.sandbox.configure(credits=100)
    shop.setting("BUDGET_KEEP_BALANCE", "88")
    result = shop.run("--json", "--max-in-flight", "64")
    assert result.code == 8
    assert requests(shop) == 2
    assert shop.sandbox.books.balance == 90


@pytest.mark.parametrize(("fault", "code"), [({"status": 404}, 8), ({"status": 503}, 5), ({"status": 500}, 5)])
def test_invariant_4_keep_balance_without_a_reading_lets_nothing_leave(shop: Shop, monkeypatch, fault, code: int):
    """An earlier run's reading is none: other programs spend too."""
    monkeypatch.setattr("batchbg.run.accounts.ACCOUNT_WAIT_S", 0.1)
    shop.photo("a.png")
    assert shop.run().code == 0
    shop.photo("b.png")
    shop.setting("BUDGET_KEEP_BALANCE", "10")
    shop.faults.add("account", "status", **fault)
    result = shop.run("--json")
    assert result.code == code, result.err
    assert "keep_balance" in result.json["reasons"][0]
    assert requests(shop) == 1


@pytest.mark.parametrize(
    ("kind", "settings"), [("status", {"status": 404}), ("status", {"status": 500}), ("html", {}), ("hang_up", {})]
)
def test_a_service_without_an_account_operation_works_all_the_same(shop: Shop, monkeypatch, kind: str, settings):
    """Only the balance is not known then."""
    monkeypatch.setattr("batchbg.run.accounts.ACCOUNT_WAIT_S", 0.1)
    shop.some_photos(3)
    shop.faults.add("account", kind, **settings)
    result = shop.run("--json", "--max-credits", "10")
    assert result.code == 8, result.err
    assert len(shop.outputs()) == 2
    assert shop.run("--max-credits", "100").code == 0
    shop.assert_adds_up()


# -- invariant 3: the brake ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hang_up", pytest.param("html", marks=pytest.mark.slow)])
def test_invariant_3_lost_answers_from_the_start_stop_after_3_creates(shop: Shop, kind: str):
    """At any width; nothing is sent a second time by itself, in this run or the next."""
    shop.some_photos(66)
    fault = shop.faults.add("create", kind)
    result = shop.run("--json", "--yes", "--max-in-flight", "64")
    assert result.code == 5
    assert fault.calls == 3
    assert result.json["jobs"]["unresolved"] == 3
    assert result.json["credits"]["unresolved"] == 15
    assert "3 creates in a row" in result.json["reasons"][0]
    shop.faults.clear()
    again = shop.run("--json", "--max-credits", "20")
    assert again.code == 8
    assert again.json["jobs"]["done"] == 4
    assert again.json["photos"] | {"seen": 66, "skipped": 3} == again.json["photos"]
    shop.assert_adds_up()


def test_invariant_3_after_a_lost_answer_one_create_is_in_the_air(shop: Shop):
    """Until one is answered; then the width is back."""
    shop.some_photos(12)
    shop.faults.add("create", "hang_up", nth=[1, 2])
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"done": 10, "unresolved": 2} == result.json["jobs"]


def test_invariant_3_lost_answers_in_the_middle_stop_the_run(shop: Shop):
    """What was answered is collected; what is lost stays lost."""
    shop.some_photos(40)
    fault = shop.faults.add("create", "reset", nth="8-")
    result = shop.run("--json", "--max-in-flight", "4")
    assert result.code == 5
    assert result.json["jobs"]["done"] == 7
    # those that were in the air beside the first lost one, and no more than three one after the other
    assert 3 <= fault.fired <= 4 + 2
    assert result.json["jobs"]["unresolved"] == fault.fired
    shop.assert_adds_up()


def test_invariant_3_ten_jobs_in_a_row_in_error_stop_creates(shop: Shop, monkeypatch):
    """Something is wrong with all of them: better to look than to go on paying."""
    shop.some_photos(30)
    shop.faults.add("create", "job_error")
    result = shop.run("--json", "--max-in-flight", "2")
    assert result.code == 5
    assert 10 <= result.json["jobs"]["failed"] <= 12
    assert result.json["credits"]["spent"] == 0
    shop.assert_adds_up()


# -- invariant 3: certainly not created ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param({"retry_after": 1}, marks=pytest.mark.slow),
        pytest.param({"retry_after": 1, "retry_after_date": True}, marks=pytest.mark.slow),
    ],
)
def test_invariant_3_a_429_is_planned_again_and_counts_nothing(shop: Shop, settings):
    """Its credits are released in the very transaction that records it."""
    shop.some_photos(4)
    shop.faults.add("create", "status", status=429, nth=2, **settings)
    result = shop.run("--json")
    assert result.code == 0, result.err
    assert result.json["credits"] | {"charged": 20, "spent": 20, "reserved": 0} == result.json["credits"]
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as ledger:
        rows = ledger.execute(
            "SELECT count(*) FROM events JOIN credit_entries USING (job_id, at)"
            " WHERE kind = 'not created' AND bucket = 'reserved' AND amount = -5"
        )
        assert rows.fetchone() == (1,)
    shop.assert_adds_up()


@pytest.mark.parametrize(("status", "width"), [(401, "64"), (402, "1")])
def test_invariant_8_an_account_refusal_stops_creates_at_any_width(shop: Shop, status: int, width: str):
    """What is under way is collected, and the message says how far it got and what to do."""
    shop.some_photos(70)
    shop.sandbox.configure(render_s=0.1)
    fault = shop.faults.add("create", "status", status=status, nth="4-")
    result = shop.run("--json", "--yes", "--max-in-flight", width)
    assert result.code == 7
    done = len(shop.creates())
    assert result.json["jobs"] | {"done": done, "planned": 70 - done} == result.json["jobs"]
    assert done == 3
    assert fault.fired <= int(width)
    assert f"{done} of 70 jobs done" in result.json["reasons"][0]
    assert result.json["credits"]["spent"] == 5 * done
    shop.faults.clear()
    assert shop.run("--max-credits", "10").code == 8
    shop.assert_adds_up()


def test_invariant_8_an_account_without_credits_is_a_402(shop: Shop):
    """The service's own refusal, at full width, and the old form of it."""
    shop.some_photos(20)
    shop.sandbox.configure(credits=17)
    result = shop.run("--json", "--max-in-flight", "64")
    assert result.code == 7
    assert len(shop.creates()) == 3
    assert result.json["jobs"]["done"] == 3
    shop.sandbox.configure(credits=1000)
    shop.faults.add("create", "status", status=422, code="insufficient_credits", nth=1)
    assert shop.run().code == 7
    assert len(shop.creates()) == 3
    assert shop.run().code == 0
    shop.assert_adds_up()


@pytest.mark.parametrize("status", [400, 422])
def test_invariant_8_a_refused_request_costs_one_photo(shop: Shop, status: int):
    """Nothing was created; the job fails with the service's words, the others go on."""
    shop.some_photos(4)
    shop.faults.add("create", "status", status=status, nth=2, message="what a photo")
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"done": 3, "failed": 1} == result.json["jobs"]
    assert "what a photo" in next(job["error"] for job in shop.jobs() if job["state"] == "failed")
    assert result.json["credits"]["spent"] == 15
    assert shop.run("--json").code == 0
    assert len(shop.creates()) == 3


@pytest.mark.parametrize(("status", "commit"), [(307, True), (409, False), (500, True)])
def test_invariant_3_every_other_status_is_ambiguous(shop: Shop, status: int, commit: bool):
    """Whether or not it was charged: nobody can tell, so it is parked."""
    shop.some_photos(3)
    location = {"Location": f"{shop.sandbox.url}/elsewhere"} if status < 400 else {}
    shop.faults.add("create", "status", status=status, nth=2, commit=commit, headers=location)
    result = shop.run("--json")
    assert result.code == 3, result.err
    assert result.json["jobs"] | {"done": 2, "unresolved": 1} == result.json["jobs"]
    assert requests(shop) == 3
    again = shop.run("--json")
    assert again.code == 3
    assert requests(shop) == 3
    shop.assert_adds_up()


def test_invariant_3_a_late_502_is_ambiguous_a_quick_one_is_sent_again(shop: Shop, monkeypatch):
    """The quick one after half a minute, which is shortened here."""
    monkeypatch.setattr("batchbg.core.create_outcome.BAD_GATEWAY_PAUSE_S", 0.1)
    monkeypatch.setattr("batchbg.core.create_outcome.BAD_GATEWAY_QUICK_S", 3.0)
    shop.some_photos(3)
    shop.faults.add("create", "status", status=502, nth=1)
    shop.faults.add("create", "status", status=502, nth=3, after_s=3.2, commit=True)
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"done": 2, "unresolved": 1} == result.json["jobs"]
    assert requests(shop) == 4


def test_invariant_3_an_answer_that_still_holds_the_id_is_created(shop: Shop):
    """Also where the rest of it is cut off."""
    shop.some_photos(3)
    shop.faults.add("create", "truncated_json", nth=1)
    shop.faults.add("create", "truncated", nth=2, keep=0.6)
    shop.faults.add("create", "truncated_json", nth=3, keep_id=False)
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"done": 2, "unresolved": 1} == result.json["jobs"]
    assert len(shop.creates()) == 3


# -- refunds -------------------------------------------------------------------------------------------------------


def test_invariant_4_a_refund_makes_room_in_the_same_run(shop: Shop):
    """Five credits, refunded at once, are enough for one photo after another until one is rendered."""
    shop.some_photos(5)
    shop.faults.add("create", "job_error", nth="1-2")
    result = shop.run("--json", "--max-credits", "5")
    assert result.code == 8
    assert result.json["jobs"] | {"failed": 2, "done": 1, "planned": 2} == result.json["jobs"]
    assert result.json["credits"] | {"charged": 15, "refunded": 10, "spent": 5} == result.json["credits"]


def test_invariant_4_a_late_refund_is_waited_for_and_used(shop: Shop, monkeypatch):
    """Asked after 10 s and 60 s, which are shortened here."""
    monkeypatch.setattr(refunds, "ASKED_AFTER_S", (0.2, 0.8))
    shop.some_photos(3)
    shop.faults.add("create", "job_error", nth=1, refund_after_s=0.5)
    result = shop.run("--json", "--max-credits", "5")
    assert result.code == 8
    assert result.json["jobs"] | {"failed": 1, "done": 1, "planned": 1} == result.json["jobs"]
    assert result.json["credits"] | {"charged": 10, "refunded": 5} == result.json["credits"]


def test_invariant_4_without_a_refund_an_error_stays_charged_and_is_asked_for_once_a_run(shop: Shop, monkeypatch):
    """For 30 days; the refund belongs to the run of the reservation."""
    monkeypatch.setattr(refunds, "ASKED_AFTER_S", (0.05, 0.1))
    shop.photo("a.png")
    shop.faults.add("create", "job_error", refund_after_s=3600.0)
    result = shop.run("--json", "--max-credits", "5")
    assert result.code == 3
    assert result.json["credits"] | {"charged": 5, "spent": 5, "remaining": 0} == result.json["credits"]
    polls = shop.sandbox.books.requests("status")
    assert shop.run().code == 0
    assert shop.sandbox.books.requests("status") == polls + 1
    shop.sandbox.advance(3600.0)
    after = shop.run("--json", "--max-credits", "5")
    assert after.code == 0
    assert after.json["credits"] | {"refunded": 0, "remaining": 5} == after.json["credits"]
    assert shop.status()["credits"] | {"charged": 5, "refunded": 5, "spent": 0} == shop.status()["credits"]
    shop.assert_adds_up()


def test_a_canceled_render_is_told_and_its_credits_come_back(shop: Shop):
    """Somebody stopped it at the service."""
    shop.photo("a.png")
    shop.faults.add("create", "job_canceled")
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"]["canceled"] == 1
    assert result.json["credits"]["spent"] == 0


# -- following what is paid for ------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["draft", "COMPLETE"])
def test_an_unknown_status_is_waited_for(shop: Shop, word: str):
    """New words mean "not yet"."""
    shop.photo("a.png")
    shop.faults.add("status", "replace", fields={"status": word}, times=2)
    assert shop.run().code == 0
    assert shop.outputs() == ["a.png"]


def test_a_render_that_outlasts_the_patience_stays_and_is_asked_once_a_run(shop: Shop):
    """It gives its slot back; the next one is not held up, and a later run collects it."""
    shop.some_photos(2)
    shop.setting("RENDER_PATIENCE", "3")
    shop.faults.add("create", "render_time", nth=1, render_s=3600.0)
    result = shop.run("--json", "--max-in-flight", "1")
    assert result.code == 5
    assert result.json["jobs"] | {"done": 1, "rendering": 1} == result.json["jobs"]
    polls = shop.sandbox.books.requests("status")
    assert shop.resume().code == 5
    assert shop.sandbox.books.requests("status") == polls + 1
    shop.sandbox.advance(3600.0)
    assert shop.resume().code == 0
    assert len(shop.creates()) == 2


@pytest.mark.parametrize("fault", [("replace", {"fields": {"enabled": False}}), ("status", {"status": 404})])
def test_a_project_that_is_gone_is_failed_and_still_charged(shop: Shop, monkeypatch, fault):
    """A 404 never means "not charged"; one alone, shortly after the create, means nothing."""
    monkeypatch.setattr("batchbg.pool.track.GONE_AFTER_S", 0.2)
    monkeypatch.setattr("batchbg.pool.track.NEW_S", 0.2)
    shop.photo("a.png")
    kind, settings = fault
    shop.faults.add("status", kind, **settings)
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"]["failed"] == 1
    assert result.json["credits"]["charged"] == result.json["credits"]["spent"] == 5
    shop.faults.clear()
    assert shop.do("rescue").code == 0
    assert shop.outputs() == ["a.png"]


def test_a_404_at_first_is_nothing(shop: Shop, monkeypatch):
    """The record may be late."""
    monkeypatch.setattr("batchbg.pool.track.GONE_AFTER_S", 30.0)
    monkeypatch.setattr("batchbg.pool.track.GONE_ASKS", 300)  # the pause after each is their quotient
    shop.photo("a.png")
    shop.faults.add("status", "status", status=404, nth=1)
    assert shop.run().code == 0


def test_invariant_10_every_photo_is_counted_once(shop: Shop):
    """Seen is the sum of this scan's jobs, the reused, the skipped and the rejected."""
    shop.some_photos(6)
    shop.photo("copy.png", colour=1)
    shop.photo("copy2.png", colour=1)
    (shop.photos / "bad.jpg").write_text("no")
    shop.faults.add("create", "hang_up", nth=3)
    shop.faults.add("create", "job_error", nth=5)
    for _ in range(3):
        result = shop.run("--json").json
        photos = result["photos"]
        assert photos["seen"] == 9
        counted = sum(result["jobs"].values()) + photos["reused"] + photos["skipped"] + photos["rejected"]
        assert counted == 9, json.dumps(result)
        (shop.output / "photo-000.png").unlink(missing_ok=True)
