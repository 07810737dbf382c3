"""What wakes a watcher before its time: the system tells of a change, or a signal of new settings."""

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

WITHOUT: Final = (
    "changes are seen by looking every {:g} s alone: `pip install watchfiles` lets the system tell of them at once"
)

DEBOUNCE_MS: Final = 200
"""Changes that come within this time are told together."""

LOOK_UP_MS: Final = 500
"""How often the thread that is told of changes looks whether it is still wanted."""


class Wakes:
    """Waits for a time, or until something happens; used in one thread, woken from any."""

    def __init__(self) -> None:
        # It may be put to from a signal's handler, which an Event may not be: the handler could wait for its own thread.
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()

    def wake(self) -> None:
        """End the present wait, or the next."""
        self._wakes.put(None)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until woken. A signal's handler runs meanwhile, and what it raises ends the wait."""
        with contextlib.suppress(queue.Empty):
            self._wakes.get(timeout=seconds)
            while True:  # a thousand changes are one
                self._wakes.get_nowait()


@contextlib.contextmanager
def told_of_changes(folder: Path, wakes: Wakes, poll_s: float) -> Iterator[None]:
    """Let changes below a folder wake, as long as the block lasts, where something tells of them."""
    try:
        import watchfiles
    except ImportError:
        log.info("%s", WITHOUT.format(poll_s))
        yield
        return
    over = threading.Event()

    def listen() -> None:
        try:
            for _ in watchfiles.watch(
                folder,
                watch_filter=None,
                debounce=DEBOUNCE_MS,
                stop_event=over,
                rust_timeout=LOOK_UP_MS,
                raise_interrupt=False,
                force_polling=False,
                ignore_permission_denied=True,
            ):
                wakes.wake()
        except Exception as error:  # too many watches, a folder that is not there: looking goes on
            log.warning("the system tells of no changes in %s: %s; they are seen every %g s", folder, error, poll_s)

    listening = threading.Thread(target=listen, name="changes", daemon=True)
    listening.start()
    try:
        yield
    finally:
        over.set()
        listening.join(5.0)
