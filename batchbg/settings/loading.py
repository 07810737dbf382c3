"""One value for each setting, out of flags, environment, files and defaults; then checked as a whole."""

import enum
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batchbg.core import zone
from batchbg.core.addresses import check_host
from batchbg.core.paint import Paint
from batchbg.errors import ConfigError
from batchbg.settings.config_files import ConfigFile, check_paint, config_files, value_in
from batchbg.settings.definitions import SETTINGS, Setting
from batchbg.settings.environment import check_variables
from batchbg.settings.finishing import check_names, profiles
from batchbg.settings.kinds import read_value
from batchbg.settings.values import Settings


class Origin(enum.Enum):
    """Who set a value."""

    FLAG = enum.auto()
    COMMAND = enum.auto()  # brings it itself, as `demo` its folders
    ENVIRONMENT = enum.auto()
    FILE = enum.auto()
    NOBODY = enum.auto()


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
    check_variables(environ)
    files, home = config_files(environ, config, alone=overrides is not None)
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for setting in SETTINGS:
        field = setting.field
        if _is_given(setting, flags.get(field)):
            where = setting.flags[-1] if setting.flags else field.upper()
            values[field], origins[field] = _said(setting, flags[field], where), Origin.FLAG
        elif overrides and field in overrides:
            values[field], origins[field] = overrides[field], Origin.COMMAND
        else:
            values[field], origins[field] = _layered(setting, environ, files)
    _fill_defaults(values, origins, home)
    if origins["photos"] is Origin.FLAG and origins["files"] is not Origin.FLAG:
        values["files"] = ()  # a folder that is typed is meant as a whole
    values["photos"] = _folder_of(values["files"], values["photos"])
    settings = Settings(**values, profiles=profiles((file.path, file.profiles) for file in files))
    _check(settings)
    return settings


def _is_given(setting: Setting, flag: Any) -> bool:
    return flag is not None and flag != () and flag is not False and not (setting.field == "verbose" and flag == 0)


def _said(setting: Setting, raw: Any, where: str) -> Any:
    """Return a value of a flag or a variable, whose paths are relative to the current folder."""
    value = read_value(setting.kind, raw, where)
    if isinstance(value, Paint) and isinstance(raw, str):
        check_paint(raw, Path(), where)
    return value


def _layered(setting: Setting, environ: Mapping[str, str], files: Sequence[ConfigFile]) -> tuple[Any, Origin]:
    """Return the value below the flags, and who set it."""
    for variable in setting.variables:
        if text := environ.get(variable):
            raw: Any = text.split(os.pathsep) if setting.kind.many else text
            return _said(setting, raw, variable), Origin.ENVIRONMENT
    for file in files:
        if setting.key in file.table:
            value = value_in(file, setting)
            if isinstance(value, Paint):
                check_paint(file.table[setting.key], file.path.parent, f"{file.path}: {setting.key}")
            return value, Origin.FILE
    return setting.default, Origin.NOBODY


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


def _folder_of(files: Sequence[Path], photos: Path | None) -> Path | None:
    """Return the folder of photos: the one that is set if it holds all the files, else the nearest that does."""
    if not files:
        return photos
    folders = [Path(os.path.realpath(file.parent)) for file in files]
    if photos is not None and all(folder.is_relative_to(os.path.realpath(photos)) for folder in folders):
        return photos
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as error:
        raise ConfigError("photos: the files lie on different drives; name those of one of them at a time") from error


def _beside_real(output: Path) -> Path:
    """Return the folder of rehearsals for a folder of real results."""
    # One that has no name, as "." or "..", is called as what it leads to.
    named = output if output.name not in ("", "..") else output.resolve()
    return named.with_name(f"{named.name}-sandbox") if named.name else named / "output-sandbox"


def _check(settings: Settings) -> None:
    if settings.files and settings.files_from:
        raise ConfigError("files_from: photos are named one by one already; name all of them in one of the two places")
    if settings.format in ("webp", "avif"):
        from PIL import features

        if not features.check(settings.format):
            raise ConfigError(f"format: this Pillow cannot write {settings.format}; install it from a wheel")
    check_names(settings.finish, settings.profiles, "finish")
    check_host(settings.base_url, "base_url")
    if settings.webhook_url is not None:
        check_host(settings.webhook_url, "webhook_url", "events")
    if settings.ping_url is not None and not re.match(r"https?://[^/?#\s]+[^\s]*$", settings.ping_url):
        # It may hold a secret, so that it is not shown.
        raise ConfigError("ping_url: it is not an address such as https://hc-ping.com/your-check")
    if settings.timezone and not zone.is_known(settings.timezone):
        raise ConfigError(f"timezone: {settings.timezone!r} is not known; try one like 'Europe/Berlin'")
