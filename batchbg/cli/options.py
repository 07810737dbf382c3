"""Turning the table of settings into click options, and what click parsed into Settings."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from batchbg.cli.completion import PATHS
from batchbg.cli.logs import log_to_stderr, set_up_logging
from batchbg.cli.photos import folder_or_files
from batchbg.cli.suggest import located, remember
from batchbg.core.suggestion import anyway, meant
from batchbg.errors import BatchbgError, ConfigError, NoLedger
from batchbg.settings.definitions import BY_KEY, Setting

if TYPE_CHECKING:
    from batchbg.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

COMMON: Final = ("ledger", "log_format", "verbose", "quiet")
"""Options of every command that opens a ledger."""

LIMITS: Final = (
    "base_url",
    "sandbox",
    "max_credits",
    "max_files",
    "max_duration",
    "pilot",
    "requests_per_second",
    "max_in_flight",
)
"""How fast and how far."""

SCAN: Final = (
    "backgrounds",
    "output",
    "include",
    "exclude",
    "files_from",
    "null",
    "max_depth",
    "background_policy",
    "background_map",
    "on_mismatch",
    "first_page",
    "allow_blank",
    "prefer",
    "portable_names",
    "force",
    "again",
)
"""What is planned."""

RESULTS: Final = ("format", "quality", "flatten", "keep_received")
"""In what form results are saved."""

ASKING: Final = ("yes", "confirm_batch_over", "json", "retry_lock", "strict", "report", "metrics_file")
"""Question and output."""


FINISH: Final = ("finish",)
"""What is made of results at the end."""


DEMO: Final = Path("batchbg-demo")
"""Folder of the demo."""

REHEARSED: Final = {DEMO / "batchbg-sandbox.db": "the demo", Path("batchbg-sandbox.db"): "the rehearsals"}
"""Ledgers that are there and yet not found, since they are not of real runs."""

REHEARSALS: Final = "Use the rehearsals': ledger batchbg-sandbox.db, output folder <output>-sandbox, no key."
"""Of --sandbox, where a command starts none."""


SECTIONS: Final = {
    "Photos, pairing, results": (*SCAN, *RESULTS, "finish", "delete_remote", "exec", "plan", "save", "dry_run"),
    "Limits": ("max_credits", "max_files", "max_duration", "pilot", "requests_per_second", "max_in_flight"),
    "Questions and answers": (
        "yes",
        "confirm_batch_over",
        "report",
        "metrics_file",
        "json",
        "strict",
        "log_format",
        "verbose",
        "quiet",
    ),
    "Watching": ("still_for", "poll_every"),
    "Settings, ledger, service": ("config", "ledger", "retry_lock", "base_url", "sandbox"),
}
"""Of a long --help, by the parameters' names; what is in none of them comes last."""


class Sectioned(click.Command):
    """A command whose options are so many that --help shows them in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        shown = (one for one in self.get_params(ctx) if isinstance(one, click.Option))
        records = {one.name: record for one in shown if (record := one.get_help_record(ctx))}
        for title, names in SECTIONS.items():
            if rows := [records.pop(name) for name in names if name in records]:
                with formatter.section(title):
                    formatter.write_dl(rows)
        with formatter.section("Others"):
            formatter.write_dl(list(records.values()))


def with_settings(
    *keys: str,
    overrides: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    refused: Callable[[ConfigError, dict[str, Any]], Any] | None = None,
    reading: bool = False,
) -> Callable[[F], Callable[..., Any]]:
    """Give a command the options of these settings and pass it the merged ``settings``.

    Args:
        keys: of settings that have a flag, in the order of --help.
        overrides: returns defaults of this command's own, given the parameters.
        refused: called, with the flags, in the command's place where the settings cannot be loaded.
        reading: the command only looks, so that --sandbox means where.
    """

    def decorate(command: F) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapper(config: Path | None, **parameters: Any) -> Any:
            try:
                return call(config, parameters)
            except BatchbgError as error:
                # What it says to type has to find the same ledger and keep to the same limits.
                said = located(str(error)) + (_ledgers_of_rehearsals() if isinstance(error, NoLedger) else "")
                error.args = (said, *error.args[1:])
                raise

        def call(config: Path | None, parameters: dict[str, Any]) -> Any:
            from batchbg.settings import load

            fields = {BY_KEY[key].field for key in (*keys, "photos")}
            flags = {name: parameters.pop(name) for name in list(parameters) if name in fields}
            if isinstance(named := flags.get("photos"), tuple):
                flags |= folder_or_files(named)
            changed = overrides(parameters) if overrides else None
            try:
                settings = load(flags, os.environ, config, changed)
            except ConfigError as error:
                if flags.get("log_format"):
                    log_to_stderr(flags["log_format"])
                if refused is None:
                    raise
                return refused(error, flags)
            set_up_logging(settings)
            remember(settings)
            return command(settings=settings, **parameters)

        wrapped: Any = wrapper
        for key in reversed(keys):
            setting = BY_KEY[key]
            if reading and key == "sandbox":
                setting = dataclasses.replace(setting, help=REHEARSALS)
            wrapped = _option(setting)(wrapped)
        where = click.Path(path_type=Path)
        text = "Settings; a file named here is trusted [default: ./config.toml]."
        return click.option("--config", type=where, metavar="FILE", help=text)(wrapped)  # type: ignore[no-any-return]

    return decorate


def settings_again(context: click.Context) -> "Settings":
    """Return the settings of a command, with its flags as they were given, and its files as they are now.

    Raises:
        ConfigError: they cannot be loaded.
    """
    from batchbg.settings import load

    fields = {setting.field for setting in BY_KEY.values()}
    flags = {name: value for name, value in context.params.items() if name in fields}
    return load(flags, os.environ, context.params.get("config"))


def _ledgers_of_rehearsals() -> str:
    """Return where the ledgers of the demo and of rehearsals lie, if there are any: they are easily looked for."""
    return "".join(f"; that of {name}: --ledger sqlite:///{path}" for path, name in REHEARSED.items() if path.is_file())


def _option(setting: Setting) -> Callable[[Any], Any]:
    kind = setting.kind
    text = setting.help + _default_note(setting)
    if setting.field == "verbose":
        return click.option(*setting.flags, setting.field, count=True, help=text)
    if kind.switch:
        return click.option(*setting.flags, setting.field, is_flag=True, default=None, help=text)
    if kind.choices:
        choice = click.Choice(kind.choices)
        return click.option(*setting.flags, setting.field, type=choice, default=None, help=text)
    return click.option(
        *setting.flags,
        setting.field,
        metavar=setting.metavar,
        multiple=kind.many,
        default=None,
        help=text,
        shell_complete=PATHS.get(setting.metavar or ""),
    )


def _default_note(setting: Setting) -> str:
    if setting.default in (None, False, (), 0) or "[default" in setting.help:
        return ""
    shown = f"{setting.default:g}" if isinstance(setting.default, float) else setting.default
    return f" [default: {shown}]"


def advise(error: click.NoSuchOption) -> click.UsageError:
    """Return the error with the option that was meant, or with what is so without any."""
    command = error.ctx.command if error.ctx else None
    known = [flag for one in command.params for flag in one.opts if flag.startswith("--")] if command else []
    text = f"No such option {error.option_name!r}."
    if found := meant(error.option_name, known):
        text += f" Did you mean {found!r}?"
    elif said := anyway(error.option_name):
        text += f" {said[0].upper()}{said[1:]}."
    return click.UsageError(text, error.ctx)


def settings_keys(*groups: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of several groups in one row, each once."""
    return tuple(dict.fromkeys(key for group in groups for key in group))
