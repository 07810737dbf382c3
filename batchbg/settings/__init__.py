"""Settings: every flag, config.toml key and environment variable, defined once and merged here.

Flags win over the environment, the environment over ./config.toml or the file that --config names, that over the
user's own ~/.config/batchbg/config.toml, and this over the defaults. Paths in a file are relative to it, all others to
the current folder. A ./config.toml that its user does not trust says nothing about where the key and pictures go.
"""

import dataclasses
import datetime
import difflib
import enum
import os
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from batchbg.core import zone
from batchbg.core.addresses import MAGIC_HOUR_URL, check_host
from batchbg.core.budget import Caps
from batchbg.core.model import MAX_UPLOAD_BYTES
from batchbg.core.naming import SUFFIXES
from batchbg.core.pairing import Tolerance
from batchbg.core.suggestion import anyway, meant
from batchbg.disk.files import read_bytes
from batchbg.errors import ConfigError
from batchbg.settings.key import read_key
from batchbg.settings.trust import is_own, own_folder, read_regular, trusts, was_trusted

KEY_VARIABLE: Final = "MAGIC_HOUR_API_KEY"
"""Source: the service's docs and spec samples."""

MOST: Final = 2**31 - 1
"""The largest number that every database takes; a larger one is a slip of the hand."""

