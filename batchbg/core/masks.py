"""Masks of small pictures as whole numbers, a byte a cell: what is asked of all cells at once is a few operations."""

import dataclasses
import functools


@dataclasses.dataclass(frozen=True, slots=True)
class Masks:
    """What makes and changes the masks of pictures of one shape.

    Attributes:
        width: cells of a row.
        total: cells of a picture.
    """

    width: int
    total: int

    def marked(self, values: bytes, table: bytes) -> int:
        """Return the cells whose value the table translates to 1."""
        return int.from_bytes(values.translate(table), "little")

    def of(self, runs: list[tuple[int, int]]) -> int:
        """Return the cells of some runs, (first, end) each."""
        cells = bytearray(self.total)
        for first, end in runs:
            cells[first:end] = b"\x01" * (end - first)
        return int.from_bytes(cells, "little")

    def grown(self, mask: int) -> int:
        """Return a mask and the cells beside its own, above and below."""
        row = 8 * self.width
        return (mask | mask << 8 | mask >> 8 | mask << row | mask >> row) & self.all

    def shrunk(self, mask: int) -> int:
        """Return the cells of a mask all of whose neighbours are in it, too."""
        row = 8 * self.width
        return mask & mask << 8 & mask >> 8 & mask << row & mask >> row

    def as_bytes(self, mask: int) -> bytes:
        """Return a mask as a byte a cell."""
        return mask.to_bytes(self.total, "little")

    @property
    def all(self) -> int:
        """Every cell."""
        return int.from_bytes(b"\x01" * self.total, "little")


@functools.lru_cache(maxsize=1024)
def within(low: int, high: int) -> bytes:
    """Return the table that translates values from ``low`` to ``high`` to 1, all others to 0."""
    return bytes(low <= value <= high for value in range(256))
