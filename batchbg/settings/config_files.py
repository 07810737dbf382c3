"""The files of settings: which there are, what they say, and what only a trusted one may say."""

import dataclasses
import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from batchbg.core.paint import Paint, read_paint
from batchbg.core.suggestion import anyway, meant
from batchbg.disk.reading import read_bytes
from batchbg.errors import ConfigError
from batchbg.settings.definitions import BY_KEY, Setting
from batchbg.settings.finishing import SECTION, check_table
from batchbg.settings.kinds import read_value
from batchbg.settings.trust import is_own, own_folder, read_regular, trusts, was_trusted

CONFIG_BYTES: Final = 1 << 20
"""Of a config.toml; the commented one has 8,000."""


@dataclasses.dataclass(frozen=True)
class ConfigFile:
    """One file of settings: its values by dotted key; a profile of finishing is one value, a table."""

    path: Path
    table: Mapping[str, Any]

    @property
    def profiles(self) -> dict[str, Mapping[str, Any]]:
        """The tables of its profiles, by name."""
        return {key.removeprefix(_PROFILE): table for key, table in self.table.items() if key.startswith(_PROFILE)}


_PROFILE: Final = f"{SECTION}."


def config_file(environ: Mapping[str, str], config: Path | None = None) -> tuple[Path, bool]:
    """Return the path of the config.toml in use, and whether somebody named it."""
    named = config or (Path(environ["BATCHBG_CONFIG"]) if environ.get("BATCHBG_CONFIG") else None)
    return named or Path("config.toml"), named is not None


def own_config_file(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the user's own config.toml; None where the user has no home."""
    folder = own_folder(environ)
    return folder / "config.toml" if folder else None


def config_files(environ: Mapping[str, str], config: Path | None, *, alone: bool) -> tuple[list[ConfigFile], Path]:
    """Return the files of settings, the first wins, and the folder in which the ledger lies by default."""
    files, home = [], Path()
    path, is_named = (config, config is not None) if alone else config_file(environ, config)
    if path is not None and (content := _content(path, is_named=is_named)) is not None:
        files.append(ConfigFile(path, _parsed(path, content)))
        home = path.parent
        if not is_named and not trusts(path, content, environ):
            _check_untrusted(files[0], changed=was_trusted(path, environ))
    own = None if alone else _own_file(environ)
    return (files if own is None else [*files, own]), home


def _own_file(environ: Mapping[str, str]) -> ConfigFile | None:
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
    return ConfigFile(path, _parsed(path, content))


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
    for key, value in flat.items():
        if key.startswith(_PROFILE):
            check_table(str(path), key.removeprefix(_PROFILE), value)
        elif key not in BY_KEY:
            raise ConfigError(f"{path}: there is no setting {key!r}{_key_suggestion(key)}")
    return flat


def value_in(file: ConfigFile, setting: Setting) -> Any:
    """Return what a file says of a setting; its paths are relative to it."""
    value = read_value(setting.kind, file.table[setting.key], f"{file.path}: {setting.key}")
    if setting.kind.path and not isinstance(value, Paint):
        home = file.path.parent
        return tuple(home / one for one in value) if setting.kind.many else home / value
    return _beside(value, file.path.parent) if setting.key == "ledger" else value


def check_paint(text: str, home: Path, where: str) -> None:
    """Make sure that a colour can be meant by nothing else.

    Args:
        text: as it was written.
        home: the folder to which a path would be relative.
        where: who wrote it.

    Raises:
        ConfigError: there is something of that name.
    """
    if os.path.lexists(home / text):
        paint = read_paint(text)
        other = str(paint) if str(paint) != text else paint.in_figures
        raise ConfigError(
            f"{where}: {text!r} is a colour, and there is a file or folder of that name; write"
            f" ./{text} for that, or {other} for the colour"
        )


def _beside(url: str, home: Path) -> str:
    """Return the URL with a relative SQLite path taken relative to ``home``."""
    prefix = "sqlite:///"
    relative = url.removeprefix(prefix) if "://" in url else url
    return url if "://" in relative else f"{prefix}{home / relative}"


def _key_suggestion(key: str) -> str:
    """Return what was meant by a key that is none of ours, or ""; never one that spends."""
    if key.startswith(("finish.", "profile.", "profiles.")):
        return f"; a profile is a table [{SECTION}.{key.partition('.')[2]}], and finish the list of those to use"
    if found := meant(key, BY_KEY, 0.5):
        return f"; did you mean {found!r}?"
    return f"; {said}" if (said := anyway(key)) else ""


# -- trust -------------------------------------------------------------------------------------------------------------

ENTRUSTED: Final = MappingProxyType(
    {
        "base_url": "says to whom the API key and the photos are sent",
        "api_key_file": "says which file is sent as the API key",
        "ping_url": "says who is told of every run",
        "webhook_url": "says to whom a signed event is sent",
        "delete_remote": "deletes results at the service, for good",
        "exec": "starts a program",
    }
)
"""What only its user may say, and why; paths and the ledger are checked as well."""


def needs_trust(path: Path, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, what it does) for whatever counts only in a file that its user trusts."""
    file = ConfigFile(path, table)
    for name, profile in file.profiles.items():
        if "output" in profile and not _is_inside(path.parent / str(profile["output"]), path.parent):
            yield f"{_PROFILE}{name}.output", "leads out of the file's folder"
    for key in table:
        if key.startswith(_PROFILE):
            continue
        setting = BY_KEY[key]
        value = value_in(file, setting)
        if key in ENTRUSTED and value != setting.default:
            yield key, ENTRUSTED[key]
        elif key == "ledger" and "://" in value and not _is_inside(_file_of(value), path.parent):
            yield key, "lies on a server or outside the file's folder"
        elif isinstance(value, Paint):
            continue
        elif (setting.kind.path or (key == "files_from" and value != "-")) and not all(
            _is_inside(one, path.parent) for one in (value if setting.kind.many else [value])
        ):
            yield key, "leads out of the file's folder"


def said_of(table: Mapping[str, Any], key: str) -> Any:
    """Return what a file says of a key, be it one of a profile's."""
    if key in table:
        return table[key]
    profile, _, inner = key.rpartition(".")
    return table[profile][inner]


def _check_untrusted(file: ConfigFile, *, changed: bool) -> None:
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
    """Return whether a path, links followed, lies in a folder."""
    return path is not None and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
