"""Asking a person, before a run or in the middle of it, where Ctrl-C ends the run while the question is open."""

import asyncio
import os
import sys

import click

from batchbg.cli.wrapping import fitted


def asked(question: str) -> str:
    """Return a question as it stands on the terminal, with room behind it for the answer."""
    return fitted(question, sys.stderr, "", len(" [y/N]: no"))


def confirm(question: str) -> bool:
    """Ask a person before anything is begun.

    Raises:
        KeyboardInterrupt: the answer was Ctrl-C, or the end of the input.
    """
    try:
        return click.confirm(asked(question), err=True)
    except click.Abort:
        click.echo(err=True)  # what is said next stands on a line of its own
        raise KeyboardInterrupt from None


async def confirmed(question: str) -> bool:
    """Return whether a person at the terminal says yes; the end of the input is no.

    No thread waits for the answer, for nothing could end it: a signal that cancels the caller ends the question too.
    """
    while True:
        click.echo(f"{asked(question)} [y/N]: ", err=True, nl=False)
        answer = ""
        try:
            answer = await _line()
        finally:
            if not answer.endswith("\n"):
                click.echo(err=True)  # Ctrl-C, or the end: what is said next stands on a line of its own
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
