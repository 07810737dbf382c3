"""The page in a real browser: by keyboard alone and by mouse, for a screen reader, in the dark, on a phone."""

import json
from importlib import resources
from pathlib import Path

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.ledger import reviews
from tests.report.browser import Browser
from tests.report.support import Shop
from tests.review.support import draw, many, served
from tests.support.cut_outs import FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(900)]

HOSTILE = "<img src=x onerror=alert(1)>.jpg"

CURRENT = "document.querySelector('.tile[aria-selected=true] .name')?.textContent"
READY = f"Boolean({CURRENT})"
SEEN = "document.getElementById('status').textContent"
ALL_LOOKED_AT = f"/^[0-9,.]+ shown$/.test({SEEN})"


def verdicts(shop: Shop) -> dict[str, tuple[str, str]]:
    with shop.ledger.reading() as connection:
        return {job: (one.verdict.value, one.reason) for job, one in reviews.given(connection)}


@pytest.fixture
def few(shop: Shop) -> Shop:
    """Twelve results of which one is bad, a failed job, and a name that would run if it could."""
    for number in range(11):
        draw(shop, f"shoes/boots/{number:02}.jpg", 40 + number)
    draw(shop, "mugs/bad.jpg", 8, "hole")
    shop.make("mugs/failed.png", JobState.FAILED, error="</script><script>alert(2)</script>")
    shop.make(f"mugs/{HOSTILE}")
    return shop


