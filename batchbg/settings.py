"""Settings: every flag, config.toml key and environment variable, defined once and merged here.

Flags win over the environment, the environment over config.toml, config.toml over the defaults. Paths in config.toml
are relative to the file, all others to the current folder.
"""

import dataclasses
import datetime
import difflib
import ipaddress
import os
import re
import stat
import tomllib
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from batchbg.core.budget import Caps
from batchbg.core.model import MAX_UPLOAD_BYTES
from batchbg.core.naming import SUFFIXES
from batchbg.core.pairing import Tolerance
from batchbg.disk.files import read_text
from batchbg.errors import ConfigError

MAGIC_HOUR_URL: Final = "https://api.magichour.ai"
"""The API's host. Source: the spec's servers list; every path begins with /v1."""

KEY_VARIABLE: Final = "MAGIC_HOUR_API_KEY"
"""Source: the service's docs and spec samples."""

MOST: Final = 2**31 - 1
"""The largest number that every database takes; a larger one is a slip of the hand."""

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting, as the command line, config.toml and the environment know it.

    Attributes:
        key: name in config.toml, with its section: "max_credits", "budget.per_day".
        kind: how a value is read, one of the ``Kind`` functions below.
        default: value where nobody sets it.
        help: one sentence for --help and the commented config.toml.
        flags: on the command line; empty where it has none.
        metavar: stands for the value in --help.
    """

    key: str
    kind: "Kind"
    default: Any
    help: str
    flags: tuple[str, ...] = ()
    metavar: str | None = None

    @property
    def field(self) -> str:
        """Name of the Settings attribute, and of the click parameter."""
        return self.key.rpartition(".")[2]

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables, the first that is set wins."""
        full = self.key.replace(".", "_").upper()
        return tuple(dict.fromkeys((f"BATCHBG_{self.field.upper()}", f"BATCHBG_{full}")))


@dataclasses.dataclass(frozen=True)
class Kind:
    """How to read a value.

    Attributes:
        expects: what a good value is, for messages: "a whole number of at least 1".
        read: turns text or a TOML value into the setting's value, or raises ValueError or TypeError.
        many: several values, as a TOML array, a repeated flag, or separated by the path separator in the environment.
        path: the value is a path, to be taken relative to the file that names it.
        choices: the only values there are, where that is a closed list.
        switch: on or off; a flag without a value.
    """

    expects: str
    read: Callable[[Any], Any]
    many: bool = False
    path: bool = False
    choices: tuple[str, ...] = ()
    switch: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _whole(least: int, most: int = MOST) -> Kind:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise TypeError
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    range_ = f"of at least {least}" if most == MOST else f"from {least} to {most}"
    return Kind(f"a whole number {range_}", read)


def _number(above: float, *, or_equal: bool) -> Kind:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise TypeError
        number = float(value)
        if not (above < number < 1e12 or (or_equal and number == above)):
            raise ValueError
        return number

    return Kind(f"a number {'of at least' if or_equal else 'above'} {above:g}", read)


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if not isinstance(value, str) or value.lower() not in words:
        raise ValueError
    return words[value.lower()]


