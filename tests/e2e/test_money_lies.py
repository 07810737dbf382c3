"""A service that lies about prices, gateways that lie about creates, and records that are another's."""

import itertools
import signal
import time

import pytest

from tests.support.shop import Shop

pytestmark = pytest.mark.slow

NOTHING = {"credits_charged": 0}


@pytest.fixture
def quick_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause after a 502 takes no half minute."""
    monkeypatch.setattr("batchbg.core.create_outcome.BAD_GATEWAY_PAUSE_S", 0.2)


def assert_true(shop: Shop) -> None:
    """The ledger says what the service's own books say."""
    books = shop.sandbox.books
    credits = shop.status()["credits"]
    assert (credits["charged"], credits["spent"]) == (books.charged, books.charged - books.refunded)
    shop.assert_adds_up()


# -- prices --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", ["8", "40"])
@pytest.mark.parametrize(("answer", "price", "cap", "creates"), [(0, 5, 20, 4), (5, 7, 40, 5), (3, 5, 14, 2)])
def test_an_answer_that_understates_spends_nothing_past_the_cap(shop: Shop, width, answer, price, cap, creates):
    """Until the record is final a job counts the most that anybody has named."""
    shop.some_photos(45)
    shop.faults.add("create", "price", credits=price)
    shop.faults.add("create", "replace", fields={"credits_charged": answer})
    result = shop.run("--json", "--max-credits", str(cap), "--max-in-flight", width)
    assert result.code == 8
    assert len(shop.creates()) == creates
    assert shop.sandbox.books.charged == result.json["credits"]["charged"] <= cap
    assert_true(shop)


def test_a_record_that_is_dearer_while_it_waits_is_reserved_by_the_next(shop: Shop):
    """The first create goes alone until its record was seen, and the record names the price."""
    shop.some_photos(30)
    shop.faults.add("create", "price", credits=7)
    shop.faults.add("create", "replace", fields={"credits_charged": 5})
    shop.sandbox.configure(render_s=0.5)
    result = shop.run("--json", "--max-credits", "23", "--max-in-flight", "30")
    assert result.code == 8
    assert len(shop.creates()) == 3
    assert "takes 7 credits, where 5 were reserved" in result.err
    assert_true(shop)


def test_what_an_earlier_run_left_says_nothing_of_today_s_price(shop: Shop):
    """Its record is seen first, and the price has risen since: the first create of the run goes alone all the same."""
    shop.setting("RENDER_PATIENCE", "1s")
    shop.photo("left.png")
    shop.sandbox.configure(render_s=100_000)
    shop.run()
    shop.sandbox.advance(100_000)
    shop.sandbox.configure(render_s=0.5)
    shop.some_photos(30)
    shop.faults.add("create", "price", credits=7)
    shop.faults.add("create", "replace", fields={"credits_charged": 5})
    shop.faults.add("upload", "delay", seconds=0.5)
    result = shop.run("--json", "--max-credits", "23", "--max-in-flight", "30")
    assert result.code == 8
    assert len(shop.creates()) == 1 + 3
    assert_true(shop)


def test_a_render_in_vain_counts_what_the_service_kept(shop: Shop, monkeypatch):
    """9 were taken and none given back, whatever the answer said; over three runs with `retry` in between."""
    monkeypatch.setattr("batchbg.pool.refunds.ASKED_AFTER_S", (0.01, 0.02))
    shop.some_photos(6)
    shop.faults.add("create", "price", credits=9)
    shop.faults.add("create", "replace", fields=NOTHING)
    shop.faults.add("create", "job_error", refund_after_s=None)
    for _ in range(3):
        shop.run("--json", "--max-credits", "30")
        assert_true(shop)
        shop.do("retry", "--requests-per-second", "1000")
        assert_true(shop)
    assert shop.sandbox.books.charged == 54


@pytest.mark.parametrize("told", [10**12, 5.5, -5, "many", 51])
@pytest.mark.parametrize("where", ["create", "status"])
def test_an_odd_price_stops_creates_until_a_person_has_judged_it(shop: Shop, told, where: str):
    """One create, whose result is collected; the next run sends none; a word lets them go on."""
    shop.some_photos(5)
    fault = shop.faults.add(where, "replace", fields={"credits_charged": told})
    result = shop.run("--json")
    assert result.code == 7, result.err
    assert (len(shop.creates()), len(shop.outputs())) == (1, 1)
    assert str(told) in result.err
    assert "--accept-price" in result.err
    assert shop.run("--json").code == 7
    assert len(shop.creates()) == 1
    shop.faults.clear()
    assert fault.fired
    assert shop.do("account", "--dismiss-price").code == 0
    assert shop.run("--json").code == 0
    assert_true(shop)


