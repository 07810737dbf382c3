"""The report in a real browser: it works by mouse and keyboard, complains of nothing, and runs nobody else's script."""

import re
from pathlib import Path

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Size
from batchbg.report import gathering
from batchbg.report.page import write_report
from tests.report.browser import Browser
from tests.report.support import Shop, picture

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]

HOSTILE = "<img src=x onerror=alert(1)>.jpg"

CARDS = "document.querySelectorAll('.card').length"
NAMES = "[...document.querySelectorAll('.card h3')].map((each) => each.textContent)"
AT = "document.querySelector('.pair').style.getPropertyValue('--at')"


@pytest.fixture
def full(shop: Shop) -> Shop:
    for number in range(30):
        shop.make(f"shoes/boots/{number:02}.png", content=picture("red", Size(24, 16 + number)), background="wall.png")
    shop.make("mugs/one.png")
    shop.make("mugs/failed.png", JobState.FAILED)
    shop.make(f"mugs/{HOSTILE}", JobState.UNRESOLVED, error="</script><script>alert(2)</script>")
    shop.end(3)
    return shop


def test_filters_and_pages(full: Shop, tmp_path: Path):
    with Browser(tmp_path) as browser:
        browser.open(write_report(full.url))
        assert browser.ask(CARDS) == 24
        browser.ask("document.getElementById('next').click()")
        assert browser.ask(CARDS) == 9
        browser.ask("document.querySelector('[data-state=failed]').click()")
        assert browser.ask(NAMES) == ["failed.png"]
        assert browser.ask("document.querySelector('[data-state=failed]').getAttribute('aria-pressed')") == "true"
        browser.ask("document.querySelector('[data-state=\"\"]').click()")
        browser.ask(
            "(() => { const box = document.getElementById('folder'); box.selectedIndex ="
            " [...box.options].findIndex((each) => each.value === 'shoes');"
            " box.dispatchEvent(new Event('change')); })()"
        )
        assert browser.ask("document.getElementById('status').textContent") == "1 to 24 of 30 (33 in all)"
        browser.ask("document.getElementById('search').focus()")
        browser.type("07 WALL")
        browser.until(f"{CARDS} === 1")
        assert browser.ask(NAMES) == ["07.png"]
        assert browser.complaints == []


def test_the_slider_moves_by_mouse_and_keyboard(full: Shop, tmp_path: Path):
    with Browser(tmp_path) as browser:
        browser.open(write_report(full.url))
        browser.ask("document.querySelector('[data-state=done]').click()")
        browser.ask("document.querySelector('.pair input').scrollIntoView({block: 'center'})")
        box = "document.querySelector('.pair').getBoundingClientRect()"
        left, top, width, height = (browser.ask(f"{box}.{name}") for name in ("left", "top", "width", "height"))
        middle = top + height / 2
        browser.drag((left + width / 2, middle), (left + width * 0.9, middle))
        assert 85 <= float(browser.ask(AT).rstrip("%")) <= 95
        browser.ask("document.querySelector('.pair input').focus()")
        browser.key("Home")
        assert browser.ask(AT) == "0%"
        browser.key("ArrowRight")
        assert browser.ask(AT) == "1%"
        assert browser.ask("document.activeElement.getAttribute('aria-valuetext')") == "1 % before, 99 % after"
        assert browser.complaints == []


def test_the_viewer_opens_turns_and_closes_by_keyboard(full: Shop, tmp_path: Path):
    with Browser(tmp_path) as browser:
        browser.open(write_report(full.url))
        first, second = browser.ask(NAMES)[:2]
        browser.ask("document.querySelector('.open-viewer').focus()")
        browser.key("Enter")
        browser.until("document.getElementById('viewer').open")
        title = "document.getElementById('viewer-title').textContent"
        assert browser.ask(title) == first
        browser.key("ArrowRight")
        assert browser.ask(title) == second
        browser.key("ArrowLeft")
        assert browser.ask(title) == first
        browser.key("Escape")
        browser.until("!document.getElementById('viewer').open")
        assert browser.ask("document.activeElement.className") == "open-viewer"
        assert browser.complaints == []


