"""The first quarter of an hour: demo, init, plan, on a machine that has nothing but the package."""

import re
import shlex
import sys

import pytest
from PIL import Image

from batchbg.sandbox.rough import ADVICE
from tests.support.shop import Shop
from tests.support.terminal import Terminal


@pytest.mark.slow
def test_without_opencv_the_demo_cuts_out_roughly_and_says_so(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """And says that it is a rehearsal, shows a photo that is no use, and ends well all the same."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "batchbg.sandbox.cutout", raising=False)  # which may have found it before
    result = shop.batchbg("demo")
    assert (result.code, result.out) == (0, "15 photos: 13 done, 1 reused, 1 rejected; 65 credits spent\n")
    assert ADVICE in result.err
    assert "this is a rehearsal" in result.err
    assert "rejected returns/half-copied.jpg: " in result.err
    demo = shop.folder / "batchbg-demo"
    assert (demo / "report.html").is_file()
    with Image.open(demo / "output" / "toys" / "wooden" / "stacking-rings.png") as made:
        assert made.getchannel("A").getextrema() == (255, 255)  # on a background
    assert shop.batchbg("demo", "-q") == type(result)(0, "", "")


@pytest.mark.slow
def test_what_the_demo_leads_to_is_there(shop: Shop, terminal: Terminal):
    """Whatever is in the current folder besides."""
    shop.setting("MAGIC_HOUR_API_KEY", "", prefix="")
    result = shop.batchbg("demo")
    assert result.code == 0
    (line,) = re.findall(r"^next +batchbg (.*)$", terminal.plain(result.out), re.MULTILINE)
    assert shop.batchbg(*shlex.split(line)).code == 0
    for command in ("status", "report", "jobs"):
        lost = shop.batchbg(command)
        assert lost.code == 2
        (found,) = re.findall(r"that of the demo: (--ledger \S+)$", lost.err, re.MULTILINE)
        assert shop.batchbg(command, *found.split()).code == 0


@pytest.mark.slow
def test_rehearsals_are_found_too(shop: Shop):
    shop.some_photos(1)
    assert shop.batchbg("run", str(shop.photos), "--sandbox", "-q").code == 0
    assert shop.batchbg("status").err.endswith("; that of the rehearsals: --ledger sqlite:///batchbg-sandbox.db\n")


@pytest.mark.parametrize("folder", [".", "my shop"])
def test_init_ends_with_the_next_step(shop: Shop, folder: str):
    shop.photo("a.png")
    written = shop.batchbg("init", folder)
    (line,) = re.findall(r"^next: .* `batchbg (.*)`, which sends nothing$", written.out, re.MULTILINE)
    config = shop.folder / folder / "config.toml"
    config.write_text(f'photos = "{shop.photos}"\n' + config.read_text())
    assert "1 photo: 1 new job, 5 credits\n" in shop.batchbg(*shlex.split(line), "--ledger", shop.ledger).out
