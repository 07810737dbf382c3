"""The books of the service: who owns what, what was charged for which bytes, what was given back.

Pure state: no sockets, no pictures, and the clock is an argument. Credits exist only as entries; the balance, what
was charged and what was refunded are sums over them. Everything is held in memory and bounded by ``max_records``.
"""

import heapq
import threading
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from batchbg.sandbox.clock import iso
from batchbg.sandbox.records import Asset, Create, Entry, JobError, Operation, Order, Project, Sent
from batchbg.sandbox.schedule import RenderQueue


class InsufficientCredits(Exception):
    """The balance is below the price of the job."""


@dataclass(slots=True)
class Traffic:
    """How often an operation was asked for, and when."""

    count: int = 0
    bytes: int = 0
    starts_s: deque[float] = field(default_factory=lambda: deque(maxlen=100_000))


class Books:
    """One account, its assets, its projects and every credit; safe to read from any thread."""

    def __init__(self, clock: Callable[[], float], credits: int, max_records: int = 100_000) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._max_records = max_records
        self._assets: OrderedDict[str, Asset] = OrderedDict()
        self._projects: OrderedDict[str, Project] = OrderedDict()
        self._refunds_due: list[tuple[float, str]] = []
        self._queue = RenderQueue()
        self._totals = {"grant": 0, "charge": 0, "refund": 0}
        self._entries: deque[Entry] = deque(maxlen=3 * max_records)
        self._traffic = {operation: Traffic() for operation in Operation}
        self._sent: deque[Sent] = deque(maxlen=max_records)
        self.keys_at_storage = 0
        """Transfers that carried an Authorization header: the key went where it must not."""
        self.set_balance(credits)

    # Credits

    @property
    def balance(self) -> int:
        """Credits the account can spend now."""
        with self._lock:
            self._settle()
            return sum(self._totals.values())

    @property
    def charged(self) -> int:
        """Credits taken so far, refunds not deducted."""
        with self._lock:
            return -self._totals["charge"]

    @property
    def refunded(self) -> int:
        """Credits given back so far."""
        with self._lock:
            self._settle()
            return self._totals["refund"]

    def entries(self) -> list[Entry]:
        """Return every movement of credits, oldest first."""
        with self._lock:
            self._settle()
            return list(self._entries)

    def set_balance(self, credits: int) -> None:
        """Grant (or take) what makes the balance ``credits``."""
        with self._lock:
            self._enter("grant", credits - self.balance)

    def _enter(self, kind: Literal["grant", "charge", "refund"], credits: int, project_id: str | None = None) -> None:
        self._entries.append(Entry(self._clock(), kind, credits, project_id))
        self._totals[kind] += credits

    def _settle(self) -> None:
        """Make every refund that is due."""
        now_s = self._clock()
        while self._refunds_due and self._refunds_due[0][0] <= now_s:
            _, project_id = heapq.heappop(self._refunds_due)
            project = self._projects.get(project_id)
            if project is not None and project.credits_charged:
                self._enter("refund", project.credits_charged, project_id)
                project.credits_charged = 0

    # Assets

    def add_asset(self, file_path: str, sha256: str, size_bytes: int) -> None:
        """Note an upload; a second one to the same path replaces the first."""
        with self._lock:
            self._assets[file_path] = Asset(sha256, size_bytes, self._clock())
            self._assets.move_to_end(file_path)
            if len(self._assets) > self._max_records:
                self._assets.popitem(last=False)

    def asset(self, file_path: str, ttl_s: float) -> Asset | None:
        """Return what lies at ``file_path``, or None where nothing does (any longer)."""
        with self._lock:
            asset = self._assets.get(file_path)
            if asset is None or self._clock() >= asset.uploaded_at_s + ttl_s:
                return None
            return asset

    # Projects

    def open_project(self, order: Order, slots: int | None = None) -> Project:
        """Charge for ``order`` and queue it.

        Raises:
            InsufficientCredits: nothing was charged.
        """
        with self._lock:
            if self.balance < order.credits:
                raise InsufficientCredits
            now_s = self._clock()
            starts_at_s, ends_at_s = self._queue.admit(now_s, order.queue_s, order.render_s, slots)
            project_id = order.project_id
            if project_id is None or project_id in self._projects:
                project_id = f"c{uuid.uuid4().hex[:24]}"
            project = Project(project_id, order, now_s, starts_at_s, ends_at_s, order.credits)
            self._projects[project.id] = project
            self._enter("charge", -order.credits, project.id)
            if order.end != "complete":
                self._promise_refund(project)
            if len(self._projects) > self._max_records:
                self._projects.popitem(last=False)
            return project

    def picture_ready(self, project_id: str) -> None:
        """Let the project be complete as soon as its render time is over."""
        with self._lock:
            if project_id in self._projects:
                self._projects[project_id].has_picture = True

    def picture_failed(self, project_id: str, error: JobError) -> None:
        """Let the project end in ``error``, with its refund, when its render time is over."""
        with self._lock:
            project = self._projects.get(project_id)
            if project is not None and project.order.end == "complete":
                project.order = project.order.failing(error)
                self._promise_refund(project)

    def _promise_refund(self, project: Project) -> None:
        if project.order.refund_after_s is not None:
            heapq.heappush(self._refunds_due, (project.ends_at_s + project.order.refund_after_s, project.id))

    def project(self, project_id: str) -> Project | None:
        """Return the project as it stands, refunds made."""
        with self._lock:
            self._settle()
            return self._projects.get(project_id)

    def unfinished(self) -> int:
        """Return how many jobs are queued or rendering by the clock."""
        with self._lock:
            return self._queue.unfinished(self._clock())

    @property
    def peak_unfinished(self) -> int:
        """The most jobs that were queued or rendering at once."""
        return self._queue.peak

    def creates(self) -> list[Create]:
        """Return every create call that was accepted, oldest first."""
        with self._lock:
            self._settle()
            now_s = self._clock()
            return [
                Create(
                    project_id=project.id,
                    name=project.order.name,
                    image_sha256=project.order.image_sha256,
                    background_sha256=project.order.background_sha256,
                    credits=project.order.credits,
                    credits_charged=project.credits_charged,
                    render_s=project.order.render_s,
                    status=project.status(now_s),
                    enabled=project.enabled,
                    polls=project.polls,
                    created_at=iso(project.created_at_s),
                )
                for project in self._projects.values()
            ]

    # Traffic

    def note_request(self, operation: Operation) -> None:
        """Count a request at the moment its head has arrived."""
        with self._lock:
            traffic = self._traffic[operation]
            traffic.count += 1
            traffic.starts_s.append(time.monotonic())

    def note_event(self, sent: Sent) -> None:
        """Note how a try to deliver a webhook event went."""
        with self._lock:
            self._sent.append(sent)

    def events(self) -> list[Sent]:
        """Return every try to deliver a webhook event that has come to its end, oldest first."""
        with self._lock:
            return list(self._sent)

    def note_bytes(self, operation: Operation, count: int) -> None:
        """Add to the bytes that ``operation`` has moved."""
        with self._lock:
            self._traffic[operation].bytes += count

    def requests(self, operation: Operation | str) -> int:
        """Return how many requests of ``operation`` arrived, refused ones too."""
        return self._traffic[Operation(operation)].count

    def transferred_bytes(self, operation: Operation | str) -> int:
        """Return how many bytes ``operation`` has moved; only uploads and downloads move any."""
        return self._traffic[Operation(operation)].bytes

    def starts(self, *operations: Operation | str) -> list[float]:
        """Return when requests of ``operations`` (of the whole API where none is named) arrived, by time.monotonic."""
        wanted: Iterable[Operation] = [Operation(operation) for operation in operations]
        wanted = wanted or [operation for operation in Operation if operation.is_of_api]
        with self._lock:
            return sorted(start for operation in wanted for start in self._traffic[operation].starts_s)

    def as_json(self, brief: bool = False) -> dict[str, Any]:
        """Return the books for the control endpoint; ``brief`` leaves the lists out."""
        with self._lock:
            summary: dict[str, Any] = {
                "balance": self.balance,
                "charged": self.charged,
                "refunded": self.refunded,
                "projects": len(self._projects),
                "unfinished": self.unfinished(),
                "peak_unfinished": self.peak_unfinished,
                "keys_at_storage": self.keys_at_storage,
                "requests": {operation.value: traffic.count for operation, traffic in self._traffic.items()},
                "uploaded_bytes": self.transferred_bytes(Operation.UPLOAD),
                "downloaded_bytes": self.transferred_bytes(Operation.DOWNLOAD),
            }
            if not brief:
                summary["creates"] = [asdict(create) for create in self.creates()]
                summary["entries"] = [asdict(entry) for entry in self._entries]
                summary["starts_s"] = {operation.value: list(t.starts_s) for operation, t in self._traffic.items()}
            return summary
