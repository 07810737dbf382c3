"""Bytes in memory, never more than a fixed amount of them."""

import threading
from collections import OrderedDict


class ByteStore:
    """A mapping to bytes that forgets the least recently used ones when it is full."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()  # renders read from their own threads
        self._items: OrderedDict[str, bytes] = OrderedDict()
        self.size_bytes = 0

    def put(self, key: str, content: bytes) -> None:
        """Keep ``content``; what alone is larger than the store is not kept at all."""
        with self._lock:
            self.size_bytes -= len(self._items.pop(key, b""))
            if len(content) > self._max_bytes:
                return
            self._items[key] = content
            self.size_bytes += len(content)
            while self.size_bytes > self._max_bytes:
                _, dropped = self._items.popitem(last=False)
                self.size_bytes -= len(dropped)

    def get(self, key: str) -> bytes | None:
        """Return the bytes, which now are the most recently used, or None."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)