def _level(value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    number = int(value)
    if number < 0:
        raise ValueError
    return number


def duration_s(value: Any) -> float:
    """Return the seconds in "90", "30s", "5m", "2h" or "1h30m".

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise TypeError
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _colour(value: Any) -> tuple[int, int, int]:
    from PIL import ImageColor  # takes longer to import than most commands need

    colour = ImageColor.getrgb(_text(value))
    if len(colour) != 3:  # what lies behind everything is opaque
        raise ValueError
    return colour


def _choice(*choices: str) -> Kind:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return Kind("one of " + ", ".join(choices), read, choices=choices)


TEXT = Kind("some text", _text)
PATH = Kind(
    "a path", lambda value: Path(_text(str(value) if isinstance(value, Path) else value)).expanduser(), path=True
)
TEXTS = Kind("an array of texts", _text, many=True)
SWITCH = Kind("true or false", _switch, switch=True)
DURATION = Kind("a time such as 30s, 5m or 2h", duration_s)
COLOUR = Kind("a colour such as white or #f5f5f5", _colour)
COUNT = _whole(0)
POSITIVE = _whole(1)

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("photos", PATH, None, "Folder of photos; the PHOTOS argument of run and plan."),
    Setting(
        "backgrounds",
        PATH,
        None,
        "Folder of backgrounds; without one the results are transparent.",
        ("-b", "--backgrounds"),
        "DIR",
    ),
    Setting(
        "output",
        PATH,
        Path("output"),
        "Folder for the results, which mirrors the photo folder's tree.",
        ("-o", "--output"),
        "DIR",
    ),
    Setting(
        "ledger",
        TEXT,
        None,
        "SQLAlchemy URL of the ledger [default: sqlite:///batchbg.db beside config.toml, else in the current folder].",
        ("--ledger",),
        "URL",
    ),
    Setting("base_url", TEXT, MAGIC_HOUR_URL, "The API's host.", ("--base-url",), "URL"),
    Setting(
        "sandbox",
        SWITCH,
        False,
        "Start the sandbox and use it: no key, no question, nothing charged.",
        ("--sandbox",),
    ),
    Setting("max_credits", COUNT, None, "Cap on the credits of this run.", ("--max-credits",), "N"),
    Setting("max_files", COUNT, None, "New jobs at most.", ("--max-files",), "N"),
    Setting("max_duration", DURATION, None, "Stop submitting after this time.", ("--max-duration",), "2h"),
    Setting(
        "pilot",
        POSITIVE,
        None,
        "Only so many photos, picked over folders and sizes; then the report, and a question before the rest.",
        ("--pilot",),
        "N",
    ),
    Setting(
        "requests_per_second",
        _number(0, or_equal=False),
        10.0,
        "Requests to the API host in any second, all workers together.",
        ("--requests-per-second",),
        "R",
    ),
    Setting(
        "max_in_flight",
        POSITIVE,
        8,
        "Jobs between their create and their seen end; lowered by itself while the API refuses more.",
        ("--max-in-flight",),
        "N",
    ),
    Setting("include", TEXTS, (), "Only photos whose path matches; repeatable.", ("--include",), "GLOB"),
    Setting("exclude", TEXTS, (), "No photos whose path matches; repeatable.", ("--exclude",), "GLOB"),
    Setting(
        "files_from",
        TEXT,
        None,
        'Only the photos named in this file, one a line, below the photo folder; "-" is stdin.',
        ("--files-from",),
        "FILE",
    ),
    Setting("null", SWITCH, False, "Names in --files-from end with NUL instead of a line's end.", ("--null",)),
    Setting("max_depth", POSITIVE, None, "Folders to descend: 1 is the photo folder alone.", ("--max-depth",), "N"),
    Setting(
        "background_policy",
        TEXT,
        "best",
        "best, spread (all that are similar enough, evenly), or a path below the background folder.",
        ("--background-policy",),
        "POLICY",
    ),
    Setting(
        "background_map",
        PATH,
        None,
        'CSV of photo glob and background (or "transparent"); the first line that matches overrides the policy.',
        ("--background-map",),
        "FILE",
    ),
    Setting(
        "on_mismatch",
        _choice("fit", "accept", "transparent", "skip"),
        "fit",
        "Where no background is similar enough: cover-crop one to the photo's resolution, send one as it is, send"
        " none, or leave the photo out.",
        ("--on-mismatch",),
    ),
    Setting(
        "force", SWITCH, False, "Pay again for what is done, and replace results.", ("--force", "--reprocess-existing")
    ),
    Setting(
        "first_page",
        SWITCH,
        False,
        "Send the first page of multi-page TIFFs and animated files, which are else rejected.",
        ("--first-page",),
    ),
    Setting("portable_names", SWITCH, False, "Name results so that Windows takes them too.", ("--portable-names",)),
    Setting(
        "format",
        _choice(*SUFFIXES),
        "png",
        "Save results as this; PNG keeps them as they come. A photo that has its output name keeps it.",
        ("--format",),
    ),
    Setting(
        "quality",
        _whole(1, 100),
        90,
        "Of results saved as JPEG, WebP or AVIF, from 1 to 100.",
        ("--quality",),
        "N",
    ),
    Setting(
        "flatten",
        COLOUR,
        None,
        "Put this colour behind what is transparent in results, as white or #f5f5f5 [default: none; white for JPEG].",
        ("--flatten",),
        "COLOUR",
    ),
    Setting(
        "keep_received",
        SWITCH,
        False,
        "Keep what is saved in another form also as it came, in the output folder's .received.",
        ("--keep-received",),
    ),
    Setting("plan", PATH, None, "Do just what `batchbg plan --save FILE` wrote.", ("--plan",), "FILE"),
    Setting("dry_run", SWITCH, False, "The same as plan.", ("-n", "--dry-run")),
    Setting("yes", SWITCH, False, "Do not ask.", ("-y", "--yes")),
    Setting(
        "confirm_batch_over",
        _whole(-1),
        50,
        "Ask before more new jobs than this; -1 never asks.",
        ("--confirm-batch-over",),
        "N",
    ),
    Setting("json", SWITCH, False, "Print the summary as one JSON object on stdout.", ("--json",)),
    Setting("log_format", _choice("text", "json"), "text", "Form of the log on stderr.", ("--log-format",)),
    Setting("verbose", Kind("a whole number", _level), 0, "Say more; twice: everything.", ("-v", "--verbose")),
    Setting("quiet", SWITCH, False, "Print nothing on success.", ("-q", "--quiet")),
    Setting("retry_lock", DURATION, 0.0, "Wait this long for another run to end.", ("--retry-lock",), "5m"),
    Setting("strict", SWITCH, False, "Known rejects and failures count for exit code 3 too.", ("--strict",)),
    Setting("report", PATH, None, "Write the HTML report here at the end.", ("--report",), "FILE"),
    Setting("budget.per_day", COUNT, None, "Credits a day, over all runs."),
    Setting("budget.per_month", COUNT, None, "Credits a month, over all runs."),
    Setting("budget.total", COUNT, None, "Credits this ledger may ever spend."),
    Setting("budget.keep_balance", COUNT, None, "Credits to leave on the account."),
    Setting(
        "budget.price_per_credit", _number(0, or_equal=True), None, "Money for one credit, to show costs as money too."
    ),
    Setting(
        "timezone", TEXT, None, 'Zone in which days and months begin, as "Europe/Berlin" [default: the system\'s].'
    ),
    Setting("give_up_after", DURATION, 600.0, "Stop when the API has been down for this long."),
    Setting("render_patience", DURATION, 1800.0, "Stop waiting for a render this long after its create."),
    Setting(
        "max_distortion", _number(0, or_equal=True), 0.05, "Similar enough: |ln(aspect ratio / aspect ratio)| at most."
    ),
    Setting("max_blur", _number(0, or_equal=True), 0.4, "Similar enough: ln(enlargement) at most."),
    Setting(
        "max_upload_bytes",
        _whole(1, 10**12),
        MAX_UPLOAD_BYTES,
        "Bytes of the largest file that the account's plan takes: 200 MB on Free, 2 GB on Creator, 5 GB on Pro, 10 GB on"
        " Business. Larger photos are rejected.",
    ),
    Setting("api_key_file", PATH, None, "File that holds the API key and that others cannot read."),
    Setting(
        "ping_url",
        TEXT,
        None,
        "Address of a check as healthchecks.io has them, told of the start (/start) and of the exit code (/<code>).",
    ),
)

BY_KEY: Final = {setting.key: setting for setting in SETTINGS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one invocation, checked."""

    photos: Path | None
    backgrounds: Path | None
    output: Path
    ledger: str
    base_url: str
    sandbox: bool
    max_credits: int | None
    max_files: int | None
    max_duration: float | None
    pilot: int | None
    requests_per_second: float
    max_in_flight: int
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    files_from: str | None
    null: bool
    max_depth: int | None
    background_policy: str
    background_map: Path | None
    on_mismatch: str
    force: bool
    first_page: bool
    portable_names: bool
    format: str
    quality: int
    flatten: tuple[int, int, int] | None
    keep_received: bool
    plan: Path | None
    dry_run: bool
    yes: bool
    confirm_batch_over: int
    json: bool
    log_format: str
    verbose: int
    quiet: bool
    retry_lock: float
    strict: bool
    report: Path | None
    per_day: int | None
    per_month: int | None
    total: int | None
    keep_balance: int | None
    price_per_credit: float | None
    timezone: str | None
    give_up_after: float
    render_patience: float
    max_distortion: float
    max_blur: float
    max_upload_bytes: int
    api_key_file: Path | None
    ping_url: str | None = dataclasses.field(repr=False)

    @property
    def caps(self) -> Caps:
        """The caps on credits."""
        return Caps(
            run=self.max_credits,
            day=self.per_day,
            month=self.per_month,
            total=self.total,
            keep_balance=self.keep_balance,
        )

    @property
    def is_capped(self) -> bool:
        """Whether some cap holds the run, so that nobody has to be asked."""
        return self.max_files is not None or self.pilot is not None or self.caps != Caps()

    @property
    def tolerance(self) -> Tolerance:
        """What counts as a similar background."""
        return Tolerance(self.max_distortion, self.max_blur)

    @property
    def zone(self) -> datetime.tzinfo | None:
        """Zone in which days and months begin; None is the system's."""
        return zoneinfo.ZoneInfo(self.timezone) if self.timezone else None


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge all layers into one checked Settings.

    Args:
        flags: values by field name as the command line gave them; None and () are not given.
        environ: the environment.
        config: the file named by --config; None looks for ./config.toml.
        overrides: defaults that a command changes (``demo`` has folders of its own).

    Raises:
        ConfigError: something is wrong, with the name of the flag, variable or file and key.
    """
    named = config or (Path(environ["BATCHBG_CONFIG"]) if environ.get("BATCHBG_CONFIG") else None)
    path = named or Path("config.toml")
    table = _read_config(path, required=named is not None)
    home = path.parent if table is not None else Path()
    values: dict[str, Any] = {}
    given: set[str] = set()
    for setting in SETTINGS:
        value, found = _layered(setting, flags, environ, table or {}, path)
        if found:
            given.add(setting.field)
        elif overrides and setting.field in overrides:
            value, found = overrides[setting.field], True
        values[setting.field] = value
    _fill_defaults(values, given | set(overrides or ()), home)
    settings = Settings(**values)
    _check(settings)
    return settings


def _layered(
    setting: Setting, flags: Mapping[str, Any], environ: Mapping[str, str], table: Mapping[str, Any], path: Path
) -> tuple[Any, bool]:
    """Return (value, whether anybody set it)."""
    flag = flags.get(setting.field)
    if flag is not None and flag != () and flag is not False and not (setting.field == "verbose" and flag == 0):
        return _read(setting, flag, setting.flags[-1] if setting.flags else setting.field.upper()), True
    for variable in setting.variables:
        if text := environ.get(variable):
            raw: Any = text.split(os.pathsep) if setting.kind.many else text
            return _read(setting, raw, variable), True
    if setting.key in table:
        value = _read(setting, table[setting.key], f"{path}: {setting.key}")
        if setting.kind.path:
            value = path.parent / value
        if setting.key == "ledger":
            value = _beside(value, path.parent)
        return value, True
    return setting.default, False


def _beside(url: str, home: Path) -> str:
    """Return the URL with a relative SQLite path taken relative to ``home``."""
    prefix = "sqlite:///"
    relative = url.removeprefix(prefix) if "://" in url else url
    return url if "://" in relative else f"{prefix}{home / relative}"


def _read(setting: Setting, raw: Any, where: str) -> Any:
    try:
        if setting.kind.many:
            if not isinstance(raw, (list, tuple)):
                raise TypeError
            return tuple(setting.kind.read(one) for one in raw)
        return setting.kind.read(raw)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where} must be {setting.kind.expects}, not {raw!r}") from error


def _read_config(path: Path, *, required: bool) -> dict[str, Any] | None:
    """Return the file's values by dotted key, or None where there is no file."""
    try:
        table = tomllib.loads(read_text(path))
    except FileNotFoundError:
        if required:
            raise ConfigError(f"{path}: no such file; `batchbg init` writes one") from None
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": one for inner, one in value.items()})
        else:
            flat[key] = value
    for key in flat:
        if key not in BY_KEY:
            raise ConfigError(f"{path}: there is no setting {key!r}{suggestion(key, BY_KEY)}")
    return flat


def suggestion(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """Return "; did you mean ...?" for the nearest known word, or ""."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def misspelt_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a warning for every BATCHBG_ variable that looks like a setting's but is none."""
    known = {variable for setting in SETTINGS for variable in setting.variables} | {"BATCHBG_CONFIG"}
    warnings = []
    for variable in sorted(environ):
        if variable.startswith("BATCHBG_") and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=0.85)
            if near:
                warnings.append(f"{variable} is no setting; did you mean {near[0]}?")
    return warnings


def _fill_defaults(values: dict[str, Any], given: set[str], home: Path) -> None:
    """Set the defaults that depend on other settings: a rehearsal has a ledger and an output folder of its own."""
    sandbox = values["sandbox"]
    if values["ledger"] is None:
        values["ledger"] = f"sqlite:///{home / ('batchbg-sandbox.db' if sandbox else 'batchbg.db')}"
    elif "://" not in values["ledger"]:
        values["ledger"] = f"sqlite:///{values['ledger']}"
    if sandbox and "output" not in given:
        values["output"] = Path("output-sandbox")


def _check(settings: Settings) -> None:
    if settings.background_map and not settings.backgrounds and not settings.plan:
        raise ConfigError("background_map: it names files of the background folder; give --backgrounds too")
    if settings.format in ("webp", "avif"):
        from PIL import features

        if not features.check(settings.format):
            raise ConfigError(f"format: this Pillow cannot write {settings.format}; install it from a wheel")
    check_host(settings.base_url, "base_url")
    if settings.ping_url is not None and not re.match(r"https?://[^/?#\s]+[^\s]*$", settings.ping_url):
        # It may hold a secret, so that it is not shown.
        raise ConfigError("ping_url: it is not an address such as https://hc-ping.com/your-check")
    if settings.timezone:
        try:
            zoneinfo.ZoneInfo(settings.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(f"timezone: {settings.timezone!r} is not known; try one like 'Europe/Berlin'") from error


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine, where nothing crosses a network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_host(url: str, name: str) -> None:
    """Refuse an address to which nothing secret may be sent.

    Raises:
        ConfigError: not http(s), without a host, or plain http to another machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{name}: {url!r} is not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{name}: {url!r} is not an address such as {MAGIC_HOUR_URL}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{name}: only scheme, host, port and path belong in the address")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"{name}: plain http to {host} would send the API key unprotected; use https")


def api_key(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the API key from the environment or from ``api_key_file``.

    Raises:
        ConfigError: there is none, or the file can be read by others.
    """
    if settings.sandbox:
        return "sandbox"
    key = environ.get(KEY_VARIABLE, "").strip()
    if not key and settings.api_key_file:
        key = _key_from(settings.api_key_file)
    if not key:
        raise ConfigError(
            f"no API key: set {KEY_VARIABLE}, or api_key_file in config.toml;"
            " `batchbg run --sandbox` rehearses without one"
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigError("the API key holds blanks or characters that no key has; copy it again")
    return key


def _key_from(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = read_text(path).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"api_key_file {path}: {getattr(error, 'strerror', None) or 'cannot be read'}") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"api_key_file {path} can be read by others; `chmod 600 {path}` mends it")
    return text
