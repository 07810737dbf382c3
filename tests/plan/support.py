from pathlib import Path

from PIL import Image

from batchbg.disk.rehearsal import Rehearsal
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.store import Ledger
from batchbg.plan.lines import Line, Listener, Tally
from batchbg.plan.planner import begin_plan
from batchbg.settings import load


class Desk:
    """A photo folder and a ledger, without a service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.photos.chmod(0o777)
        self.opened = 0
        self.lines: list[Line] = []

    def photo(self, path: str, colour: int = 0, size: tuple[int, int] = (8, 6)) -> Path:
        target = self.photos / path
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour or abs(hash(path)) % (1 << 24)).save(target, "PNG")
        return target

    def ledger(self) -> Ledger:
        return open_ledger(f"sqlite:///{self.folder / 'batchbg.db'}")

    def plan(self, rehearsal: Rehearsal | None = None, **flags: object) -> Tally:
        """Plan as a run does; the lines and how many files were opened are kept."""
        flags = {"photos": self.photos, "output": self.folder / "output"} | flags
        settings = load(flags | {"ledger": f"sqlite:///{self.folder / 'batchbg.db'}"}, {})
        ledger = self.ledger()
        self.opened = 0
        try:
            planner = begin_plan(settings, ledger, "run", Listener(self._opened), rehearsal)
            self.lines = list(planner.plan())
            return planner.tally
        finally:
            ledger.close()

    def _opened(self, number: int) -> None:
        self.opened += number

    def outputs(self) -> dict[str, str]:
        return {line.path: line.output for line in self.lines}
