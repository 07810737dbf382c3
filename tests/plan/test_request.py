import dataclasses
import sys
from pathlib import Path
from typing import cast

import pytest

from batchbg.core.model import Treatment
from batchbg.errors import ConfigError
from batchbg.ledger.store import Ledger
from batchbg.plan.lines import Listener, Tally
from batchbg.plan.planner import Planner
from batchbg.plan.request import order_text, read_request
from batchbg.plan.roots import Roots
from batchbg.plan.saved_plan import Entry, write_entry
from batchbg.settings import Settings, load
from tests.support.shop import Shop


@pytest.fixture
def asked(tmp_path: Path) -> Settings:
    """Settings with a folder of photos."""
    (tmp_path / "photos").mkdir()
    return load({"photos": tmp_path / "photos", "output": tmp_path / "output"}, {})


class Once:
    """A standard input that can be read once."""

    def __init__(self, content: bytes) -> None:
        self.buffer = self
        self._left = [content]

    def read(self) -> bytes:
        return self._left.pop()


def test_a_list_is_read_once_and_by_nobody_who_plans(asked: Settings, monkeypatch: pytest.MonkeyPatch):
    """What prepares a plan neither reads nor writes anything: a ledger that can do nothing is enough for it."""
    monkeypatch.setattr(sys, "stdin", Once(b"a.png\r\nb.png\n\n"))
    request = read_request(dataclasses.replace(asked, files_from="-"))
    assert request.names == ["a.png", "b.png"]
    roots = Roots(request.photos, 1, request.output, 2, None)
    planner = Planner(request, roots, cast(Ledger, object()), "run", Listener(), None)
    assert planner.tally == Tally()


def save_plan(file: Path, *backgrounds: str) -> Path:
    with file.open("w") as out:
        for number, background in enumerate(backgrounds):
            treatment = Treatment.FIT if background else Treatment.NONE
            entry = Entry(f"{number}.png", "1" * 64, background, "2" * 64 if background else "", treatment, "x.png")
            write_entry(out, entry)
    return file


def test_a_saved_plan_with_backgrounds_says_what_to_add(asked: Settings, tmp_path: Path):
    """Some of them are named, so that their folder can be found."""
    saved = save_plan(tmp_path / "plan.jsonl", "oak.jpg", "", "a/ash.jpg", "oak.jpg", "elm.jpg", "fir.jpg")
    with pytest.raises(ConfigError) as caught:
        read_request(dataclasses.replace(asked, plan=saved))
    assert str(caught.value) == (
        f"plan: {saved} names backgrounds (oak.jpg, a/ash.jpg, elm.jpg, ... and 1 more);"
        " add --backgrounds with the folder they lie in"
    )
    (tmp_path / "backgrounds").mkdir()
    request = read_request(dataclasses.replace(asked, plan=saved, backgrounds=tmp_path / "backgrounds"))
    assert request.saved is not None
    assert len(request.saved) == 6


def test_a_saved_plan_without_backgrounds_needs_no_folder(asked: Settings, tmp_path: Path):
    """Its results are transparent."""
    request = read_request(dataclasses.replace(asked, plan=save_plan(tmp_path / "plan.jsonl", "", "")))
    assert request.saved is not None
    assert set(request.saved) == {"0.png", "1.png"}


def test_a_plan_that_lacks_its_backgrounds_begins_no_run(shop: Shop):
    """Exit 2, and no ledger comes of it but an empty one."""
    shop.some_photos(1)
    saved = save_plan(shop.folder / "plan.jsonl", "oak.jpg")
    result = shop.run("--plan", str(saved))
    assert (result.code, "(oak.jpg); add --backgrounds" in result.err) == (2, True)
    assert (shop.jobs(), shop.creates()) == ([], [])


def test_the_order_to_pay_again_is_about_photos_and_backgrounds_alone(asked: Settings):
    """How many at once, or for how much at most, makes no other order of it."""
    same = dataclasses.replace(asked, max_files=3, max_credits=10, max_in_flight=2, yes=True)
    assert order_text(same) == order_text(asked)
    for other in ({"include": ("*.jpg",)}, {"on_mismatch": "skip"}, {"output": Path("elsewhere")}, {"max_depth": 2}):
        assert order_text(dataclasses.replace(asked, **other)) != order_text(asked)