CONFIG_BYTES: Final = 1 << 20
"""Of a config.toml; the commented one has 8,000."""

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
    Setting(
        "include",
        TEXTS,
        (),
        "Only photos that match, as in gitignore: *.jpg, mugs/, mugs/**/*.png; repeatable.",
        ("--include",),
        "GLOB",
    ),
    Setting(
        "exclude",
        TEXTS,
        (),
        "No photos that match, as in gitignore: drafts/, *-old.*; repeatable.",
        ("--exclude",),
        "GLOB",
    ),
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
        "force",
        SWITCH,
        False,
        "Pay again for what is done, and replace results. Given again, it goes on where it was stopped.",
        ("--force", "--reprocess-existing"),
    ),
    Setting(
        "again", SWITCH, False, "With --force: begin anew, also where an earlier --force is not done.", ("--again",)
    ),
    Setting(
        "first_page",
        SWITCH,
        False,
        "Send the first page of multi-page TIFFs and animated files, which are else rejected.",
        ("--first-page",),
    ),
    Setting(
        "allow_blank",
        SWITCH,
        False,
        "Send pictures in which nothing can be seen, too: all transparent, or a single pixel.",
        ("--allow-blank",),
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
    Setting("api_key_file", PATH, None, "File that holds the API key, one line, and that others cannot read."),
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
    again: bool
    first_page: bool
    allow_blank: bool
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
        return zone.named(self.timezone) if self.timezone else None


class Origin(enum.Enum):
    """Who set a value."""

    FLAG = enum.auto()
    COMMAND = enum.auto()  # brings it itself, as `demo` its folders
    ENVIRONMENT = enum.auto()
    FILE = enum.auto()
    NOBODY = enum.auto()


@dataclasses.dataclass(frozen=True)
class _File:
    """One file of settings: its values by dotted key."""

    path: Path
    table: Mapping[str, Any]


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
        overrides: values that a command brings itself (``demo`` has folders of its own): only flags stand above them,
            and no file is read that --config does not name.

    Raises:
        ConfigError: something is wrong, with the name of the flag, variable or file and key.
    """
    _check_variables(environ)
    files, home = _files(environ, config, alone=overrides is not None)
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for setting in SETTINGS:
        field = setting.field
        if _is_given(setting, flags.get(field)):
            where = setting.flags[-1] if setting.flags else field.upper()
            values[field], origins[field] = _read(setting, flags[field], where), Origin.FLAG
        elif overrides and field in overrides:
            values[field], origins[field] = overrides[field], Origin.COMMAND
        else:
            values[field], origins[field] = _layered(setting, environ, files)
    _fill_defaults(values, origins, home)
    settings = Settings(**values)
    _check(settings)
    return settings


def _is_given(setting: Setting, flag: Any) -> bool:
    return flag is not None and flag != () and flag is not False and not (setting.field == "verbose" and flag == 0)


def _layered(setting: Setting, environ: Mapping[str, str], files: Sequence[_File]) -> tuple[Any, Origin]:
    """Return the value below the flags, and who set it."""
    for variable in setting.variables:
        if text := environ.get(variable):
            raw: Any = text.split(os.pathsep) if setting.kind.many else text
            return _read(setting, raw, variable), Origin.ENVIRONMENT
    for file in files:
        if setting.key in file.table:
            return _from_file(setting, file), Origin.FILE
    return setting.default, Origin.NOBODY


def _from_file(setting: Setting, file: _File) -> Any:
    value = _read(setting, file.table[setting.key], f"{file.path}: {setting.key}")
    if setting.kind.path:
        return file.path.parent / value
    return _beside(value, file.path.parent) if setting.key == "ledger" else value


# -- files -------------------------------------------------------------------------------------------------------------


def config_file(environ: Mapping[str, str], config: Path | None = None) -> tuple[Path, bool]:
    """Return the path of the config.toml in use, and whether somebody named it."""
    named = config or (Path(environ["BATCHBG_CONFIG"]) if environ.get("BATCHBG_CONFIG") else None)
    return named or Path("config.toml"), named is not None


def own_config_file(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the user's own config.toml; None where the user has no home."""
    folder = own_folder(environ)
    return folder / "config.toml" if folder else None


def _files(environ: Mapping[str, str], config: Path | None, *, alone: bool) -> tuple[list[_File], Path]:
    """Return the files of settings, the first wins, and the folder in which the ledger lies by default."""
    files, home = [], Path()
    path, is_named = (config, config is not None) if alone else config_file(environ, config)
    if path is not None and (content := _content(path, is_named=is_named)) is not None:
        files.append(_File(path, _parsed(path, content)))
        home = path.parent
        if not is_named and not trusts(path, content, environ):
            _check_untrusted(files[0], changed=was_trusted(path, environ))
    own = None if alone else _own_file(environ)
    return (files if own is None else [*files, own]), home


def _own_file(environ: Mapping[str, str]) -> _File | None:
    """Return the user's own file of settings; None where there is none.

    Raises:
        ConfigError: it cannot be read, or is not the user's alone.
    """
    path = own_config_file(environ)
    if path is None:
        return None
    try:
        content, found, _ = read_regular(path, CONFIG_BYTES)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None  # services have homes that are none, or somebody else's
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    if not is_own(found):
        raise ConfigError(f"{path}: others can write it; make it yours alone: `chmod go-w {shlex.quote(str(path))}`")
    return _File(path, _parsed(path, content))


def _content(path: Path, *, is_named: bool) -> bytes | None:
    """Return what is in a file of settings; None where there is none and none was named.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        # Neither waits for a pipe, into which nobody may ever write.
        return read_bytes(path) if is_named else read_regular(path, CONFIG_BYTES)[0]
    except FileNotFoundError:
        if is_named:
            raise ConfigError(f"{path}: no such file; `batchbg init` writes one") from None
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error


def read_table(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return a config.toml's content, and its values by dotted key.

    Raises:
        ConfigError: there is none, or it says what no setting is.
    """
    content = _content(path, is_named=True)
    assert content is not None
    return content, _parsed(path, content)


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": one for inner, one in value.items()})
        else:
            flat[key] = value
    for key in flat:
        if key not in BY_KEY:
            raise ConfigError(f"{path}: there is no setting {key!r}{_key_suggestion(key)}")
    return flat


# -- trust -------------------------------------------------------------------------------------------------------------

ENTRUSTED: Final = MappingProxyType(
    {
        "base_url": "says to whom the API key and the photos are sent",
        "api_key_file": "says which file is sent as the API key",
        "ping_url": "says who is told of every run",
    }
)
"""What only its user may say, and why; paths and the ledger are looked at as well."""


def needs_trust(path: Path, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, what it does) for whatever counts only in a file that its user trusts."""
    file = _File(path, table)
    for key in table:
        setting = BY_KEY[key]
        value = _from_file(setting, file)
        if key in ENTRUSTED and value != setting.default:
            yield key, ENTRUSTED[key]
        elif key == "ledger" and "://" in value and not _is_inside(_file_of(value), path.parent):
            yield key, "lies on a server or outside the file's folder"
        elif (setting.kind.path or (key == "files_from" and value != "-")) and not _is_inside(value, path.parent):
            yield key, "leads out of the file's folder"


def _check_untrusted(file: _File, *, changed: bool) -> None:
    """Refuse what a file says that anybody may have put there.

    Raises:
        ConfigError: it says something that only its user may.
    """
    for key, what in needs_trust(file.path, file.table):
        since = ", and has changed since you trusted it" if changed else ""
        raise ConfigError(
            f"{file.path}: {key} {what}: that counts only in a file that you trust. This one is not trusted{since};"
            " read it, then `batchbg trust`, or name it with --config"
        )


def _file_of(url: str) -> str | None:
    """Return the file of a SQLite URL in its plain form, None for any other."""
    path = url.removeprefix("sqlite:///")
    return None if path == url or path.startswith("file:") or any(letter in path for letter in "?%") else path


def _is_inside(path: Path | str | None, folder: Path) -> bool:
    """Tell whether a path, links followed, lies in a folder."""
    return path is not None and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


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
    except RuntimeError as error:
        raise ConfigError(f"{where}: there is no home folder for {raw!r}; write the whole path, or set HOME") from error


def suggestion(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """Return "; did you mean ...?" for the nearest known word, or ""."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _key_suggestion(key: str) -> str:
    """Return what was meant by a key that is none of ours, or ""; never one that spends."""
    if found := meant(key, BY_KEY, 0.5):
        return f"; did you mean {found!r}?"
    return f"; {said}" if (said := anyway(key)) else ""


# -- the environment ---------------------------------------------------------------------------------------------------

LIMITING: Final = frozenset(
    {
        *("max_credits", "max_files", "max_duration", "pilot", "confirm_batch_over"),
        *("budget.per_day", "budget.per_month", "budget.total", "budget.keep_balance"),
        *("include", "exclude", "files_from", "max_depth", "plan"),
    }
)
"""Keys that bound what is spent: where one of them is left empty or misspelt, nothing may be spent without it."""

_LIMITING_WORDS: Final = re.compile(
    r"(?:^|_)(CAPS?|CREDITS?|BUDGET|LIMITS?|MAX|MAXIMUM|MOST|SPEND|SPENDING|COST|PRICE|DAY|DAILY|MONTH|MONTHLY|TOTAL"
    r"|BALANCE|PILOT|CONFIRM|DURATION|FILES|DRY|SANDBOX|REHEARSAL)(?:_|$)"
)
"""In a name these say that somebody means to limit what is spent."""


def _check_variables(environ: Mapping[str, str]) -> None:
    """Refuse variables that were meant to limit what is spent, or to set something else of ours, and would not.

    Other names that begin with BATCHBG_ are left alone: the environment is everybody's.

    Raises:
        ConfigError: one is empty or misspelt; with the one that was meant.
    """
    known = {variable: setting for setting in SETTINGS for variable in setting.variables}
    for variable in sorted(environ):
        if not re.match(r"BATCH_?BG[_-]", variable, re.IGNORECASE) or variable == "BATCHBG_CONFIG":
            continue
        setting = known.get(variable)
        if setting is None and (right := _meant_variable(variable, known)):
            raise ConfigError(f"{variable} is no setting; did you mean {right}? Until then nothing is done")
        if setting is not None and setting.key in LIMITING and not environ[variable].strip():
            raise ConfigError(f"{variable} is empty; give it {setting.kind.expects}, or `unset {variable}`")
        if setting is not None and len({environ[one] for one in setting.variables if environ.get(one)}) > 1:
            raise ConfigError(f"{' and '.join(setting.variables)} are the same setting, with two values; unset one")


def _meant_variable(variable: str, known: Mapping[str, Setting]) -> str:
    """Return the variable that was most likely meant; "" where it is none of ours."""
    name = re.sub(r"^BATCH_?BG[_-]+", "", variable.upper()).replace("-", "_")
    names = [one.removeprefix("BATCHBG_") for one in (*known, "BATCHBG_CONFIG")]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not near and _LIMITING_WORDS.search(name):
        limits = [one.removeprefix("BATCHBG_") for one, setting in known.items() if setting.key in LIMITING]
        near = [meant(name, limits, 0.0)]
    return f"BATCHBG_{near[0]}" if near else ""


def _fill_defaults(values: dict[str, Any], origins: Mapping[str, Origin], home: Path) -> None:
    """Set what depends on other settings: a rehearsal has a ledger and an output folder of its own."""

    def is_said(field: str) -> bool:
        return origins[field] in (Origin.FLAG, Origin.COMMAND)

    if values["sandbox"] and not is_said("ledger"):
        values["ledger"] = f"sqlite:///{home / 'batchbg-sandbox.db'}"
    elif values["ledger"] is None:
        values["ledger"] = f"sqlite:///{home / 'batchbg.db'}"
    elif "://" not in values["ledger"]:
        values["ledger"] = f"sqlite:///{values['ledger']}"
    if values["sandbox"] and not is_said("output"):
        values["output"] = _beside_real(values["output"])


def _beside_real(output: Path) -> Path:
    """Return the folder of rehearsals for a folder of real results."""
    # One that has no name, as "." or "..", is called as what it leads to.
    named = output if output.name not in ("", "..") else output.resolve()
    return named.with_name(f"{named.name}-sandbox") if named.name else named / "output-sandbox"


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
    if settings.timezone and not zone.is_known(settings.timezone):
        raise ConfigError(f"timezone: {settings.timezone!r} is not known; try one like 'Europe/Berlin'")


def api_key(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the API key from the environment or from ``api_key_file``.

    Raises:
        ConfigError: there is none, or the file can be read by others.
    """
    if settings.sandbox:
        return "sandbox"
    key = environ.get(KEY_VARIABLE, "").strip()
    if not key and settings.api_key_file:
        key = read_key(settings.api_key_file)
    if not key:
        raise ConfigError(
            f"no API key: set {KEY_VARIABLE}, or api_key_file in config.toml;"
            " `batchbg run --sandbox` rehearses without one"
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigError("the API key holds blanks or characters that no key has; copy it again")
    return key
