"""``batchbg jobs``: one line a job."""

from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.logs import when
from batchbg.cli.options import COMMON, with_settings
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job

if TYPE_CHECKING:
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
    """
    from batchbg.ledger import jobs as ledger_jobs
    from batchbg.ledger import photos
    from batchbg.ledger.engine import open_to_read

    ledger = open_to_read(settings.ledger)
    with ledger.reading() as connection:
        if state == REJECTED:
            for root, path, reason in photos.rejected(connection):
                _print(
                    settings, {"state": REJECTED, "photo": path, "folder": root, "error": reason}, f"{path}: {reason}"
                )
        else:
            states = {JobState(state)} if state else set(JobState)
            for job in ledger_jobs.in_states(connection, states):
                _print(settings, as_json(job), _line(job))
    ledger.close()


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
    }


def _line(job: Job) -> str:
    parts = [job.id, f"{job.state.value:11}", f"{job.credits:3d}", job.photo_path]
    if job.background_path:
        parts.append(f"on {job.background_path}")
    if job.error or job.remark:
        parts.append(f"({job.error or job.remark})")
    if job.remote_deleted_at:
        parts.append("(deleted at the service)")
    return "  ".join(parts)


def _print(settings: "Settings", value: dict[str, object], line: str) -> None:
    output.print_json(value) if settings.json else output.tell(line)
