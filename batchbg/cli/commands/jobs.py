"""``batchbg jobs``: one line a job."""

from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.logs import when
from batchbg.cli.options import COMMON, with_settings
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchbg.ledger.store import Connection
    from batchbg.settings import Settings

REJECTED = "rejected"


@click.command()
@click.option("--state", type=click.Choice([*(one.value for one in JobState), REJECTED]), help="Only these.")
@with_settings("json", "sandbox", *COMMON, reading=True)
def command(settings: "Settings", state: str | None) -> None:
    """List jobs, one line each; with --json one object a line.

    --state rejected lists the photos that cannot be sent, with the reason; they are no jobs.

    \b
    batchbg jobs --state failed
    batchbg jobs --state rejected
    batchbg jobs --json | jq -r 'select(.state == "done") | .output'
    batchbg jobs --json | jq -r 'select(.verdict == "rejected") | .output'
    """
    from batchbg.ledger.engine import open_to_read

    ledger = open_to_read(settings.ledger)
    number = 0
    with ledger.reading() as connection:
        for value, line in _found(connection, state):
            number += 1
            output.print_json(value) if settings.json else output.tell(line)
    ledger.close()
    if not settings.json:
        _conclude(state, number, settings)


def _found(connection: "Connection", state: str | None) -> "Iterator[tuple[dict[str, object], str]]":
    """Yield each as an object for programs and as a line for people."""
    from batchbg.ledger import jobs, photos

    if state == REJECTED:
        for root, path, reason in photos.rejected(connection):
            yield {"state": REJECTED, "photo": path, "folder": root, "error": reason}, f"{path}: {reason}"
        return
    for job in jobs.in_states(connection, {JobState(state)} if state else set(JobState)):
        yield as_json(job), _line(job)


def _conclude(state: str | None, number: int, settings: "Settings") -> None:
    """Say on stderr, where it is in nobody's way, that there are none, and what to do about unresolved ones."""
    if not number:
        none = {None: "there are no jobs yet", REJECTED: "no photo is rejected"}
        output.note(none.get(state, f"no job is {state}"), settings)
    elif state == JobState.UNRESOLVED:
        output.note(
            "Look for these names in the service's web library. One that is there: `batchbg resolve JOB --project-id ID`;"
            " one that is not: --charged or --not-charged, as `batchbg audit` shows by the balance.",
            settings,
        )


def as_json(job: Job) -> dict[str, object]:
    """Return the documented object of one job; paths are relative to their roots."""
    return {
        "id": job.id,
        "state": job.state.value,
        "photo": job.photo_path,
        "background": job.background_path or None,
        "output": job.output_path,
        "project_id": job.project_id,
        "credits": job.credits,
        "attempts": job.attempt,
        "error": job.error or None,
        "remark": job.remark or None,
        "name": job.name,
        "remote_deleted": when(job.remote_deleted_at) if job.remote_deleted_at else None,
        "verdict": job.verdict.value if job.verdict else None,
        "verdict_reason": job.verdict_reason,
    }


def _line(job: Job) -> str:
    parts = [job.id, f"{job.state.value:11}", f"{job.credits:3d}", job.photo_path]
    if job.background_path:
        parts.append(f"on {job.background_path}")
    if job.error or job.remark:
        parts.append(f"({job.error or job.remark})")
    if job.verdict:
        parts.append(f"({job.verdict.value}{': ' if job.verdict_reason else ''}{job.verdict_reason})")
    if job.remote_deleted_at:
        parts.append("(deleted at the service)")
    if job.state is JobState.UNRESOLVED:
        parts.append(f"look for: {job.name}")
    return "  ".join(parts)
