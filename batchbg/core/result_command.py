"""The user's own command for a saved result: its words for one of them, and the environment it is started with."""

from collections.abc import Mapping, Sequence
from typing import Final

from batchbg.core.text import scrub

RESULT: Final = "{}"
"""Stands for the path of the result's file, as in fd and find. A command without it gets the path as its last word."""

PHOTO: Final = "{photo}"
"""Stands for the photo's path below the photo folder."""

JOB: Final = "{job}"
"""Stands for the job's id."""


def words_for(command: Sequence[str], result: str, photo: str, job_id: str) -> list[str]:
    """Return the words to start: each placeholder is filled in within its own word, whatever is in a name.

    A word that a photo's name would turn into an option begins with "./" instead.
    """
    values = {RESULT: result, PHOTO: photo, JOB: job_id}
    given = command if any(RESULT in word for word in command) else [*command, RESULT]
    return [_filled(word, values) for word in given]


def _filled(word: str, values: Mapping[str, str]) -> str:
    filled, at = [], 0
    while at < len(word):
        name = next((name for name in values if word.startswith(name, at)), None)
        filled.append(word[at] if name is None else values[name])
        at += 1 if name is None else len(name)
    text = "".join(filled)
    return f"./{text}" if text.startswith("-") and not word.startswith("-") else text


def environment_without(environ: Mapping[str, str], secrets: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Return the environment of another program: nothing in it has one of these names, or holds one of these secrets."""
    return {
        name: value
        for name, value in environ.items()
        if name not in names and not any(scrub(value, secret) != value for secret in secrets if secret)
    }


def last_line(output: bytes) -> str:
    """Return the last line that says something, "" where none does."""
    lines = output.decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
