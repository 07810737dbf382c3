"""A gradient is what a browser makes of the same words."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from batchbg.core.model import Size
from batchbg.core.paint import read_paint
from batchbg.disk.painting import painted
from tests.report.browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]

GRADIENTS = (
    "rebeccapurple",
    "linear-gradient(#fff, #ddd)",
    "linear-gradient(to top right, #f00, #fff 50%, #00f)",
    "linear-gradient(to bottom left, navy 30%, gold 70%)",
    "linear-gradient(30deg, #123, #fed)",
    "linear-gradient(-0.3turn, red, lime, blue)",
    "linear-gradient(to left, red 10%, lime, blue 20%, white 90%)",
    "linear-gradient(115deg, #000 -20%, #fff 130%)",
    "linear-gradient(red 0% 50%, lime 20%, blue)",
)


@pytest.mark.parametrize("size", [Size(300, 200), Size(60, 400), Size(500, 25)], ids=str)
def test_every_gradient_is_the_browsers_own(tmp_path: Path, size: Size):
    """As the text is typed, and as it stands in the ledger; to a few of 255 levels."""
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><body style='margin:0'><div id=p></div></body>", encoding="utf-8")
    with Browser(tmp_path) as browser:
        browser.open(page)
        for text in (one for gradient in GRADIENTS for one in (gradient, str(read_paint(gradient)))):
            style = f"width:{size.width}px;height:{size.height}px;background:{text}"
            browser.ask(f"document.getElementById('p').style.cssText = {style!r}")
            browser.screenshot(tmp_path / "shot.png")
            with Image.open(tmp_path / "shot.png") as shot:
                theirs = shot.convert("RGB").crop((0, 0, *size))
            ours = Image.open(io.BytesIO(painted(read_paint(text), size)[0]))
            most = max(ImageChops.difference(theirs, ours).tobytes())
            assert most <= 6, (text, most)
