"""``batchbg doctor``: check everything a run depends on, and say how to fix it."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchbg.cli import output
from batchbg.cli.completion import folders
from batchbg.cli.options import COMMON, with_settings
from batchbg.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from batchbg.doctor import Finding
    from batchbg.settings import Settings

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def _without_settings(error: ConfigError, flags: dict[str, Any]) -> None:
    """Tell what can be told without settings, what is wrong with these first of all."""
    from batchbg.doctor import Finding, programs

    found = Finding("config", "fail", str(error), "fix it, then run `batchbg doctor` again for the rest")
    _tell([found, *programs()], as_json=bool(flags.get("json")), quiet=bool(flags.get("quiet")))


@click.command()
@with_settings(
    "backgrounds",
    "output",
    "base_url",
    "webhook_url",
    "sandbox",
    "json",
    *COMMON,
    refused=_without_settings,
    reading=True,
)
@click.argument("photos", required=False, type=click.Path(path_type=Path), shell_complete=folders)
@click.pass_context
def command(ctx: click.Context, settings: "Settings") -> None:
    """Check everything a run depends on, and say how to fix it. Exits with 0 if all is well, otherwise with 2.

    Python and the libraries, config.toml, the folders and their disk, the ledger and its lock, the key, the service
    and the clock. Warnings leave 0. Nothing is sent except a request for the account, and with --webhook-url an event to
    that address, which has to arrive here.

    \b
    batchbg doctor photos -b backgrounds
    batchbg doctor --sandbox          for a rehearsal: no key, no service
    batchbg doctor --webhook-url https://shop.example/webhook
    """
    from batchbg.doctor import examine

    _tell(examine(settings, _config(ctx)), as_json=settings.json, quiet=settings.quiet)


def _config(ctx: click.Context) -> Path | None:
    """Return the config file in use, by the rules of ``load``."""
    from batchbg.settings import config_file

    path, is_named = config_file(os.environ, ctx.params.get("config"))
    return path if is_named or path.exists() else None


def _tell(findings: Iterable["Finding"], *, as_json: bool, quiet: bool) -> None:
    """Print the findings as they come, and leave with what they amount to."""
    told = []
    for finding in findings:
        told.append(finding)
        if as_json or (quiet and finding.verdict == "ok"):
            continue
        verdict = click.style(f"{finding.verdict:4}", fg=COLOURS[finding.verdict])
        output.tell(f"{finding.name}: {finding.text}", head=f"{verdict}  ")
        if finding.mend:
            output.tell(f"      {finding.mend}")
    failed = any(finding.verdict == "fail" for finding in told)
    if as_json:
        output.print_json({"ok": not failed, "findings": [dataclasses.asdict(finding) for finding in told]})
    click.get_current_context().exit(ExitCode.USAGE if failed else ExitCode.OK)
