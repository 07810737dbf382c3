import json
import re

import pytest

from tests.support.shop import Shop


def test_a_line_a_photo_tells_all(shop: Shop):
    """Size, background and how it fits, with -vv in figures, output, cost; or the reason why not."""
    shop.photo("a.png", size=(64, 48))
    shop.photo("b.png", size=(200, 50))
    (shop.photos / "bad.jpg").write_text("text")
    shop.background("wood.png")
    result = shop.do("plan", "-v")
    assert result.code == 3
    assert "new    a.png  64x48  on wood.png  fits  -> a.png  5 credits\n" in result.out
    cropped = "cropped 67 %, enlarged 3.1 times"
    assert f"new    b.png  200x50  on wood.png  {cropped}  -> b.png  5 credits\n" in result.out
    assert "rejected bad.jpg: not a picture" in result.err
    assert "1 photo: its background is cropped and enlarged, which blurs it" in result.out
    figures = "fits (distortion 0.000, blur 0.000, excess 0.000)"
    assert f"new    a.png  64x48  on wood.png  {figures}  -> a.png  5 credits\n" in shop.do("plan", "-vv").out
    shop.run()
    lines = shop.do("plan", "-v").out.splitlines()
    assert lines[:2] == ["skip   a.png  done before", "skip   b.png  done before"]
    assert lines[2:4] == ["3 photos: 0 new jobs, 0 credits", "2 skipped: done before"]


def test_totals_in_credits_money_and_time(shop: Shop):
    """From the pool's width and the median the service tells."""
    shop.some_photos(5)
    (shop.folder / "config.toml").write_text("[budget]\nprice_per_credit = 0.02\n")
    result = shop.do("plan", "--max-in-flight", "2")
    assert "5 photos: 5 new jobs, 25 credits (0.50)" in result.out
    assert "about 10 s, with 2 jobs in flight at 4 s each" in result.out


@pytest.mark.slow
def test_the_plan_warns_where_a_cap_will_not_do(shop: Shop):
    """And says for how many jobs it will."""
    shop.some_photos(3)
    result = shop.do("plan", "--max-credits", "12")
    assert "warning: max_credits of this run: 12 of 12 credits left, enough for 2 of 3 jobs" in result.out
    (shop.folder / "config.toml").write_text("[budget]\nper_day = 15\n")
    assert "warning" not in shop.do("plan").out
    assert shop.run("--max-files", "1").code == 8
    shop.photo("more.png")
    assert "warning: budget.per_day: 10 of 15 credits left, enough for 2 of 3 jobs" in shop.do("plan").out


@pytest.mark.slow
def test_what_an_earlier_run_planned_is_part_of_the_cost_and_of_a_saved_plan(shop: Shop):
    """It is still to be paid, and to be approved."""
    shop.some_photos(3)
    assert shop.run("--max-files", "1").code == 8
    saved = shop.folder / "plan.jsonl"
    result = shop.do("plan", "--save", str(saved))
    assert "0 new jobs" in result.out
    assert "2 jobs to create in all, 10 credits" in result.out
    assert len(saved.read_text().splitlines()) == 2
    assert shop.run("--plan", str(saved)).code == 0
    assert len(shop.creates()) == 3


def test_the_plan_as_one_object(shop: Shop):
    """With -v the lines go to stderr, so that stdout can be parsed."""
    shop.some_photos(2)
    shop.background("wood.png")
    (shop.backgrounds / "torn.png").write_bytes(b"\x89PNG")
    result = shop.do("plan", "--json", "-v", "--max-credits", "5")
    found = json.loads(result.out)
    assert found["jobs"] == {"new": 2, "taken_up": 0}
    assert (found["credits"], found["price"], found["seconds"], found["cap_left"]) == (10, 5, 4.0, 5)
    assert found["backgrounds"] == {"wood.png": 2}
    assert list(found["rejected_backgrounds"]) == ["torn.png"]
    assert len(found["warnings"]) == 1
    assert "photo-000.png" in result.err


@pytest.mark.parametrize("command", ["plan", "run"])
def test_without_a_background_that_can_be_used_nothing_is_sent(shop: Shop, command: str):
    """Exit 2, with the folder's name."""
    shop.some_photos(1)
    shop.backgrounds.mkdir()
    (shop.backgrounds / "torn.png").write_bytes(b"\x89PNG")
    result = shop.do(command) if command == "plan" else shop.run()
    assert result.code == 2
    assert "holds no picture that can be used" in result.err
    assert not shop.creates()


@pytest.mark.slow
def test_the_examples_of_its_help_work_in_their_order(shop: Shop):
    """As they are printed: what is kept with backgrounds is done with them."""
    shop.some_photos(2)
    shop.background("oak.png")
    told = [line.strip() for line in shop.batchbg("plan", "--help").out.splitlines()]
    examples = [re.split(r"\s{2,}", line)[0].split()[1:] for line in told if line.startswith("batchbg ")]
    assert [example[0] for example in examples] == ["plan", "plan", "run"]
    for example in examples:
        extra = ["--base-url", shop.base_url] if example[0] == "run" else []
        result = shop.batchbg(*example, *extra)
        assert result.code == 0, result.err
    assert [job["background"] for job in shop.jobs()] == ["oak.png", "oak.png"]
