"""What a shell completes beyond what click knows by itself."""

import os
from collections.abc import Callable
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from batchbg.core.lifecycle import JobState
from batchbg.errors import BatchbgError

MOST: Final = 200
"""Job ids to offer: more are no help to anybody."""

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _paths(kind: str) -> Complete:
    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type=kind)]  # the shell knows better what is there

    return complete


folders: Final = _paths("dir")
"""Completes folders: `batchbg doctor PHOTOS`."""

files: Final = _paths("file")
"""Completes files, and folders on the way to them: `batchbg run PHOTOS`."""

PATHS: Final = {"DIR": folders, "FILE": files, "BACKGROUND": files}
"""What completes an option's value, by what stands for it in --help."""


def job_ids(*states: JobState) -> Complete:
    """Return what completes the ids of jobs in these states, each with its photo."""

    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from batchbg.ledger import jobs
        from batchbg.ledger.engine import open_to_read
        from batchbg.settings import load

        flags: dict[str, Any] = {name: ctx.params.get(name) for name in ("ledger", "sandbox")}
        items: list[CompletionItem] = []
        try:
            ledger = open_to_read(load(flags, os.environ, ctx.params.get("config")).ledger)
            with ledger.reading() as connection:
                for job in jobs.in_states(connection, set(states)):
                    if job.id.startswith(incomplete):
                        items.append(CompletionItem(job.id, help=job.photo_path))
                    if len(items) == MOST:
                        break
            ledger.close()
        except BatchbgError:
            pass  # a shell that asks has no place for the reason
        return items

    return complete