def test_an_accepted_price_is_what_images_take_from_then_on(shop: Shop):
    """No question is asked twice, and the cap holds at that price."""
    shop.some_photos(5)
    shop.faults.add("create", "price", credits=60)
    assert shop.run("--json", "--max-credits", "200").code == 7
    assert shop.status()["credits"]["spent"] == 60
    assert shop.do("account", "--accept-price").code == 0
    result = shop.run("--json", "--max-credits", "200")
    assert result.code == 8, result.err
    assert len(shop.creates()) == 1 + 3
    assert_true(shop)


def test_a_price_that_changes_is_told_once(shop: Shop):
    """Also with -q, for it is the shop's money."""
    shop.some_photos(6)
    shop.faults.add("create", "price", credits=6)
    result = shop.run("-q")
    assert result.code == 0
    assert result.err.count("takes 6 credits") == 1


# -- gateways ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick_gateway")
@pytest.mark.parametrize("width", ["1", "8"])
def test_a_502_that_has_made_something_is_found_out_by_the_balance(shop: Shop, width: str):
    """Nothing is sent again, and after three no create leaves."""
    shop.some_photos(30)
    shop.faults.add("create", "status", status=502, commit=True)
    result = shop.run("--json", "--max-credits", "20", "--max-in-flight", width)
    assert result.code == 5
    assert len(shop.creates()) == 3
    assert result.json["jobs"]["unresolved"] == 3
    assert result.json["credits"]["spent"] == shop.sandbox.books.charged == 15
    shop.run("--max-credits", "20")
    assert len(shop.creates()) <= 3 + 3
    shop.assert_adds_up()


@pytest.mark.usefixtures("quick_gateway")
def test_a_502_that_has_made_nothing_is_sent_again(shop: Shop):
    """Where the balance is as it was; an id clears the doubt."""
    shop.some_photos(12)
    shop.faults.add("create", "status", status=502, nth=[3, 7])
    result = shop.run("--json")
    assert result.code == 0, result.err
    assert result.json["jobs"]["done"] == 12
    assert_true(shop)


def test_after_a_502_none_leaves_although_one_that_was_in_the_air_is_answered(shop: Shop, monkeypatch):
    """The answer to a create that left before it says nothing of the gateway: the pause is everybody's."""
    monkeypatch.setattr("batchbg.core.create_outcome.BAD_GATEWAY_PAUSE_S", 4.0)
    shop.some_photos(12)
    shop.faults.add("create", "status", status=502, nth=2, after_s=0.6)
    shop.faults.add("create", "delay", seconds=1.2, nth=[3, 4, 5])
    result = shop.run("--json", "--max-in-flight", "4")
    assert result.code == 0, result.err
    starts = shop.sandbox.books.starts("create")
    assert max(later - earlier for earlier, later in itertools.pairwise(starts)) > 3.0
    assert_true(shop)


@pytest.mark.usefixtures("quick_gateway")
@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 403}, {"status": 500}])
def test_a_502_whose_truth_cannot_be_seen_is_unresolved(shop: Shop, monkeypatch, fault):
    """Without a balance nobody can tell."""
    monkeypatch.setattr("batchbg.run.accounts.ACCOUNT_WAIT_S", 0.1)
    shop.some_photos(4)
    shop.faults.add("account", "status", **fault)
    shop.faults.add("create", "status", status=502, nth=2)
    result = shop.run("--json")
    assert result.code == 3, result.err
    assert result.json["jobs"] | {"done": 3, "unresolved": 1} == result.json["jobs"]
    shop.assert_adds_up()


@pytest.mark.usefixtures("quick_gateway")
def test_a_502_beside_lost_answers_is_not_explained_by_them(shop: Shop):
    """What is lost may have been charged or not; it must not hide what the gateway's create took."""
    shop.some_photos(12)
    shop.faults.add("create", "status", status=502, nth=6, commit=True)
    shop.faults.add("create", "status", status=500, nth=4, commit=False)
    result = shop.run("--json", "--max-in-flight", "1")
    assert result.code == 3
    assert result.json["jobs"]["unresolved"] == 2
    shop.assert_adds_up()


@pytest.mark.parametrize("between", [429, 503])
def test_refusals_between_lost_answers_are_no_comfort(shop: Shop, between: int):
    """A service that charges and hangs up between its refusals loses three photos, not thirty."""
    shop.some_photos(30)
    shop.faults.add("create", "reset", nth=range(1, 1000, 2))
    shop.faults.add("create", "status", status=between, nth=range(2, 1000, 2), retry_after=0)
    result = shop.run("--json", "--max-in-flight", "4")
    assert result.code == 5, result.err
    assert len(shop.creates()) == (3 if between == 429 else 2)
    assert result.json["jobs"]["unresolved"] == 3
    shop.assert_adds_up()


