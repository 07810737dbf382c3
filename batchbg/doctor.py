"""Checking everything a run depends on; each finding says what fixes it."""

import asyncio
import dataclasses
import importlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from batchbg import __version__
from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.api.retry_reads import retry_read
from batchbg.api.wire import Account
from batchbg.core.lifecycle import OPEN
from batchbg.core.model import PRICE_CREDITS
from batchbg.core.paint import Paint
from batchbg.disk.results import try_out
from batchbg.errors import AccountUnreadable, ApiError, BatchbgError, ConfigError, ExitCode, LedgerBusy
from batchbg.ledger import audit, clock, jobs
from batchbg.ledger.database import Database
from batchbg.ledger.engine import HEAD, database_at, held, open_to_read
from batchbg.ledger.filesystem import file_system
from batchbg.ledger.spool import Spool
from batchbg.sandbox.rough import ADVICE
from batchbg.settings import Settings, api_key, own_config_file, webhook_secret
from batchbg.settings.network import check_network
from batchbg.webhook.trial import send_trial

ROOMY_BYTES: Final = 1_000_000_000
"""Free space under which a warning is given, whatever is planned: some hundred results."""

RESULT_BYTES_PER_PIXEL: Final = 3
"""Of a result, at most: RGB that does not compress at all. The results of the sample photos take 0.4 to 0.9."""

RESULT_BYTES_PER_BYTE: Final = 12
"""Of a result for one of its photo, where only the photos' files are known; of the sample JPEGs it is 8 to 18."""

SKEW_S: Final = 60.0
"""Seconds by which clocks may differ: signed addresses and days of a budget are minutes and hours."""

ACCOUNT_WAIT_S: Final = 5.0
"""Seconds for which the service is asked."""


LIBRARIES: Final = ("click", "httpx", "pillow", "pillow-heif", "sqlalchemy", "tqdm")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was checked: ``verdict`` is "ok", "warn" or "fail"; ``mend``, a key of --json, is how to fix it."""

    name: str
    verdict: str
    text: str
    mend: str = ""


def examine(settings: Settings, config: Path | None) -> Iterator[Finding]:
    """Yield what is found, in the order in which a person would fix it; ``config`` is the file in use."""
    yield from programs()
    yield from _settings(config)
    yield from _sources(settings)
    yield from _output(settings)
    yield from _ledger(settings)
    yield from _service(settings)
    yield from _webhook(settings)


def programs() -> Iterator[Finding]:
    """Yield what is found about Python, the libraries and the sandbox's parts."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    yield Finding("versions", "ok", f"batchbg {__version__}, Python {sys.version.split()[0]}, {versions}")
    try:
        importlib.import_module("cv2")
    except ImportError as error:
        # OpenCV is there and yet cannot be imported where a system library of its is missing.
        yield Finding("sandbox", "warn", f"without OpenCV ({error}) it cuts out roughly", ADVICE)
    else:
        yield Finding("sandbox", "ok", "installed")


def _settings(config: Path | None) -> Iterator[Finding]:
    own = own_config_file(os.environ)
    files = [str(file.absolute()) for file in (config, own) if file and file.exists()]
    yield Finding("config", "ok", ", then ".join(files) or "no config.toml here: defaults, environment and flags")


def _sources(settings: Settings) -> Iterator[Finding]:
    for name, folder in (("photos", settings.photos), ("backgrounds", settings.backgrounds)):
        if folder is None or isinstance(folder, Paint):
            continue
        quoted = shlex.quote(str(folder))
        if name == "backgrounds" and folder.is_file():
            readable = os.access(folder, os.R_OK)
            yield Finding(name, "ok", str(folder)) if readable else _unreadable(name, folder, "u+r")
        elif not folder.is_dir():
            yield Finding(name, "fail", f"there is no folder {folder}", f"name another, or `mkdir -p {quoted}`")
        elif not os.access(folder, os.R_OK | os.X_OK):
            yield _unreadable(name, folder, "u+rx")
        else:
            yield Finding(name, "ok", str(folder))


def _unreadable(name: str, path: Path, rights: str) -> Finding:
    return Finding(name, "fail", f"{path} cannot be read", f"chmod {rights} {shlex.quote(str(path))}")


