"""The user's own commands of a run, where it has one."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Final

from batchbg.errors import ConfigError
from batchbg.ledger import commands
from batchbg.pool.observer import Observer
from batchbg.run.context import RunContext
from batchbg.settings.key import KEY_VARIABLE, SECRET_VARIABLE

_LEAST: Final = 8
"""Characters of what is looked for as a secret: a shorter one is part of many words."""


@contextlib.asynccontextmanager
async def commands_at_work(run: RunContext) -> AsyncIterator[Observer]:
    """Start the user's own command for each result that is saved within; none where the settings name none.

    Raises:
        ConfigError: there is no such program.
    """
    words = run.settings.exec
    if words is None:
        yield Observer()
        return
    from batchbg.pool.commands import Command, Commands

    if shutil.which(words[0]) is None:
        raise ConfigError(f"exec: there is no program {words[0]!r} that could be started")
    secrets = () if run.settings.sandbox else (run.key, os.environ.get(SECRET_VARIABLE, "").strip())
    known = tuple(secret for secret in secrets if len(secret) >= _LEAST)
    names = (KEY_VARIABLE, SECRET_VARIABLE)
    command = Command(words, run.settings.exec_timeout, known, names)
    started = Commands(command, run.ledger, run.stop, run.id)
    async with started.at_work():
        yield started


def are_due(run: RunContext) -> bool:
    """Return whether a command is due that this run would start."""
    if run.settings.exec is None:
        return False
    with run.ledger.reading() as connection:
        return commands.are_due(connection)