# -- whose project it is -------------------------------------------------------------------------------------------


def test_the_picture_of_another_project_is_never_taken(shop: Shop):
    """The record bears another's name: the job is unresolved, and nothing of it is saved."""
    shop.some_photos(6)
    shop.faults.add("status", "replace", fields={"name": "batchbg somebodyelse-1 mug.jpg"}, times=1)
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"done": 5, "unresolved": 1} == result.json["jobs"]
    assert len(shop.outputs()) == 5
    shop.assert_adds_up()


def test_a_service_that_gives_every_project_another_name_is_left_after_three(shop: Shop):
    """Each create yields an id, so that lost answers alone would not tell."""
    shop.some_photos(20)
    shop.faults.add("status", "replace", fields={"name": "Background Remover"})
    result = shop.run("--json", "--max-in-flight", "8")
    assert result.code == 5
    assert len(shop.creates()) == 3
    assert (result.json["jobs"]["unresolved"], shop.outputs()) == (3, [])
    shop.assert_adds_up()


def test_a_project_without_a_name_is_tracked_and_said(shop: Shop):
    """The schema allows it; the create's own answer named the project."""
    shop.some_photos(3)
    shop.faults.add("status", "replace", fields={"name": None})
    result = shop.run("--json")
    assert result.code == 0
    assert "reports no name" in result.err
    assert len(shop.outputs()) == 3


def test_resolve_takes_the_present_attempts_project_alone(shop: Shop):
    """That of the first attempt, which was refunded, is not the second's; one without a name needs a person's word."""
    shop.photo("a.png")
    shop.faults.add("create", "job_error", nth=1)
    assert shop.run().code == 3
    (first,) = shop.creates()
    assert shop.do("retry").code == 0
    shop.faults.clear()
    shop.faults.add("create", "hang_up", nth=1)
    assert shop.resume().code == 3
    (job,) = shop.jobs()
    _, second = shop.creates()
    refused = shop.do("resolve", job["id"], "--project-id", first.project_id)
    assert (refused.code, "earlier attempt" in refused.err) == (2, True)
    nameless = shop.faults.add("status", "replace", fields={"name": None}, times=1)
    asked = shop.do("resolve", job["id"], "--project-id", second.project_id)
    assert (asked.code, "--yes-it-is" in asked.err, nameless.fired) == (2, True, 1)
    shop.faults.add("status", "replace", fields={"name": None}, times=1)
    assert shop.do("resolve", job["id"], "--project-id", second.project_id, "--yes-it-is").code == 0
    assert shop.resume().code == 0
    assert shop.status()["credits"]["spent"] == 5
    shop.assert_adds_up()


def test_a_create_goes_out_on_a_connection_on_which_nothing_was_read(shop: Shop):
    """What is left over there from an earlier answer would be taken for its own."""
    shop.some_photos(6)
    forged = '{"id":"forged","frame_cost":5,"credits_charged":5}'
    answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: <length>\r\n\r\n<body>"
    more = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(forged)}\r\n\r\n{forged}"
    for operation in ("create", "upload_urls", "account"):
        shop.faults.add(operation, "raw", answer=answer + more, then="hang", seconds=1.0)
    result = shop.run("--json", "--max-in-flight", "2")
    assert result.code == 0, result.err
    assert result.json["jobs"]["done"] == 6
    assert "forged" not in {job["project_id"] for job in shop.jobs()}
    shop.assert_adds_up()


# -- what the service says later -----------------------------------------------------------------------------------


def test_a_render_that_took_nothing_is_not_paid_for_again(shop: Shop):
    """Its download is spoilt: `rescue` and `retry` ask for it again, for nothing."""
    shop.photo("a.png")
    shop.faults.add("create", "price", credits=0)
    shop.faults.add("download", "corrupt")
    assert shop.run().code == 3
    shop.faults.clear()
    for command in ("retry", "rescue"):
        if shop.jobs()[0]["state"] == "done":
            (shop.output / "a.png").unlink()
        shop.do(command)
        assert (len(shop.creates()), shop.outputs()) == (1, ["a.png"]), command


