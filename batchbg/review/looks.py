"""Having results looked at: those that a browser waits for at once, all others one after the other behind them.

A result is decoded once, in a decoder's process: for its thumbnail and for the signs of a bad cut-out together.
"""

import collections
import concurrent.futures
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from batchbg.core import suspicion
from batchbg.core.model import Treatment
from batchbg.core.suspicion import Kind, Sign
from batchbg.disk import decoding
from batchbg.disk.decoder_pool import AT_ONCE
from batchbg.errors import BatchbgError
from batchbg.review.items import Item
from batchbg.review.look_cache import Look, LookCache, key_of

SIDE_PX: Final = 480
"""Longer side of a thumbnail: what the largest tile shows on a plain screen; 10 to 20 kB each."""

QUALITY: Final = 80

LARGE_PX: Final = 2_400
"""Longer side of what stands for a file that no browser shows, as HEIC and TIFF."""

MOST_WAITING: Final = 2_000
"""Of a browser's questions; of more the oldest are left, for a person has scrolled on."""

Answer = concurrent.futures.Future[bytes]


class Looks:
    """Looks at results in threads of its own, each of which waits for a decoder's process.

    Attributes:
        done, total: how many results were looked at, and how many there are.
    """

    def __init__(self, cache: LookCache) -> None:
        self._cache = cache
        self._changed = threading.Condition()
        self._urgent: list[tuple[Callable[[], bytes], Answer]] = []
        self._waiting: collections.deque[Item] = collections.deque()
        self._keys: dict[str, tuple[str, str]] = {}
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._is_over = False
        self.done = 0
        self.total = 0
        # One thread goes through all results; the others are there for whoever waits.
        targets = [self._go_through, *[self._answer] * max(AT_ONCE, 2)]
        self._threads = [threading.Thread(target=one, name="batchbg-look", daemon=True) for one in targets]
        for thread in self._threads:
            thread.start()

    def go_through(self, items: Iterable[Item]) -> None:
        """Look at all of these that were not looked at yet, behind what is being looked at."""
        with self._changed:
            todo = [item for item in items if item.has_result]
            self.total = len(todo)
            self._waiting = collections.deque(item for item in todo if item.id not in self._known)
            self.done = self.total - len(self._waiting)
            self._changed.notify_all()

    def suspicion(self, item: Item) -> tuple[float, tuple[str, ...]]:
        """Return how suspicious a result is, 0 to 1, and the kinds of its signs; 0 where it was not looked at yet."""
        return self._known.get(item.id, (0.0, ()))

    def look(self, item: Item) -> Look | None:
        """Return what was seen of a result, None where it was not looked at yet."""
        known = self._keys.get(item.id)
        return self._cache.look(known[1]) if known and known[0] == item.saved_sha256 else None

    def thumb(self, item: Item) -> Answer:
        """Return a result's thumbnail, a WebP; b"" where it cannot be read."""
        return self._ask(lambda: self._seen(item))

    def large(self, path: Path) -> Answer:
        """Return a file as a WebP that fills a screen; b"" where it cannot be read."""
        return self._ask(lambda: self._shrunk(path))

    def _ask(self, work: Callable[[], bytes]) -> Answer:
        answer: Answer = concurrent.futures.Future()
        with self._changed:
            self._urgent.append((work, answer))
            if len(self._urgent) > MOST_WAITING:
                self._urgent.pop(0)[1].cancel()
            self._changed.notify_all()
        return answer

    def _answer(self) -> None:
        """Answer what is asked for, the last first: that is what a person looks at now."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._urgent or self._is_over)
                if self._is_over:
                    return
                work, answer = self._urgent.pop()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(work())
            except Exception as error:  # nobody has foreseen it; it is this picture's all the same
                answer.set_exception(error)

    def _go_through(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_over)
                if self._is_over:
                    return
                item = self._waiting.popleft()
            self._seen(item, thumb=False)
            with self._changed:
                self.done = self.total - len(self._waiting)

    def _seen(self, item: Item, *, thumb: bool = True) -> bytes:
        """Look at a result where that was not done; return its thumbnail."""
        try:
            stat = os.stat(item.result)  # noqa: PTH116 - of very many
        except (OSError, ValueError):
            self._known[item.id] = (0.0, ())
            return b""
        key = key_of(item.saved_sha256, stat.st_size, stat.st_mtime_ns, item.photo is not None)
        look = self._cache.look(key)
        if look is not None and not thumb:
            self._note(item, key, look)
            return b""
        data = self._cache.thumb(key) if look is not None else None
        if data is None and not (look and look.trouble):
            look, data = _looked(item)
            self._cache.keep(key, look, data)
        assert look is not None
        self._note(item, key, look)
        return data or b""

    def _note(self, item: Item, key: str, look: Look) -> None:
        self._keys[item.id] = (item.saved_sha256, key)
        score = 1.0 if look.trouble else suspicion.score(look.signs)
        self._known[item.id] = (score, tuple(sign.kind.value for sign in look.signs))

    def _shrunk(self, path: Path) -> bytes:
        stat = path.stat()
        key = key_of(path, stat.st_size, stat.st_mtime_ns, LARGE_PX)
        data = self._cache.thumb(key)
        if data is None:
            data = decoding.thumbnail(path, LARGE_PX, QUALITY)
            self._cache.keep(key, None, data)
        return data

    def close(self) -> None:
        """End the threads; what is being looked at is dropped."""
        with self._changed:
            self._is_over = True
            for _, answer in self._urgent:
                answer.cancel()
            self._changed.notify_all()
        self._cache.close()


def _looked(item: Item) -> tuple[Look, bytes]:
    cropped = item.treatment is Treatment.FIT
    try:
        seen = decoding.look_over(item.result, item.photo, item.background, cropped, SIDE_PX, QUALITY)
    except (BatchbgError, OSError) as error:
        return Look(trouble=str(error)), b""
    signs = tuple(Sign(Kind(kind), score, words) for kind, score, words in seen["signs"])
    return Look(signs, seen["untold"], tuple(seen["size"])), seen["thumb"]
