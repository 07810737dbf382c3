"""What happened, in order."""

import json
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.ledger.tables import events
from batchbg.ledger.transaction import Tx


def note(
    tx: Tx,
    job_id: str | None,
    kind: str,
    *,
    old: JobState | None = None,
    new: JobState | None = None,
    detail: str | dict[str, Any] = "",
) -> None:
    """Append an event."""
    text = storable(detail) if isinstance(detail, str) else json.dumps(detail, ensure_ascii=True)
    event = {"at": tx.at, "run_id": tx.run_id, "job_id": job_id, "kind": kind, "detail": text}
    tx.connection.execute(_APPEND, event | {"old_state": old, "new_state": new})


_APPEND: Final = sa.insert(events)


def storable(text: str) -> str:
    """Return a text that any database takes: names of files and messages of servers need not be Unicode."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