def test_an_account_that_ends_in_the_job_stops_creates_and_plans_again(shop: Shop, monkeypatch):
    """Exit 7; with new credits the next run does them, and no night says that all is well before."""
    monkeypatch.setattr("batchbg.pool.refunds.ASKED_AFTER_S", (0.01, 0.02))
    shop.some_photos(12)
    shop.faults.add("create", "job_error", nth="3-", code="insufficient_credits", refund_after_s=0.0)
    result = shop.run("--json", "--max-in-flight", "1")
    assert result.code == 7, result.err
    assert result.json["jobs"] | {"done": 2, "planned": 10, "failed": 0} == result.json["jobs"]
    shop.faults.clear()
    assert shop.run("--json").code == 0
    assert_true(shop)


def test_a_refund_that_comes_later_plans_the_job_again(shop: Shop, monkeypatch):
    """Until it is seen the job waits, and the run says so; the run that sees it does the job."""
    monkeypatch.setattr("batchbg.pool.refunds.ASKED_AFTER_S", (0.01, 0.02))
    shop.some_photos(3)
    shop.faults.add("create", "job_error", nth=2, code="insufficient_credits", refund_after_s=3600.0)
    assert shop.run("--json", "--max-in-flight", "1").code == 7
    again = shop.run("--json")
    assert again.code == 3, again.err
    assert again.json["jobs"] | {"done": 1, "failed": 1} == again.json["jobs"]
    shop.sandbox.advance(3601)
    third = shop.run("--json")
    assert third.code == 0, third.err
    assert third.json["jobs"]["done"] == 1
    assert_true(shop)


def test_uploads_that_went_early_are_made_anew(shop: Shop):
    """One lost background fails no more than the jobs that named it; each is done in the same run."""
    shop.some_photos(4)
    shop.background("wall.png")
    assert shop.run().code == 0
    shop.some_photos_more(4)
    uploads = shop.requests("upload")
    shop.faults.add("create", "job_error", code="invalid_image_path", nth=[1, 2])
    result = shop.run("--json", "--max-in-flight", "1")
    assert result.code == 0, result.err
    assert result.json["jobs"]["done"] == 4
    assert shop.requests("upload") > uploads + 4
    assert_true(shop)


def test_an_upload_that_is_lost_twice_is_the_photos_trouble(shop: Shop):
    """It is made good once."""
    shop.photo("a.png")
    shop.faults.add("create", "job_error", code="invalid_image_path")
    assert shop.run("--json").code == 3
    assert len(shop.creates()) == 2
    assert shop.run("--json").code == 0
    assert len(shop.creates()) == 2


def test_a_key_that_may_not_read_the_account_is_said(shop: Shop):
    """A floor under the balance cannot be held then: that is the account's trouble, not a cap's."""
    shop.some_photos(2)
    shop.faults.add("account", "status", status=403)
    shop.setting("BUDGET_KEEP_BALANCE", "10")
    held = shop.run("--json")
    assert (held.code, "permission" in held.err, shop.creates()) == (7, True, [])
    assert shop.do("account").code == 7
    assert "lacks the permission to read the account" in shop.do("doctor", "--base-url", shop.base_url).out
    shop.setting("BUDGET_KEEP_BALANCE", "0")
    (shop.photos / "photo-000.png").touch()
    del shop._settings["BATCHBG_BUDGET_KEEP_BALANCE"]
    free = shop.run("--json")
    assert (free.code, "permission" in free.err) == (0, True)


def test_a_project_that_is_not_known_yet_is_asked_for_again(shop: Shop, monkeypatch):
    """Some services copy with a delay."""
    monkeypatch.setattr("batchbg.pool.track.GONE_AFTER_S", 0.05)
    shop.some_photos(2)
    shop.faults.add("status", "status", status=404, nth="1-14")
    result = shop.run("--json")
    assert result.code == 0, result.err


@pytest.mark.parametrize("downloads", [None, []])
def test_complete_without_a_download_costs_one_job(shop: Shop, monkeypatch, downloads):
    """Asked again, then failed and still charged; the others go on."""
    monkeypatch.setattr("batchbg.pool.track.EMPTY_ASKS", 1)
    shop.some_photos(4)
    victim: list[str] = []
    shop.meanwhile("create", lambda: victim.append(shop.creates()[0].project_id))
    shop.faults.add("status", "replace", fields={"downloads": downloads}, nth="1-9")
    result = shop.run("--json", "--max-in-flight", "1")
    assert result.code in (0, 3), result.err
    assert result.json["jobs"]["done"] + result.json["jobs"]["failed"] == 4
    assert result.json["credits"]["charged"] == 20
    shop.faults.clear()
    shop.do("rescue")
    assert len(shop.outputs()) == 4
    assert_true(shop)


# -- a person's words ----------------------------------------------------------------------------------------------


