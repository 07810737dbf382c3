"""The files of settings: which there are, what they say, and what only a trusted one may say."""

import dataclasses
import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from batchbg.core.suggestion import anyway, meant
from batchbg.disk.reading import read_bytes
from batchbg.errors import ConfigError
from batchbg.settings.definitions import BY_KEY, Setting
from batchbg.settings.kinds import read_value
from batchbg.settings.trust import is_own, own_folder, read_regular, trusts, was_trusted

CONFIG_BYTES: Final = 1 << 20
"""Of a config.toml; the commented one has 8,000."""


@dataclasses.dataclass(frozen=True)
class ConfigFile:
    """One file of settings: its values by dotted key."""

    path: Path
    table: Mapping[str, Any]


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
    for key in flat:
        if key not in BY_KEY:
            raise ConfigError(f"{path}: there is no setting {key!r}{_key_suggestion(key)}")
    return flat


def value_in(file: ConfigFile, setting: Setting) -> Any:
    """Return what a file says of a setting; its paths are relative to it."""
    value = read_value(setting.kind, file.table[setting.key], f"{file.path}: {setting.key}")
    if setting.kind.path:
        home = file.path.parent
        return tuple(home / one for one in value) if setting.kind.many else home / value
    return _beside(value, file.path.parent) if setting.key == "ledger" else value


def _beside(url: str, home: Path) -> str:
    """Return the URL with a relative SQLite path taken relative to ``home``."""
    prefix = "sqlite:///"
    relative = url.removeprefix(prefix) if "://" in url else url
    return url if "://" in relative else f"{prefix}{home / relative}"


def _key_suggestion(key: str) -> str:
    """Return what was meant by a key that is none of ours, or ""; never one that spends."""
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
    }
)
"""What only its user may say, and why; paths and the ledger are checked as well."""


def needs_trust(path: Path, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, what it does) for whatever counts only in a file that its user trusts."""
    file = ConfigFile(path, table)
    for key in table:
        setting = BY_KEY[key]
        value = value_in(file, setting)
        if key in ENTRUSTED and value != setting.default:
            yield key, ENTRUSTED[key]
        elif key == "ledger" and "://" in value and not _is_inside(_file_of(value), path.parent):
            yield key, "lies on a server or outside the file's folder"
        elif (setting.kind.path or (key == "files_from" and value != "-")) and not all(
            _is_inside(one, path.parent) for one in (value if setting.kind.many else [value])
        ):
            yield key, "leads out of the file's folder"


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
