"""Finishing the results of an output folder: what is new, changed or finished otherwise is made, the rest is left."""

import collections
import concurrent.futures
import dataclasses
import enum
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from batchbg.core.finish_names import finished_paths
from batchbg.core.finishing import FORMATS, Profile
from batchbg.core.marketplaces import Facts, advice, unmet
from batchbg.core.naming import fold
from batchbg.core.review import ReviewVerdict
from batchbg.disk import decoding
from batchbg.disk.decoder_pool import AT_ONCE
from batchbg.disk.finished import Finished
from batchbg.errors import ConfigError, OutputRefused, ResultUnusable
from batchbg.finish.folders import check_folders, known_folders
from batchbg.finish.outcome import Outcome
from batchbg.finish.record import Owner, Record, Stamp, origin_of
from batchbg.ledger import folders, masters, meta, reviews
from batchbg.ledger.engine import open_to_read
from batchbg.ledger.masters import Master
from batchbg.ledger.store import Connection, Ledger
from batchbg.settings import Settings


class Mode(enum.Enum):
    """How far to go."""

    MAKE = enum.auto()
    CHECK = enum.auto()  # make the pictures, look whether they meet their rule, and save none
    PLAN = enum.auto()  # say what would be made; open none


MISSING = "it is missing: `batchbg rescue` fetches it again, free"

Observer = Callable[[Profile, int, int], None]
"""Is told of a profile, how many of its pictures are made, and how many are to be made."""


def finish(settings: Settings, names: Sequence[str], mode: Mode, observer: Observer) -> list[Outcome]:
    """Finish the results in the output folder by each of these profiles.

    Raises:
        ConfigError: there are no results of this ledger, or folders contradict each other.
        LedgerError: the ledger cannot be read, or another process finishes into one of the folders.
        DiskError: a folder cannot be written.
    """
    profiles = [settings.profiles[name] for name in dict.fromkeys(names)]
    ledger = open_to_read(settings.ledger)
    try:
        with ledger.reading() as connection:
            inputs, outputs = known_folders(ledger, connection)
            places = check_folders(settings, profiles, inputs=inputs, outputs=outputs)
            results = _results(ledger, connection, settings)
    finally:
        ledger.close()
    found = []
    for profile in profiles:
        owner = Owner(results.ledger, results.place, profile.name)
        found.append(_Finishing(results, profile, Record(places[profile.name], owner)).run(mode, observer))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Results:
    """The results in one output folder.

    Attributes:
        output: the folder, links followed.
        place: the name under which it stands in the ledger.
        ledger: the ledger's id.
        masters: all of them, and those that are to come.
        rejected: jobs whose results a person has rejected.
    """

    output: Path
    place: str
    ledger: str
    masters: Sequence[Master]
    rejected: Collection[str]


def _results(ledger: Ledger, connection: Connection, settings: Settings) -> _Results:
    """Return the results in the output folder.

    Raises:
        ConfigError: there are none.
    """
    output = Path(os.path.realpath(settings.output))
    here = ledger.relative(output)
    known = folders.output_roots(connection)
    numbers = [number for number, path in known.items() if path == here]
    if not numbers:
        others = ", ".join(sorted(known.values()))
        elsewhere = f"; it has some in {others}: name it with -o" if others else ""
        raise ConfigError(f"output: {ledger.name} knows no results in {settings.output}{elsewhere}")
    verdicts = reviews.given(connection)
    rejected = {job_id for job_id, review in verdicts if review.verdict is ReviewVerdict.REJECTED}
    own_id = meta.value(connection, meta.ID) or ""
    return _Results(output, here, own_id, list(masters.read(connection, numbers[0])), rejected)


@dataclasses.dataclass(frozen=True, slots=True)
class _Task:
    """One picture to make: of which master, what it is to be called, and what it is made of, see ``origin_of``."""

    master: Master
    path: str
    origin: bytes