def test_the_cap_of_a_run_holds_for_what_it_began(shop: Shop):
    """`resume` without a cap spends nothing past it; a cap that a person gives takes its place."""
    shop.some_photos(8)
    assert shop.run("--max-credits", "10").code == 8
    resumed = shop.resume("--json", "--yes")
    assert (resumed.code, len(shop.creates())) == (8, 2), resumed.err
    assert "--max-credits" in resumed.json["reasons"][0]
    assert resumed.json["credits"] | {"spent": 10, "cap": 10, "remaining": 0} == resumed.json["credits"]
    assert shop.run("--json", "--yes").code == 8
    assert len(shop.creates()) == 2
    assert shop.resume("--max-credits", "15").code == 8
    assert len(shop.creates()) == 2 + 3
    assert shop.resume("--max-credits", "100").code == 0
    assert_true(shop)


def test_the_cap_of_a_run_is_not_that_of_other_photos(shop: Shop):
    """What another run begins without a cap has none."""
    shop.some_photos(4)
    assert shop.run("--max-credits", "10").code == 8
    other = Shop.beside(shop, "other")
    for name in ("a.png", "b.png", "c.png"):
        other.photo(name, (80, 60))
    assert other.run("--json").code == 0
    assert len(shop.creates()) == 2 + 3


def test_a_force_order_that_was_stopped_goes_on_where_it_stopped(shop: Shop):
    """The same command again pays for the rest; once it is done, it is a new order."""
    shop.some_photos(10)
    assert shop.run().code == 0
    assert shop.run("--force", "--max-credits", "35").code == 8
    assert len(shop.creates()) == 10 + 7
    went_on = shop.run("--json", "--force", "--max-credits", "100")
    assert (went_on.code, len(shop.creates())) == (0, 10 + 10), went_on.err
    assert shop.run("--force").code == 0
    assert len(shop.creates()) == 10 + 10 + 10
    assert_true_of_forced(shop)


def test_a_force_order_that_was_tried_by_a_pilot_goes_on(shop: Shop):
    """The pilot's photos are done."""
    shop.some_photos(10)
    assert shop.run().code == 0
    assert shop.run("--force", "--pilot", "3").code == 8
    assert shop.run("--force").code == 0
    assert len(shop.creates()) == 10 + 10
    assert_true_of_forced(shop)


def test_a_person_can_give_a_force_order_anew(shop: Shop):
    """--again says so; another selection is another order."""
    shop.some_photos(6)
    assert shop.run().code == 0
    assert shop.run("--force", "--max-credits", "10").code == 8
    assert shop.run("--force", "--again", "--max-credits", "100").code == 0
    assert len(shop.creates()) == 6 + 2 + 6
    assert shop.run("--force", "--include", "photo-00[01].png").code == 0
    assert len(shop.creates()) == 6 + 2 + 6 + 2
    assert_true_of_forced(shop)


def test_a_killed_force_order_goes_on(shop: Shop):
    """Whatever the instant."""
    shop.some_photos(8)
    assert shop.run().code == 0
    shop.sandbox.configure(render_s=0.2)
    process = shop.spawn("run", "--force", "--max-in-flight", "2")
    shop.wait_for(lambda: len(shop.creates()) >= 8 + 4)
    process.kill()
    process.wait()
    result = shop.run("--json", "--force")
    assert result.code in (0, 3), result.err
    assert len(shop.creates()) <= 8 + 8
    shop.do("ledger check")


def assert_true_of_forced(shop: Shop) -> None:
    """As above; the same picture was paid for more than once, as a person said."""
    books = shop.sandbox.books
    credits = shop.status()["credits"]
    assert (credits["charged"], credits["spent"]) == (books.charged, books.charged - books.refunded)
    assert shop.do("ledger check").code == 0


# -- a process that slept ------------------------------------------------------------------------------------------


def test_answers_that_came_while_the_process_slept_are_read(shop: Shop):
    """Stopped for longer than any patience, with creates in the air that are answered meanwhile: none is lost."""
    shop.some_photos(6)
    shop.sandbox.configure(render_s=0.05)
    shop.faults.add("create", "delay", seconds=0.7, nth="2-")
    patience = "from batchbg.api import connection; connection.SILENT_S = 3.0; connection.DEADLINE_S = 3.0;"
    process = shop.spawn("run", "--json", "--max-in-flight", "8", first=patience)
    shop.wait_for(lambda: shop.requests("create") >= 4)
    process.send_signal(signal.SIGSTOP)
    time.sleep(4.5)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert '"unresolved": 0' in out
    assert len(shop.creates()) == 6
    assert_true(shop)
