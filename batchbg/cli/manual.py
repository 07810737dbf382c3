"""The manual page, batchbg(1), written from the help of every command; see man(7) for its macros."""

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Final

import click

from batchbg import __version__
from batchbg.cli.options import COMMON
from batchbg.errors import ExitCode
from batchbg.settings.definitions import SETTINGS

SHARED: Final = frozenset({"config", *COMMON})
"""Options that are explained once, by their parameters' names, not with each command that takes them."""

EXITS: Final = {
    ExitCode.OK: "All done, or nothing to do.",
    ExitCode.INTERNAL: "Internal error.",
    ExitCode.USAGE: "Usage or configuration is wrong, or there is no key.",
    ExitCode.INCOMPLETE: "Finished, but a photo was rejected, a job failed, or one is unresolved.",
    ExitCode.TEMPORARY: "Temporary trouble with the service, the disk or the ledger; run it again.",
    ExitCode.ACCOUNT: "The account refuses: the key, the credits or the plan.",
    ExitCode.CAP: "A cap was reached, on credits, files or a pilot; jobs remain.",
    ExitCode.TIME: "The time limit was reached; jobs remain.",
    ExitCode.LOCKED: "Another run holds the ledger.",
    ExitCode.HANGUP: "Hung up.",
    ExitCode.INTERRUPT: "Interrupted.",
    ExitCode.TERMINATED: "Terminated.",
}

VARIABLES: Final = {
    "MAGIC_HOUR_API_KEY": "The API key. It is taken from here, or from the file that api_key_file names, never from a flag.",
    "BATCHBG_NAME": "The value of a setting, as BATCHBG_MAX_CREDITS. Flags win over it, and it wins over config.toml.",
    "BATCHBG_CONFIG": "The config.toml to use, as with --config.",
    "NO_COLOR": "Set to anything: no colours.",
}

FILES: Final = {
    "./config.toml": "Settings; `batchbg init` writes a commented one.",
    "~/.config/batchbg/config.toml": "The user's own settings, below those of ./config.toml.",
    "batchbg.db": "The ledger, beside config.toml, else in the current folder; --ledger names another.",
}


def manual(context: click.Context, topics: dict[str, str]) -> str:
    """Return the page.

    Args:
        context: of the whole program.
        topics: pages of `batchbg help`, with what each is about.
    """
    program = context.command
    assert isinstance(program, click.Group)
    about, _, more = inspect.cleandoc(program.help or "").partition("\n\n")
    lines = [
        f'.TH BATCHBG 1 "" "batchbg {_text(__version__)}" "User Commands"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"batchbg \\- {_text(about.rstrip('.').replace(chr(10), ' '))}",
        ".SH SYNOPSIS",
        r".B batchbg",
        r"\fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(f"{about}\n\n{more}"),
        ".SH COMMANDS",
    ]
    shared: dict[str, tuple[str, str]] = {}
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        if command is not None and not command.hidden:
            lines += _command(command, click.Context(command, info_name=name, parent=context), shared)
    lines += [".SH COMMON OPTIONS", "Most commands take these."]
    lines += _definitions(sorted(shared.values()))
    lines += [
        ".SH SETTINGS",
        "Every option of run is a setting, too, in config.toml or the environment. These are only that.",
    ]
    lines += _definitions((setting.key, setting.help) for setting in SETTINGS if not setting.flags)
    lines += [".SH EXIT STATUS", *_definitions((str(code.value), text) for code, text in EXITS.items())]
    lines += [".SH ENVIRONMENT", *_definitions(VARIABLES.items()), ".SH FILES", *_definitions(FILES.items())]
    lines += [".SH SEE ALSO", "Pages about one subject each:"]
    lines += _definitions((f"batchbg help {name}", what) for name, what in topics.items())
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context, shared: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Yield a command's part, and those of the commands within it; options that many take go into ``shared``."""
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_text(context.command_path)} {_text(usage)}".rstrip()
    yield from _paragraphs(command.help or "")
    records: list[tuple[str, str]] = []
    for one in command.get_params(context):
        record = one.get_help_record(context) if isinstance(one, click.Option) else None
        if record and (one.name in SHARED or "--help" in one.opts):
            shared.setdefault(one.name or "", record)
        elif record:
            records.append(record)
    yield from _definitions(records)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _command(inner, click.Context(inner, info_name=name, parent=context), shared)


def _definitions(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield from (".TP", rf"\fB{_text(term)}\fR", _line(" ".join(text.split())))


def _paragraphs(text: str) -> Iterator[str]:
    r"""Yield a help's paragraphs; those that begin with click's mark \b keep their lines."""
    for number, paragraph in enumerate(inspect.cleandoc(text.partition("\f")[0]).split("\n\n")):
        lines = paragraph.strip("\n").split("\n")
        if number:
            yield ".PP"
        if lines[0].strip() == "\b":
            yield from (".RS 4", ".nf", *map(_line, lines[1:]), ".fi", ".RE")
        else:
            yield _line(" ".join(paragraph.split()))


def _line(text: str) -> str:
    """Return a line of text, in which nothing is taken for a request."""
    return rf"\&{_text(text)}" if text[:1] in (".", "'") else _text(text)


def _text(text: str) -> str:
    """Return text for the formatter: letters that it would take for something else, or does not know, by their names."""
    text = re.sub(r"[\\\-'`^~\"]", lambda found: _NAMES[found[0]], text)
    text = re.sub(r"(?<=\|)(?=\w)", r"\:", text)  # a long word may be broken there
    return "".join(letter if letter.isascii() else rf"\[u{ord(letter):04X}]" for letter in text)


_NAMES: Final = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