def _output(settings: Settings) -> Iterator[Finding]:
    existing = _existing(settings.output)
    try:
        if settings.output.exists():
            try_out(settings.output)
        elif not os.access(existing, os.W_OK | os.X_OK):
            raise ConfigError(f"{existing} cannot be written")
    except BatchbgError as error:
        yield Finding("output", "fail", str(error), f"chmod u+rwx {shlex.quote(str(existing))}, or name another folder")
        return
    yield Finding("output", "ok", f"{settings.output}{_beside(settings, existing)}")
    free, needed = shutil.disk_usage(existing).free, _needed(settings)
    about = f"about {needed / 1e9:.1f} GB" if needed >= 5e7 else "little"
    text = f"{free / 1e9:.1f} GB free, {about} needed for what is planned"
    if free < needed:
        yield Finding("space", "fail", text, "make room, or name a folder on another disk with --output")
    elif free < max(ROOMY_BYTES, 2 * needed):
        yield Finding("space", "warn", text, "make room, or name a folder on another disk with --output")
    else:
        yield Finding("space", "ok", text)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())


def _beside(settings: Settings, existing: Path) -> str:
    """Say what else lies on the output's disk: it fills up together with these."""
    disk = existing.stat().st_dev
    others = [("the photos", settings.photos), ("the ledger", database_at(settings.ledger).folder)]
    same = [name for name, folder in others if folder and folder.is_dir() and folder.stat().st_dev == disk]
    return f", on the disk of {' and '.join(same)}" if same else ", on a separate disk"


def _needed(settings: Settings) -> int:
    """Return the bytes that the results to come may take, as far as that can be told without opening photos."""
    if not _has_ledger(settings):
        return RESULT_BYTES_PER_BYTE * _bytes_below(settings.photos) if settings.photos else 0
    try:
        ledger = open_to_read(settings.ledger)
    except BatchbgError:
        return 0  # which the ledger's own check tells
    with ledger.reading() as connection:
        pixels = jobs.pixels_to_come(connection, OPEN)
    ledger.close()
    return RESULT_BYTES_PER_PIXEL * pixels


def _has_ledger(settings: Settings) -> bool:
    try:
        return database_at(settings.ledger).exists()
    except BatchbgError:
        return False  # which the ledger's own check tells


def _bytes_below(folder: Path) -> int:
    return sum(
        entry.stat().st_size
        for path, _, names in os.walk(folder)
        for entry in (Path(path, name) for name in names)
        if entry.is_file()
    )


def _ledger(settings: Settings) -> Iterator[Finding]:
    try:
        database = database_at(settings.ledger)
        if not database.exists():
            database.refuse_unfit(new=True)
            yield Finding("ledger", "ok", f"{database.name} will be made by the first run{_on(database)}")
            yield from _lock(settings, database)
            return
        ledger = open_to_read(settings.ledger)
    except BatchbgError as error:
        yield Finding("ledger", "fail", str(error), "name another with --ledger, or see the message")
        return
    late, zone, about = "", None, list[tuple[str, str]]()
    try:
        with ledger.reading() as connection:
            wrong = audit.damage(ledger, connection)
            late, zone = clock.told_if_ahead(connection), clock.zone_of(connection)
            about = ledger.database.dangers(connection)
    except BatchbgError as error:
        wrong = [str(error)]
    finally:
        ledger.close()
    for line in wrong:
        yield Finding("ledger", "fail", line, "keep a copy of it; `batchbg ledger check` shows what does not add up")
    if not wrong:
        yield Finding("ledger", "ok", f"{ledger.name}, schema {HEAD}{_on(database)}: whole, and adds up")
    for danger, advice in about:
        yield Finding("server", "warn", danger, advice)
    if late:
        yield Finding("clock", "warn", late, "timedatectl set-ntp true, then `batchbg ledger clock --reset`")
    if zone and settings.timezone and zone != settings.timezone:
        text = f"it says {settings.timezone}, and the ledger's days are those of {zone} since it was made"
        yield Finding(
            "timezone", "fail", text, f"take the setting back, or `batchbg ledger timezone {settings.timezone}`"
        )
    yield from _lock(settings, database)


def _lock(settings: Settings, database: Database) -> Iterator[Finding]:
    try:
        with held(settings.ledger, "doctor"):
            pass
    except LedgerBusy as error:
        yield Finding("lock", "warn", str(error), "wait for it, or give --retry-lock 5m")
    except ConfigError as error:
        yield Finding("lock", "fail", str(error), "name another ledger with --ledger")
    except BatchbgError as error:
        yield Finding("lock", "fail", str(error), f"chmod u+rwx {shlex.quote(str(database.path.parent))}")
    else:
        yield Finding("lock", "ok", "nobody holds the ledger")


def _on(database: Database) -> str:
    kind = file_system(database.path) if database.folder else ""
    return f", on {kind}" if kind else ""