def test_the_bad_ones_are_found_rejected_and_the_rest_accepted_by_keyboard_alone(shop: Shop, tmp_path: Path):
    """Of 400 results the 8 bad ones are among the first 24; no mouse is touched."""
    every, bad = 50, {}
    for number in range(400):
        fault = FAULTS[number // every % len(FAULTS)] if number % every == 0 else ""
        job = draw(shop, f"{number % 7}/IMG_{number:04}.jpg", 7_000 + number, fault)
        if fault:
            bad[job.id] = f"IMG_{number:04}.jpg"
    with served(shop) as server, Browser(tmp_path) as browser:
        browser.open(server.address)
        # Where nobody has begun yet, the order follows what is seen.
        browser.until(f"{READY} && {ALL_LOOKED_AT} && document.getElementById('refresh').hidden")
        found = []
        for _ in range(24):
            name = browser.ask(CURRENT)
            if name in bad.values():
                found.append(name)
                browser.key("r")
                browser.until("document.getElementById('rejecting').open")
                browser.key("Enter")  # the reason that was seen
            else:
                browser.key("a")
            browser.until(f"{CURRENT} !== {json.dumps(name)}")
        assert sorted(found) == sorted(bad.values())
        browser.ask("document.getElementById('accept-rest').focus()")
        browser.key("Enter")
        browser.until("document.getElementById('asking').open")
        browser.key("Enter")
        browser.until("document.querySelector('[data-group=undecided] .count').textContent === '0'")
        assert browser.complaints == []
    given = verdicts(shop)
    assert {job for job, (verdict, _) in given.items() if verdict == "rejected"} == set(bad)
    assert all(given[job][1] for job in bad), "each has its reason"
    assert len(given) == 400


def test_a_reason_is_a_digit_or_own_words_and_can_be_taken_back(few: Shop, tmp_path: Path):
    with served(few) as server, Browser(tmp_path) as browser:
        browser.open(server.address)
        browser.until(READY)
        first = browser.ask(CURRENT)
        browser.key("r")
        browser.type("2 much is gone")
        browser.key("Enter")
        browser.until(f"{CURRENT} !== {json.dumps(first)}")
        browser.key("r")
        browser.until("document.getElementById('rejecting').open")
        browser.key("3")
        browser.until("document.querySelector('[data-group=rejected] .count').textContent === '2'")
        assert "2 much is gone" in [reason for _, reason in verdicts(few).values()]
        browser.key("ArrowLeft")
        browser.key("u")
        browser.until("document.querySelector('[data-group=rejected] .count').textContent === '1'")
        browser.key("r")
        browser.key("Escape")
        browser.until("!document.getElementById('rejecting').open")
        assert len(verdicts(few)) == 1
        assert browser.complaints == []


def test_one_picture_zooms_pans_flips_and_turns_by_keys(few: Shop, tmp_path: Path):
    with served(few) as server, Browser(tmp_path) as browser:
        browser.open(server.address)
        browser.until(f"{READY} && {ALL_LOOKED_AT}")
        browser.key("Enter")
        browser.until("document.getElementById('viewer').open && document.querySelector('.sheet .after')?.naturalWidth")
        title = "document.getElementById('viewer-title').textContent"
        first = browser.ask(title)
        shown = (
            "[...document.querySelectorAll('.sheet img')].filter((each) => !each.hidden).map((each) => each.className)"
        )
        assert browser.ask(shown) == ["after"]
        browser.key(" ")
        assert browser.ask(shown) == ["before"]
        browser.key("2")
        assert browser.ask(shown) == ["after", "before"]
        assert not browser.ask("document.getElementById('divider').hidden")
        browser.key("z")
        assert browser.ask("document.getElementById('zoom').textContent") != "Fit"
        for _ in range(12):
            browser.key("+")
        assert browser.ask("document.getElementById('sheet').classList.contains('pixels')")
        where = browser.ask("document.getElementById('sheet').style.transform")
        box = browser.ask(
            "(() => { const b = document.getElementById('stage').getBoundingClientRect(); return [b.left, b.top]; })()"
        )
        browser.drag((box[0] + 300, box[1] + 200), (box[0] + 220, box[1] + 150))
        assert browser.ask("document.getElementById('sheet').style.transform") != where
        browser.key("0")
        assert browser.ask("document.getElementById('zoom').textContent") == "Fit"
        browser.key("b")
        assert browser.ask("document.getElementById('sheet').className").count("behind-white")
        browser.key("ArrowRight")
        browser.until(f"{title} !== {json.dumps(first)}")
        browser.key("ArrowLeft")
        browser.until(f"{title} === {json.dumps(first)}")
        browser.key("r")
        browser.key("Enter")
        browser.until(f"{title} !== {json.dumps(first)}")  # on to the next undecided
        browser.key("Escape")
        browser.until("!document.getElementById('viewer').open")
        assert browser.ask("document.activeElement.id") == "grid"
        assert browser.complaints == []


def test_the_divider_moves_by_mouse_and_everything_has_its_button(few: Shop, tmp_path: Path):
    with served(few) as server, Browser(tmp_path) as browser:
        browser.open(server.address)
        browser.until(READY)
        click = "document.getElementById('{}').click()"
        browser.ask(click.format("open"))
        browser.until("document.querySelector('.sheet .after')?.naturalWidth")
        browser.ask("document.querySelector('[data-mode=slider]').click()")
        box = "document.getElementById('divider').getBoundingClientRect()"
        x, y = browser.ask(f"{box}.left"), browser.ask(f"{box}.top") + 200
        browser.drag((x + 1, y), (x + 120, y))
        assert float(browser.ask("document.getElementById('slider').value")) > 55
        browser.ask(click.format("viewer-accept"))
        browser.until("document.querySelector('[data-group=accepted] .count').textContent === '1'")
        browser.ask(click.format("viewer-reject"))
        browser.ask("document.querySelector('#reasons button').click()")
        browser.until("document.querySelector('[data-group=rejected] .count').textContent === '1'")
        browser.ask(click.format("viewer-close"))
        browser.ask("document.querySelector('[data-group=rejected]').click()")
        browser.until("document.querySelectorAll('.tile').length === 1")
        assert browser.complaints == []


def test_what_is_chosen_survives_a_reload_and_the_secret_leaves_the_address(few: Shop, tmp_path: Path):
    with served(few) as server, Browser(tmp_path) as browser:
        browser.open(server.address)
        browser.until(READY)
        assert browser.ask("location.search") == ""
        browser.ask(
            "(() => { const box = document.getElementById('folder'); box.value = 'mugs';"
            " box.dispatchEvent(new Event('change')); })()"
        )
        browser.until("document.querySelectorAll('.tile').length === 3")
        browser.ask("document.querySelector('[data-group=failed]').click()")
        browser.until("document.querySelectorAll('.tile').length === 1")
        address = browser.ask("location.href")
        assert address.endswith("/?group=failed&folder=mugs")
        browser.open(address)
        browser.until(READY)
        assert browser.ask("[...document.querySelectorAll('.tile .name')].map((each) => each.textContent)") == [
            "failed.png"
        ]
        assert browser.complaints == []


def test_a_name_is_never_run(few: Shop, tmp_path: Path):
    with served(few) as server, Browser(tmp_path) as browser:
        browser.open(server.address)
        browser.until(READY)
        names = browser.ask("[...document.querySelectorAll('.tile .name')].map((each) => each.textContent)")
        assert HOSTILE in names
        assert browser.ask("document.querySelectorAll('img[src=x]').length") == 0
        # Even a script that got into the page would not be one: its address is no file of the page's.
        browser.ask(
            "const s = document.createElement('script'); s.textContent = 'window.run = 1'; document.body.append(s)"
        )
        assert browser.ask("window.run") is None
        assert all("Content Security Policy" in one for one in browser.complaints)
        assert all(
            url.startswith(f"http://127.0.0.1:{server.port}/") or url.startswith("data:") for url in browser.requests
        )


def test_a_hundred_thousand_results_are_a_few_tiles(shop: Shop, tmp_path: Path):
    many(shop, 100_000)
    with served(shop) as server, Browser(tmp_path) as browser:
        browser.open(f"{server.address}&order=name")
        browser.until(READY)
        assert browser.ask(SEEN).startswith("100,000 shown")
        browser.key("End")
        browser.until(f"{CURRENT} === 'first.png'")
        for density in range(7):
            browser.ask(
                f"(() => {{ const d = document.getElementById('density'); d.value = {density}; d.dispatchEvent(new Event('input')); }})()"
            )
            browser.until(f"{CURRENT} === 'first.png'")
            assert browser.ask("document.querySelectorAll('.tile').length") < 1_000
            assert browser.ask("document.getElementById('grid').offsetHeight") < 16_000_000
        frames = browser.ask(SCROLLING)
        assert frames["most"] < 400, frames
        assert {one for one in browser.complaints if "404" not in one} == set()  # their files are missing


SCROLLING = """
new Promise((done) => {
  const scroller = document.getElementById('scroller');
  const d = document.getElementById('density'); d.value = 3; d.dispatchEvent(new Event('input'));
  scroller.scrollTop = 0;
  const took = [];
  let last = performance.now();
  const step = () => {
    const now = performance.now();
    took.push(now - last);
    last = now;
    scroller.scrollTop += 700;
    if (took.length < 120) requestAnimationFrame(step);
    else {
      const sorted = [...took].sort((a, b) => a - b);
      done({ median: sorted[60], most: sorted[118], tiles: document.querySelectorAll('.tile').length });
    }
  };
  requestAnimationFrame(step);
})
"""


@pytest.mark.parametrize(("width", "height", "dark"), [(1280, 900, False), (1280, 900, True), (390, 844, False)])
def test_whoever_cannot_see_it_can_use_it(few: Shop, tmp_path: Path, width: int, height: int, dark: bool):
    """Axe finds nothing wrong with the sheet, the viewer, and every dialog."""
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    script = (resources.files(axe) / "axe.min.js").read_text(encoding="utf-8")
    with served(few) as server, Browser(tmp_path, width=width, height=height, dark=dark) as browser:
        browser.open(server.address)
        browser.until(f"{READY} && {ALL_LOOKED_AT}")
        browser.ask(script)
        check = (
            "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations"
            ".map((each) => each.id + ': ' + each.nodes.map((node) => node.target.join(' ') + ' ' + node.failureSummary).join('; ')))"
        )
        assert browser.ask(check) == []
        browser.ask("document.getElementById('more').open = true")
        assert browser.ask(check) == []
        assert browser.ask("document.documentElement.scrollWidth") <= width
        for keys in (["Enter"], ["2"], ["r"]):
            for key in keys:
                browser.key(key)
            browser.until("document.querySelector('.sheet .after')?.naturalWidth")
            assert browser.ask(check) == []
        browser.key("Escape")
        browser.key("Escape")
        browser.until("!document.querySelector('dialog[open]')")
        browser.key("?")
        browser.until("document.getElementById('help').open")
        assert browser.ask(check) == []
        assert browser.ask("document.documentElement.scrollWidth") <= width
