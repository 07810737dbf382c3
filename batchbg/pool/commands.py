"""Starting the user's own command for each saved result, beside the work: a few at a time, none for too long.

That a command is due is in the ledger from the transaction on that says that the result is saved, until the command has
ended. So one that a crash or an interrupt kept from its end is started again by the next run that has a command: each
is started at least once. How it ends changes no job.
"""

import asyncio
import collections
import contextlib
import dataclasses
import logging
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, Self

from batchbg.core.model import Job, Output
from batchbg.core.result_command import environment_without, last_line, words_for
from batchbg.core.text import scrub
from batchbg.core.words import counted
from batchbg.errors import BatchbgError, ExitCode, LedgerError
from batchbg.ledger import commands
from batchbg.ledger.store import Ledger
from batchbg.pool.observer import Observer
from batchbg.pool.stop import Stop

log = logging.getLogger(__name__)

AT_ONCE: Final = min(os.cpu_count() or 1, 8)
"""Commands at a time."""

MOST_SAID: Final = 4096
"""Bytes of what a command says on stderr that are kept: its last ones."""

TO_END_S: Final = 2.0
"""Seconds that a command has to end once it is told to."""

SILENT_S: Final = 0.5
"""Seconds for what it still has to say once it has ended: another program may hold its stderr open."""


@dataclasses.dataclass(frozen=True)
class Command:
    """What is started.

    Attributes:
        words: program and arguments, with placeholders.
        timeout_s: seconds after which one is ended.
        secrets: API keys and their like, which it does not get to know.
        names: of variables that hold them.
    """

    words: tuple[str, ...]
    timeout_s: float
    secrets: tuple[str, ...] = dataclasses.field(repr=False)
    names: tuple[str, ...]


class Commands(Observer):
    """Starts commands, in the order in which results are saved."""

    def __init__(self, command: Command, ledger: Ledger, stop: Stop, run_id: str) -> None:
        self._command = command
        self._ledger = ledger
        self._stop = stop
        self._run_id = run_id
        self._environment = environment_without(os.environ, command.secrets, command.names)
        self._queue: asyncio.Queue[tuple[int, str, str, Path]] = asyncio.Queue()
        self._failures: collections.Counter[str] = collections.Counter()

    def saved(self, job: Job, target: Path) -> None:
        """Start one for a job's own result."""
        self._queue.put_nowait((job.output_id, job.id, job.photo_path, target))

    def reused(self, job: Job, output: Output, target: Path) -> None:
        """Start one for a copy: it is another photo's result."""
        self._queue.put_nowait((output.id, job.id, output.photo_path, target))

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Start what is due and what becomes due, until the block is left and all have ended, or the run is left."""
        with self._ledger.reading() as connection:
            for one in commands.due(connection):
                target = self._ledger.absolute(one.folder) / one.path
                self._queue.put_nowait((one.output_id, one.job_id, one.photo, target))
        workers = [asyncio.create_task(self._work()) for _ in range(AT_ONCE)]
        try:
            yield
            await self._stop.before_leaving(self._queue.join())
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self._conclude()

    async def _work(self) -> None:
        while not self._stop.leaving:
            output_id, job_id, photo, target = await self._queue.get()
            try:
                if not self._stop.leaving:
                    await self._do(output_id, words_for(self._command.words, str(target), photo, job_id), photo)
            except Exception as error:  # whoever waits for the queue must not wait for ever
                log.exception("exec: %s", photo)
                self._stop.note(ExitCode.INTERNAL, f"exec: {photo}: {type(error).__name__}: {error}")
            finally:
                self._queue.task_done()

    async def _do(self, output_id: int, words: list[str], photo: str) -> None:
        try:
            ended = await self._start(words)
        except (OSError, ValueError) as error:
            ended = f"cannot be started: {getattr(error, 'strerror', None) or error}", ""
        if ended is None:
            return  # the run is being left: it is still due
        how, said = ended
        if how:
            self._failed(how, said, photo)
        try:
            await asyncio.to_thread(self._note, output_id)
        except BatchbgError as error:  # the next run starts it once more
            log.warning("%s", error)

    def _note(self, output_id: int) -> None:
        with self._ledger.transaction(self._run_id) as tx:
            commands.ended(tx, [output_id])

    async def _start(self, words: list[str]) -> tuple[str, str] | None:
        """Return how it failed, "" where it did not, and what it said last; None where the run is left meanwhile."""
        async with _Said() as said:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a run's own is for its summary
                stderr=said.writes_to,
                env=self._environment,
                start_new_session=True,  # keys on the terminal are for the run
            )
            said.let_go()
            try:
                async with asyncio.timeout(self._command.timeout_s):
                    code = await self._stop.before_leaving(process.wait())
            except TimeoutError:
                return f"was ended after {self._command.timeout_s:g} s", ""
            finally:
                await _end(process)
            return None if code is None else (_how(code), await said.last_line())

    def _failed(self, how: str, said: str, photo: str) -> None:
        """Tell of the first of each kind; of the others the end tells."""
        if not self._failures[how]:
            for secret in self._command.secrets:
                said = scrub(said, secret)
            log.warning("exec: %s %s, for the result of %s%s", self._command.words[0], how, photo, said and f": {said}")
        self._failures[how] += 1

    def _conclude(self) -> None:
        """Say how many failed, and how many are left for the next run."""
        if number := self._failures.total():
            kinds = ", ".join(f"{how} ({times})" for how, times in self._failures.most_common())
            self._stop.note(ExitCode.INCOMPLETE, f"exec: {counted(number, 'command')} failed: {kinds}")
        with contextlib.suppress(LedgerError), self._ledger.reading() as connection:
            if left := len(commands.due(connection)):
                log.warning("exec: %s still to be started or ended: the next run does it", counted(left, "command"))


class _Said:
    """What a process says on stderr: the last of it.

    The pipe is our own: asyncio would take a process for running as long as one that it has started holds its stderr.
    """

    async def __aenter__(self) -> Self:
        """Begin to read.

        Raises:
            OSError: there is no pipe to be had.
        """
        reads, self.writes_to = os.pipe()
        self._tail = b""
        self._stream = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(self._stream)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(reads, "rb", 0))
        self._reading = asyncio.create_task(self._read())
        return self

    def let_go(self) -> None:
        """Leave the pipe to the process."""
        if self.writes_to >= 0:
            os.close(self.writes_to)
            self.writes_to = -1

    async def _read(self) -> None:
        while part := await self._stream.read(MOST_SAID):
            self._tail = (self._tail + part)[-MOST_SAID:]

    async def last_line(self) -> str:
        """Return the last line, once the process has ended."""
        await asyncio.wait([self._reading], timeout=SILENT_S)
        return last_line(self._tail)

    async def __aexit__(self, kind: object, error: object, at: object) -> None:
        self.let_go()
        self._reading.cancel()
        self._transport.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process that has not ended by itself, and all that it has started."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), TO_END_S)
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), TO_END_S)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def _how(code: int) -> str:
    """Return how a command failed; "" where it did not."""
    if code < 0:
        names: Mapping[int, str] = {one.value: one.name for one in signal.Signals}
        return f"was killed by {names.get(-code, f'signal {-code}')}"
    return f"ended with {code}" if code else ""
