"""``batchbg doctor``: check everything a run depends on, and say how to mend each."""

import asyncio
import dataclasses
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import click

from batchbg import __version__
from batchbg.cli import output
from batchbg.cli.account import read
from batchbg.cli.options import COMMON, with_settings
from batchbg.disk.results import try_out
from batchbg.errors import ApiError, BatchbgError, ConfigError, ExitCode, LedgerBusy
from batchbg.ledger import audit
from batchbg.ledger.engine import exists, held, open_ledger, sqlite_path
from batchbg.settings import Settings, api_key

ROOMY_BYTES: Final = 1_000_000_000
"""Free space under which a warning is given: some hundred results."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was checked: ``verdict`` is "ok", "warn" or "fail"; ``mend`` says what to do."""

    name: str
    verdict: str
    text: str
    mend: str = ""


@click.command()
@with_settings("backgrounds", "output", "base_url", "sandbox", "json", *COMMON)
@click.argument("photos", required=False, type=click.Path(path_type=Path))
@click.pass_context
def command(ctx: click.Context, settings: Settings) -> None:
    """Check everything a run depends on, and say how to mend each. 0 where all is well, else 2."""
    findings = [finding for check in CHECKS for finding in check(settings)]
    failed = any(finding.verdict == "fail" for finding in findings)
    if settings.json:
        output.print_json({"findings": [dataclasses.asdict(finding) for finding in findings], "ok": not failed})
    else:
        for finding in findings:
            if finding.verdict == "ok" and settings.quiet:
                continue
            click.echo(f"{finding.verdict:4}  {finding.name}: {finding.text}")
            if finding.mend:
                click.echo(f"      {finding.mend}")
    ctx.exit(ExitCode.USAGE if failed else ExitCode.OK)


def _programs(_settings: Settings) -> Iterator[Finding]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("pillow", "httpx", "sqlalchemy"))
    yield Finding("versions", "ok", f"batchbg {__version__}, Python {sys.version.split()[0]}, {versions}")
    if importlib.util.find_spec("cv2"):
        yield Finding("sandbox", "ok", "its parts are installed")
    else:
        yield Finding("sandbox", "warn", "OpenCV is missing", "pip install 'batchbg[sandbox]'")


def _folders(settings: Settings) -> Iterator[Finding]:
    for name, folder in (("photos", settings.photos), ("backgrounds", settings.backgrounds)):
        if folder is None:
            continue
        if not folder.is_dir():
            yield Finding(name, "fail", f"there is no folder {folder}", f"name another, or `mkdir -p {folder}`")
        elif not os.access(folder, os.R_OK | os.X_OK):
            yield Finding(name, "fail", f"{folder} cannot be read", f"chmod u+rx {folder}")
        else:
            yield Finding(name, "ok", str(folder))
    existing = next(one for one in (settings.output.absolute(), *settings.output.absolute().parents) if one.exists())
    try:
        if settings.output.exists():
            try_out(settings.output)
        elif not os.access(existing, os.W_OK | os.X_OK):
            raise ConfigError(f"{existing} cannot be written")
    except BatchbgError as error:
        yield Finding("output", "fail", str(error), "make it writable, or name another with --output")
        return
    free = shutil.disk_usage(existing).free
    verdict = "ok" if free >= ROOMY_BYTES else "warn"
    yield Finding(
        "output", verdict, f"{settings.output}, {free / 1e9:.1f} GB free", "" if verdict == "ok" else "make room"
    )


def _ledger(settings: Settings) -> Iterator[Finding]:
    try:
        path = sqlite_path(settings.ledger)
        if not exists(settings.ledger):
            yield Finding("ledger", "ok", f"{path} will be made by the first run")
            return
        with held(settings.ledger, "doctor"):
            pass
        lock = ""
    except LedgerBusy as error:
        lock = str(error)
    except BatchbgError as error:
        yield Finding("ledger", "fail", str(error), "see the message")
        return
    try:
        ledger = open_ledger(settings.ledger, create=False)
        with ledger.reading() as connection:
            wrong = audit.check(connection)
        ledger.close()
    except BatchbgError as error:
        yield Finding("ledger", "fail", str(error), "see the message")
        return
    for line in wrong:
        yield Finding("ledger", "fail", line, "keep a copy; `batchbg ledger check` shows all of it")
    if not wrong:
        yield Finding("ledger", "ok", f"{path} adds up")
    if lock:
        yield Finding("lock", "warn", lock, "wait for it, or give --retry-lock")


def _service(settings: Settings) -> Iterator[Finding]:
    if settings.sandbox:
        return
    try:
        key = api_key(settings, os.environ)
    except ConfigError as error:
        yield Finding("key", "fail", str(error), "export MAGIC_HOUR_API_KEY=...")
        return
    try:
        account = asyncio.run(read(settings, key))
    except ApiError as error:
        refused = error.exit_code is ExitCode.ACCOUNT
        mend = "make a new key in the service's developer hub" if refused else "is the address right, the network up?"
        yield Finding("key" if refused else "API", "fail", str(error), mend)
        return
    if account is None:
        yield Finding("API", "warn", f"{settings.base_url} answers, but has no account operation")
    else:
        yield Finding("API", "ok", f"{settings.base_url}, account {account.id}: {account.credits} credits")


CHECKS: Final[tuple[Callable[[Settings], Iterator[Finding]], ...]] = (_programs, _folders, _ledger, _service)