def test_a_file_name_is_never_run(full: Shop, tmp_path: Path):
    with Browser(tmp_path) as browser:
        browser.open(write_report(full.url))
        assert HOSTILE in browser.ask("document.querySelector('.group.unresolved').textContent")
        assert HOSTILE in browser.ask(NAMES)
        assert browser.ask("document.querySelectorAll('img[src=x]').length") == 0
        browser.ask(
            "[...document.querySelectorAll('.open-viewer')].find((each) => each.textContent[0] === '<').click()"
        )
        assert browser.ask("document.getElementById('viewer-title').textContent") == HOSTILE
        assert browser.complaints == []


def test_nothing_is_fetched_but_files_beside_the_page(full: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "EMBEDDED", 3)
    monkeypatch.setattr(gathering, "PREVIEWED", 3)
    with Browser(tmp_path) as browser:
        browser.open(write_report(full.url))
        browser.ask(
            "document.getElementById('order').value = 'name';"
            "document.getElementById('order').dispatchEvent(new Event('change'))"
        )
        browser.ask("document.querySelector('.card:last-child').scrollIntoView()")
        browser.until("[...document.querySelectorAll('.card:last-child img')].every((each) => each.naturalWidth > 0)")
        assert any(re.match(r"file:.*/photos/shoes/", url) for url in browser.requests)
        assert all(url.startswith(("file:", "data:")) for url in browser.requests)
        assert browser.complaints == []


def test_a_phone_shows_it_without_scrolling_sideways(full: Shop, tmp_path: Path):
    with Browser(tmp_path, width=360, height=740) as browser:
        browser.open(write_report(full.url))
        assert browser.ask("document.documentElement.scrollWidth") <= 360
        assert (
            browser.ask("getComputedStyle(document.querySelector('.cards')).gridTemplateColumns.split(' ').length") == 1
        )


def test_every_control_has_a_name(full: Shop, tmp_path: Path):
    with Browser(tmp_path) as browser:
        browser.open(write_report(full.url))
        nameless = browser.ask(
            "[...document.querySelectorAll('button, input, select, a, [role=region], [role=img]')].filter((each) =>"
            " !(each.getAttribute('aria-label') || each.getAttribute('aria-labelledby') || each.textContent.trim()"
            " || each.closest('label'))).map((each) => each.outerHTML)"
        )
        assert nameless == []
        assert browser.ask("[...document.images].filter((each) => !each.hasAttribute('alt')).length") == 0


def chosen(name: str, value: str) -> str:
    """Return what chooses a value of one of the lists above the gallery."""
    return (
        f"(() => {{ const box = document.getElementById('{name}'); box.selectedIndex ="
        f" [...box.options].findIndex((each) => each.value === '{value}'); box.dispatchEvent(new Event('change')); }})()"
    )


STATUS = "document.getElementById('status').textContent"


def test_filters_for_background_and_remarks_survive_a_reload(full: Shop, tmp_path: Path):
    """They are in the address; one that is made up chooses nothing."""
    with Browser(tmp_path) as browser:
        page = write_report(full.url)
        browser.open(page)
        browser.ask(chosen("background", "wall.png"))
        assert browser.ask(STATUS) == "1 to 24 of 30 (33 in all)"
        browser.ask("document.getElementById('next').click()")
        browser.ask(chosen("view", "after"))
        browser.ask("document.getElementById('next').click()")
        address = browser.ask("location.hash")
        assert address == "#background=wall.png&view=after&page=2"
        browser.ask("location.reload()")
        browser.until(f"document.readyState === 'complete' && {STATUS} === '25 to 30 of 30 (33 in all)'")
        assert browser.ask("document.querySelectorAll('.pair input').length") == 0
        browser.ask(chosen("background", ""))
        browser.ask(chosen("remark", "with"))
        assert browser.ask(NAMES) == [HOSTILE, "failed.png"]
        browser.ask(chosen("background", "transparent"))
        assert browser.ask(NAMES) == [HOSTILE, "failed.png"]
        browser.ask(
            "location.hash = '#state=none&background=%22%3E%3Cimg%3E&remark=constructor&order=x&page=-7&view=y'"
        )
        browser.ask("location.reload()")
        browser.until(f"document.readyState === 'complete' && {STATUS} === '1 to 24 of 33'")
        assert browser.ask("location.hash") == ""
        assert browser.complaints == []