class _Finishing:
    """One profile's turn."""

    def __init__(self, results: _Results, profile: Profile, record: Record) -> None:
        self._results = results
        self._profile = profile
        self._record = record
        self._outcome = Outcome(profile, record.folder)
        self._digest = profile.digest
        self._used: set[str] = set()

    def run(self, mode: Mode, observer: Observer) -> Outcome:
        """Make what is to be made."""
        if mode is Mode.MAKE:
            with self._record.writing():
                self._all(mode, observer)
        else:
            with self._record.reading():
                self._all(mode, observer)
        for told in (self._outcome.problems, self._outcome.unmet):
            told.sort(key=lambda one: os.fsencode(one[0]))
        return self._outcome

    def _all(self, mode: Mode, observer: Observer) -> None:
        wanted = [master for master in self._results.masters if self._is_wanted(master)]
        paths = self._paths(wanted)
        self._used = {fold(path) for path in paths.values()}
        self._withdraw(paths, mode)
        tasks = [task for master in wanted if (task := self._task(master, paths[master.path]))]
        if mode is Mode.PLAN:
            self._outcome.made = len(tasks)
            return
        observer(self._profile, 0, len(tasks))
        for number, (task, made) in enumerate(self._made(tasks), 1):
            if isinstance(made, str):
                self._outcome.problems.append((task.master.path, made))
            else:
                self._save(task, made, mode)
            observer(self._profile, number, len(tasks))

    def _is_wanted(self, master: Master) -> bool:
        if master.sha256 is None:
            self._outcome.waiting += 1
        elif master.job_id in self._results.rejected:
            self._outcome.rejected += 1
        else:
            return True
        return False

    def _paths(self, wanted: Sequence[Master]) -> dict[str, str]:
        suffix = FORMATS[self._profile.format][0]
        masters_of = (master.path for master in wanted)
        return finished_paths(masters_of, self._profile.names, suffix, self._record.paths)

    def _withdraw(self, paths: Mapping[str, str], mode: Mode) -> None:
        """Take away the pictures of results that are none any more, or no longer wanted."""
        for master, path in self._record.paths.items():
            if master in paths:
                continue
            is_ours = fold(path) not in self._used and self._record.is_ours(master, path)
            self._outcome.removed += is_ours
            if mode is Mode.MAKE:
                if is_ours:
                    self._record.remove(path)
                self._record.forget(master)

    def _task(self, master: Master, path: str) -> _Task | None:
        """Return what is to be made of a master; None where its picture is there, or none can be made."""
        stamp = _stamp(self._results.output / master.path)
        if stamp is None:
            self._outcome.problems.append((master.path, MISSING))
            return None
        entry, origin = self._record.get(master.path), origin_of(master, stamp, self._digest)
        if entry is None or (entry.path, entry.origin) != (path, origin) or not self._record.is_there(entry):
            return _Task(master, path, origin)
        self._outcome.unchanged += 1
        self._tell(master.path, path, *self._record.told(master.path))
        return None

    def _made(self, tasks: Sequence[_Task]) -> Iterator[tuple[_Task, Finished | str]]:
        """Yield the pictures, or why there is none, in the order of the tasks; few are in memory at a time."""
        waiting = iter(tasks)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as makers:
            begun: collections.deque[tuple[_Task, concurrent.futures.Future[Finished]]] = collections.deque()
            try:
                for task in waiting:
                    begun.append((task, makers.submit(self._make, task)))
                    if len(begun) > AT_ONCE:
                        yield _awaited(*begun.popleft())
                while begun:
                    yield _awaited(*begun.popleft())
            finally:
                makers.shutdown(wait=True, cancel_futures=True)

    def _make(self, task: _Task) -> Finished:
        return decoding.finish(self._results.output / task.master.path, self._profile, task.master.sha256 or "")

    def _save(self, task: _Task, made: Finished, mode: Mode) -> None:
        master = task.master.path
        if mode is Mode.MAKE:
            before = self._record.get(master)
            may_remove = before is not None and before.path != task.path and self._record.is_ours(master, before.path)
            try:
                self._record.save(master, task.path, task.origin, made)
            except OutputRefused as error:
                self._outcome.problems.append((master, str(error)))
                return
            if before is not None and may_remove and fold(before.path) not in self._used:
                self._record.remove(before.path)
        self._outcome.made += 1
        self._tell(master, task.path, made.facts, made.remarks)

    def _tell(self, master: str, path: str, facts: Facts, remarks: Sequence[str]) -> None:
        """Note what a person should know of a picture."""
        for remark in remarks:
            self._outcome.remarks.setdefault(remark, []).append(master)
        if self._profile.rule:
            if why := unmet(self._profile.rule, facts):
                self._outcome.unmet.append((master, path, why))
            for text in () if why else advice(self._profile.rule, facts):
                self._outcome.advised.setdefault(text, []).append(master)


def _awaited(task: _Task, made: "concurrent.futures.Future[Finished]") -> tuple[_Task, Finished | str]:
    try:
        return task, made.result()
    except ResultUnusable as error:
        return task, str(error)
    except FileNotFoundError:
        return task, MISSING
    except OSError as error:
        return task, f"it cannot be read: {error.strerror or error}"


def _stamp(path: Path) -> Stamp | None:
    """Return size, mtime and ctime of a result; None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns) if stat.S_ISREG(found.st_mode) else None
