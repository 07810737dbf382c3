"""``batchbg resolve``: settle creates whose answer was lost."""

import functools
import os
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.completion import job_ids
from batchbg.cli.options import COMMON, with_settings
from batchbg.core.lifecycle import JobState

if TYPE_CHECKING:
    from batchbg.settings import Settings


@click.command()
@click.argument("job", nargs=-1, shell_complete=job_ids(JobState.UNRESOLVED))
@click.option("--all", "every", is_flag=True, help="All unresolved jobs.")
@click.option("--project-id", metavar="ID", help="The project that the create made; the service is asked first.")
@click.option("--yes-it-is", is_flag=True, help="With --project-id: take it, even though the service reports no name.")
@click.option("--charged", is_flag=True, help="It was charged and its result cannot be retrieved: count it as failed.")
@click.option("--not-charged", is_flag=True, help="It made nothing: plan it again.")
@with_settings("base_url", "retry_lock", *COMMON)
def command(
    settings: "Settings",
    job: tuple[str, ...],
    every: bool,
    project_id: str | None,
    yes_it_is: bool,
    charged: bool,
    not_charged: bool,
) -> None:
    """Settle unresolved jobs: creates whose answer was lost, which may or may not have been charged.

    Look for the name that `batchbg jobs --state unresolved` shows in the service's web library, and at the
    balance that `batchbg audit` shows. Then say what you found. Where a webhook event names a job's project, and the
    service confirms it, that project is attached, whatever you say.

    \b
    batchbg resolve JOB --project-id ID      the project is there: attach it
    batchbg resolve JOB --charged            the credits are gone, the project cannot be found
    batchbg resolve --all --not-charged      nothing was made: plan them again
    """
    from batchbg.repair.resolve import resolve
    from batchbg.settings import api_key

    if bool(job) == every:
        raise click.UsageError("Name jobs, or --all.")
    if (project_id is not None) + charged + not_charged != 1:
        raise click.UsageError("Give one of --project-id ID, --charged, --not-charged.")
    key = functools.partial(api_key, settings, os.environ)
    settled = resolve(settings, key, job, project_id=project_id, charged=charged, unnamed=yes_it_is)
    for one in settled:
        output.tell(f"{one.id}: {one.state}  {one.photo_path}")
    if not settled:
        output.tell("there are no unresolved jobs")
    elif any(one.state is not JobState.FAILED for one in settled):
        output.tell("`batchbg resume` continues them")