def test_the_arrows_turn_pages_but_not_of_who_types(full: Shop, tmp_path: Path):
    with Browser(tmp_path) as browser:
        browser.open(write_report(full.url))
        browser.key("ArrowRight")
        assert browser.ask(STATUS) == "25 to 33 of 33"
        browser.key("ArrowRight")
        assert browser.ask(STATUS) == "25 to 33 of 33"
        browser.ask("document.getElementById('search').focus()")
        browser.key("ArrowLeft")
        assert browser.ask(STATUS) == "25 to 33 of 33"
        browser.ask("document.activeElement.blur()")
        browser.key("ArrowLeft")
        assert browser.ask(STATUS) == "1 to 24 of 33"


def test_the_viewer_links_to_the_files(full: Shop, tmp_path: Path):
    """As far as a browser can show them, and only files beside the page."""
    with Browser(tmp_path) as browser:
        browser.open(write_report(full.url))
        browser.ask("document.getElementById('search').value = 'mugs/one.png'")
        browser.ask(
            "[...document.querySelectorAll('.open-viewer')].find((each) => each.textContent === 'one.png').click()"
        )
        links = "[...document.querySelectorAll('#viewer-details a')].map((each) => [each.textContent, each.href])"
        found = browser.ask(links)
        assert [name for name, _ in found] == ["Photo", "Result"]
        assert all(href.startswith("file:") and href.endswith("mugs/one.png") for _, href in found)


def test_on_paper_it_is_a_contact_sheet(full: Shop, tmp_path: Path):
    """All that is shown, not a page of it; afterwards it is as it was."""
    with Browser(tmp_path, dark=True) as browser:
        browser.open(write_report(full.url))
        browser.ask("window.dispatchEvent(new Event('beforeprint'))")
        browser._call("Emulation.setEmulatedMedia", media="print")
        assert browser.ask(CARDS) == 33
        assert browser.ask(STATUS) == "33 of 33 photos"
        assert browser.ask("document.querySelectorAll('.pair input').length") == 0
        assert browser.ask("document.getElementById('filters').checkVisibility()") is False
        assert browser.ask("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(255, 255, 255)"
        browser._call("Emulation.setEmulatedMedia", media="")
        browser.ask("window.dispatchEvent(new Event('afterprint'))")
        assert browser.ask(CARDS) == 24
        assert browser.ask("document.querySelectorAll('.pair input').length") > 0
        assert browser.complaints == []


def test_a_copied_page_shows_its_older_photos_too(full: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a file beside it; what has no preview in it is said to be missing, and not to be of a strange format."""
    monkeypatch.setattr(gathering, "EMBEDDED", 3)
    monkeypatch.setattr(gathering, "PREVIEWED", 20)
    page = tmp_path / "far" / "off" / "report.html"
    page.parent.mkdir(parents=True)
    page.write_bytes(write_report(full.url).read_bytes())
    with Browser(tmp_path) as browser:
        browser.open(page)
        for _ in range(2):
            browser.ask("document.querySelectorAll('.card').forEach((each) => each.scrollIntoView())")
        shown = "[...document.querySelectorAll('.card img')].filter((each) => each.naturalWidth > 0).length"
        browser.until(f"{shown} >= 20")
        browser.ask("document.querySelector('.card:last-child').scrollIntoView()")
        browser.until("document.querySelector('.card:last-child .hole') !== null")
        assert "not where it was" in browser.ask("document.querySelector('.card:last-child .hole').textContent")


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out_from_what_is_behind_them(full: Shop, tmp_path: Path, dark: bool):
    """WCAG AA: 4.5 to 1 for every colour of text on every surface it stands on."""
    with Browser(tmp_path, dark=dark) as browser:
        browser.open(write_report(full.url))
        weak = browser.ask(CONTRAST)
        assert weak == []
        scheme = browser.ask("getComputedStyle(document.body).backgroundColor")
        assert (scheme == "rgb(20, 21, 23)") is dark


CONTRAST = r"""
(() => {
  const numbers = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const found = numbers(getComputedStyle(each).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const weak = new Set();
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".pair, script, .skip, :disabled")) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...weak];
})()
"""
