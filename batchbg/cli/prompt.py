"""Asking a person in the middle of a run: while the question is open, Ctrl-C still ends the run."""

import asyncio
import os
import sys

import click


async def confirmed(question: str) -> bool:
    """Return whether a person at the terminal says yes; the end of the input is no.

    No thread waits for the answer, for nothing could end it: a signal that cancels the caller ends the question too.
    """
    while True:
        click.echo(f"{question} [y/N]: ", err=True, nl=False)
        answer = await _line()
        if answer.strip().lower() in ("y", "yes"):
            return True
        if answer.strip().lower() in ("n", "no", ""):
            return False
        click.echo("Error: answer y or n", err=True)


async def _line() -> str:
    """Return the next line of the terminal, "" at its end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        descriptor = sys.stdin.fileno()
        loop.add_reader(descriptor, ready.set)
    except (NotImplementedError, OSError):  # Windows, or a stdin that cannot be waited for
        return await asyncio.to_thread(sys.stdin.readline)
    try:
        await ready.wait()
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    finally:
        loop.remove_reader(descriptor)
