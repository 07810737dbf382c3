import json
from pathlib import Path

import pytest

from batchbg.core.model import Size, Treatment
from batchbg.core.pairing import Background, Misfit
from batchbg.errors import ConfigError
from batchbg.plan.saved_plan import Entry, read_plan, write_entry

BACKGROUND = Background("wood.jpg", "b" * 64, Size(100, 100))


def test_a_saved_plan_comes_back_as_it_was(tmp_path: Path):
    """Also with names that are no text."""
    entries = [
        Entry("a.jpg", "1" * 64, "wood.jpg", BACKGROUND.sha256, Treatment.FIT, "a.png"),
        Entry("caf\udce9.jpg", "2" * 64, "", "", Treatment.NONE, "caf\udce9.png"),
    ]
    file = tmp_path / "plan.jsonl"
    with file.open("w") as out:
        for entry in entries:
            write_entry(out, entry)
    assert list(read_plan(file).values()) == entries


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_saved_plan_may_have_been_through_an_editor(tmp_path: Path, encoding: str):
    """Some of them put a mark at its start."""
    file = tmp_path / "plan.jsonl"
    with file.open("w", encoding=encoding) as out:
        write_entry(out, Entry("a.jpg", "1" * 64, "", "", Treatment.NONE, "a.png"))
    assert list(read_plan(file)) == ["a.jpg"]


def test_a_saved_plan_tells_how_the_backgrounds_fit(tmp_path: Path):
    """In figures, for programs; null where there is no background."""
    file = tmp_path / "plan.jsonl"
    with file.open("w") as out:
        write_entry(out, Entry("a.jpg", "1" * 64, "wood.jpg", "2" * 64, Treatment.FIT, "a.png"), Misfit(87, 0, 120))
        write_entry(out, Entry("b.jpg", "1" * 64, "", "", Treatment.NONE, "b.png"))
    fits, plain = map(json.loads, file.read_text().splitlines())
    assert [fits[name] for name in ("distortion", "blur", "excess")] == [0.087, 0.0, 0.12]
    assert [plain[name] for name in ("distortion", "blur", "excess")] == [None] * 3


@pytest.mark.parametrize("text", ["not json\n", "{}\n", '{"photo": 1}\n', "[]\n"])
def test_a_saved_plan_that_cannot_be_read_names_the_line(tmp_path: Path, text: str):
    """Exit 2 before anything is sent."""
    file = tmp_path / "plan.jsonl"
    file.write_text(text)
    with pytest.raises(ConfigError, match="line 1"):
        read_plan(file)
