"""What is made of a result, on its way out of the process that made it."""

import dataclasses
from typing import Final

from batchbg.core.marketplaces import Facts

RECORD: Final = ".batchbg-finished.jsonl"
"""In a folder of finished pictures: which they are. What lies there is never taken for photos, wherever it is moved."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """A finished picture: its file's bytes, what was measured in them, and what a person should know."""

    data: bytes
    facts: Facts
    remarks: tuple[str, ...]