def _service(settings: Settings) -> Iterator[Finding]:
    if settings.sandbox:
        return
    try:
        check_network(os.environ)
    except ConfigError as error:
        yield Finding("network", "fail", str(error), f"unset {str(error).partition(':')[0]}")
        return
    try:
        key = api_key(settings, os.environ)
    except ConfigError as error:
        file = settings.api_key_file
        chmod = f"chmod 600 {shlex.quote(str(file))}" if file and "can be read by others" in str(error) else ""
        yield Finding("key", "fail", str(error), chmod or "export MAGIC_HOUR_API_KEY=...")
        return
    try:
        account, skew_s = asyncio.run(_ask(settings, key))
    except AccountUnreadable as error:
        why = f"the key lacks the permission to read the account: {error}"
        mend = "give the key that permission in the service's developer hub; keep_balance needs it"
        yield Finding("account", "warn" if settings.keep_balance is None else "fail", why, mend)
        return
    except ApiError as error:
        if error.exit_code is ExitCode.ACCOUNT:
            mend = "make a new key in the service's developer hub, then export MAGIC_HOUR_API_KEY=..."
            yield Finding("key", "fail", str(error), mend)
        else:
            yield Finding("API", "fail", str(error), f"is the network up? curl -sI {shlex.quote(settings.base_url)}")
        return
    yield from _account(settings, account)
    if skew_s is not None and abs(skew_s) > SKEW_S:
        off = f"this machine's clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the service's"
        yield Finding("clock", "warn", off, "timedatectl set-ntp true")
    elif skew_s is not None:
        yield Finding("clock", "ok", "agrees with the service's, to a few seconds")


def _webhook(settings: Settings) -> Iterator[Finding]:
    """Yield what becomes of an event that is sent to the public address."""
    url = settings.webhook_url
    if url is None or settings.sandbox:
        return
    try:
        secret, spool = webhook_secret(settings, os.environ), Spool(database_at(settings.ledger).path)
        if not spool.has_receiver():
            yield Finding("webhook", "fail", f"nobody receives events into {spool.path}", "start `batchbg webhook`")
            return
        trial = send_trial(url, secret, spool)
    except ConfigError as error:
        yield Finding("webhook", "fail", str(error), "take the secret from the service's developer hub")
        return
    except BatchbgError as error:
        yield Finding("webhook", "fail", str(error), "see the message")
        return
    if trial.took_s is not None:
        yield Finding("webhook", "ok", f"an event sent to {url} arrived here in {trial.took_s:.1f} s")
        return
    told = f"{url} answers {trial.status}" if trial.status else f"{url} does not answer: {trial.trouble}"
    yield Finding("webhook", "fail", *_why_no_event(trial.status, told))


def _why_no_event(status: int | None, told: str) -> tuple[str, str]:
    """Return what a trial that did not arrive means, and how to fix it."""
    match status:
        case None:
            return told, "is the proxy up, its name known, its certificate valid?"
        case 401:
            return (
                f"{told}: another secret is in use there",
                "restart `batchbg webhook` with the secret that is set here",
            )
        case 404 | 405:
            return f"{told}: nobody takes events there", "let the address end with the --path of `batchbg webhook`"
        case 413:
            return told, "let the proxy pass requests of a megabyte"
        case 502 | 503 | 504:
            return (
                f"{told}: the receiver cannot be reached, or not store",
                "let the proxy lead to its --listen; see its log",
            )
        case _ if 200 <= status < 300:
            return (
                f"{told}, but no event came here",
                "the address leads to something else, or to another ledger's receiver",
            )
        case _ if 300 <= status < 400:
            return f"{told}: a redirect, which events may not follow", "name the address that it leads to"
        case _:
            return told, "see the logs of the proxy and of `batchbg webhook`"


def _account(settings: Settings, account: Account | None) -> Iterator[Finding]:
    if account is None:
        yield Finding(
            "API", "warn", f"{settings.base_url} answers, but has no account operation, so the balance is not known"
        )
        return
    yield Finding("API", "ok", f"{settings.base_url} takes the key: account {account.id}, {account.credits} credits")
    if account.credits is not None and account.credits < PRICE_CREDITS:
        yield Finding("credits", "warn", "not enough for one image", "buy more at the service")
    if account.caveat:
        yield Finding("plan", "warn", account.caveat, "choose a paid plan at the service")


async def _ask(settings: Settings, key: str) -> tuple[Account | None, float | None]:
    """Return the account, and by how many seconds this machine's clock is ahead of the service's."""
    async with MagicHour(settings.base_url, key, RateLimiter(settings.requests_per_second), width=4) as api:
        return await retry_read(api.account, ACCOUNT_WAIT_S), api.skew_s
