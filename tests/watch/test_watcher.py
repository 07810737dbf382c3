"""The loop itself: when turns are taken, what they are given, and what follows one that comes to nothing."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from batchbg.core import stillness
from batchbg.core.model import Stamp
from batchbg.disk.scan import stamp_of
from batchbg.errors import BatchbgError, ConfigError, DiskError, ExitCode, LedgerBusy
from batchbg.library.options import settings_of
from batchbg.settings.values import Settings
from batchbg.watch import watcher
from batchbg.watch.wakes import Wakes
from batchbg.watch.watcher import Host, Watcher, check

pytestmark = pytest.mark.timeout(60)


class Script(Host):
    """Turns that end as they are told to; what each was given is noted, and after the last the watcher is ended.

    A turn is an exit code, an error, or something to do in the folder before it ends well.
    """

    def __init__(self, folder: Path, *turns: ExitCode | BatchbgError | Callable[[], object]) -> None:
        self.folder = folder
        self.turns = list(turns)
        self.given: list[list[str]] = []
        self.told: list[object] = []
        self.new: Settings | None = None

    def turn(self, settings: Settings, takes: Callable[[str, Stamp], bool]) -> ExitCode:
        files = {str(path.relative_to(self.folder)): stamp_of(path.stat()) for path in self.folder.rglob("*.jpg")}
        self.given.append(sorted(path for path, stamp in files.items() if stamp and takes(path, stamp)))
        if not self.turns:
            return ExitCode.TERMINATED
        match self.turns.pop(0):
            case BatchbgError() as error:
                raise error
            case ExitCode() as code:
                return code
            case action:
                action()
                return ExitCode.OK

    def new_settings(self) -> Settings | None:
        found, self.new = self.new, None
        return found

    def failed(self, code: ExitCode, why: str, again_s: float) -> None:
        self.told.append((code, why, again_s))

    def recovered(self) -> None:
        self.told.append("recovered")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(stillness, "FIRST_S", 0.01)
    monkeypatch.setattr(watcher, "SHORTEST_S", 0.005)
    monkeypatch.setattr(watcher, "LOCK_S", 0.01)
    (tmp_path / "photos").mkdir()
    found = settings_of(tmp_path / "photos", None, {"output": tmp_path / "output", "per_day": 5})
    return dataclasses.replace(found, still_for=0.03, poll_every=0.05)


def watched(settings: Settings, script: Script) -> ExitCode:
    return Watcher(settings, script, Wakes()).run()


def test_the_first_turn_is_at_once_and_others_are_for_what_is_still(settings: Settings, tmp_path: Path):
    folder = tmp_path / "photos"
    (folder / "a.jpg").write_bytes(b"a")
    (tmp_path / "output").mkdir()

    def more() -> None:
        (folder / "b.jpg").write_bytes(b"b")
        (tmp_path / "output" / "a.jpg").write_bytes(b"a result is no news")

    script = Script(folder, ExitCode.OK, more)
    assert watched(settings, script) is ExitCode.TERMINATED
    assert script.given == [[], ["a.jpg"], ["a.jpg", "b.jpg"]]
    assert script.told == []


def test_one_that_comes_to_nothing_is_tried_again_later_each_time(settings: Settings, tmp_path: Path):
    """Without any news, and one that finds the ledger held as often as it takes."""
    busy, full = LedgerBusy("another run holds it"), DiskError("full")
    news = (tmp_path / "photos" / "a.jpg").write_bytes
    script = Script(tmp_path / "photos", full, ExitCode.CAP, busy, busy, lambda: news(b"a"), ExitCode.TEMPORARY)
    assert watched(settings, script) is ExitCode.TERMINATED
    assert script.told == [
        (ExitCode.TEMPORARY, "full", 0.01),
        (ExitCode.CAP, "", 0.02),
        (ExitCode.LOCKED, "another run holds it", 0.01),
        (ExitCode.LOCKED, "another run holds it", 0.01),
        "recovered",
        (ExitCode.TEMPORARY, "", 0.01),
    ]


def test_a_folder_that_is_away_is_a_turn_that_came_to_nothing(settings: Settings, tmp_path: Path):
    folder = tmp_path / "photos"
    script = Script(folder)
    folder.rmdir()
    failed = script.failed

    def back(code: ExitCode, why: str, again_s: float) -> None:
        failed(code, why, again_s)
        folder.mkdir(exist_ok=True)

    script.failed = back  # type: ignore[method-assign]
    assert watched(settings, script) is ExitCode.TERMINATED
    assert script.told == [(ExitCode.USAGE, f"there is no folder {folder}", 0.01)]


def test_new_settings_are_tried_at_once(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever was wrong before; with another folder, too."""
    other = tmp_path / "other"
    other.mkdir()
    script = Script(tmp_path / "photos", ExitCode.CAP)
    told = script.failed

    def renew(code: ExitCode, why: str, again_s: float) -> None:
        told(code, why, again_s)
        script.new = dataclasses.replace(settings, photos=other)

    script.failed = renew  # type: ignore[method-assign]
    monkeypatch.setattr(stillness, "FIRST_S", 1000.0)
    assert watched(settings, script) is ExitCode.TERMINATED
    assert len(script.given) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"photos": None}, "name the folder to watch"),
        ({"per_day": None}, "nobody is there to stop it"),
        ({"force": True}, "force: it is for a single run"),
        ({"pilot": 3}, "pilot: it is for a single run"),
        ({"files": (Path("a.jpg"),)}, "files: it is for a single run"),
        ({"files_from": "names.txt"}, "files_from: it is for a single run"),
    ],
)
def test_what_has_no_end_in_turn_after_turn_is_refused(settings: Settings, change, words):
    check(settings)
    check(dataclasses.replace(settings, per_day=None, max_credits=5))
    check(dataclasses.replace(settings, per_day=None, sandbox=True))
    with pytest.raises(ConfigError, match=words):
        check(dataclasses.replace(settings, **change))
