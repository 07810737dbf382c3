"""The settings that a program may give, by the names that they have in config.toml, and how they are read."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypedDict

from batchbg.core.suggestion import meant
from batchbg.errors import ConfigError
from batchbg.ledger.location import absolute
from batchbg.settings.definitions import SETTINGS
from batchbg.settings.kinds import read_value
from batchbg.settings.loading import load
from batchbg.settings.values import Settings

StrPath: TypeAlias = str | os.PathLike[str]

Duration: TypeAlias = float | str
"""Seconds, or as on the command line: "90s", "2h"."""


class Options(TypedDict, total=False):
    """Keyword arguments of ``Batch``; those of a section are named without it, as ``per_day``.

    One that is None is not given. What each means, config.example.toml says.
    """

    backgrounds: StrPath | None
    output: StrPath | None
    ledger: StrPath | None
    base_url: str | None
    sandbox: bool
    max_credits: int | None
    max_files: int | None
    max_duration: Duration | None
    pilot: int | None
    requests_per_second: float | None
    max_in_flight: int | None
    include: Sequence[str]
    exclude: Sequence[str]
    files: Sequence[StrPath]
    files_from: StrPath | None
    null: bool
    max_depth: int | None
    background_policy: str | None
    background_map: StrPath | None
    on_mismatch: Literal["fit", "accept", "transparent", "skip"] | None
    force: bool
    again: bool
    first_page: bool
    allow_blank: bool
    prefer: Literal["jpeg", "tiff", "both"] | None
    portable_names: bool
    format: Literal["png", "webp", "jpeg", "avif"] | None
    quality: int | None
    flatten: str | None
    keep_received: bool
    delete_remote: bool
    exec: str | Sequence[str] | None
    plan: StrPath | None
    yes: bool
    confirm_batch_over: int | None
    retry_lock: Duration | None
    strict: bool
    report: StrPath | None
    finish: Sequence[str]
    metrics_file: StrPath | None
    per_day: int | None
    per_month: int | None
    total: int | None
    keep_balance: int | None
    price_per_credit: float | None
    timezone: str | None
    give_up_after: Duration | None
    exec_timeout: Duration | None
    render_patience: Duration | None
    max_distortion: float | None
    max_blur: float | None
    max_upload_bytes: int | None
    api_key_file: StrPath | None
    webhook_url: str | None


OF_THE_COMMAND_LINE: Final = frozenset(
    {"dry_run", "json", "log_format", "verbose", "quiet", "ping_url", "webhook_secret_file", "still_for", "poll_every"}
)
"""Settings that say what a command prints, or concern other commands."""

_BY_FIELD: Final = {setting.field: setting for setting in SETTINGS if setting.field not in OF_THE_COMMAND_LINE}


def settings_of(photos: StrPath | None, config: StrPath | None, options: Mapping[str, Any]) -> Settings:
    """Return checked settings: arguments over the file that ``config`` names, over the defaults.

    The environment says nothing, and no file is read that is not named. Paths are taken from the present folder on,
    now: a program may change it later.

    Raises:
        ConfigError: an argument is unknown or wrong, or the file is.
    """
    given = {"photos": photos, **options}
    values = {name: _read(name, value) for name, value in given.items() if value is not None}
    if values.get("files_from") == "-":
        raise ConfigError("files_from must name a file: the program's own input is not read")
    settings = load({}, {}, Path(config).absolute() if config is not None else None, values)
    if config is not None and settings.files_from == "-":
        raise ConfigError(f"{os.fspath(config)}: files_from must name a file: the program's own input is not read")
    return _from_here(settings)


def _read(name: str, value: Any) -> Any:
    setting = _BY_FIELD.get(name)
    if setting is None:
        if name in OF_THE_COMMAND_LINE:
            raise ConfigError(f"{name} is for the command line")
        found = meant(name, _BY_FIELD, 0.5)
        raise ConfigError(f"there is no option {name!r}{f'; did you mean {found!r}?' if found else ''}")
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return read_value(setting.kind, value, name)


def _from_here(settings: Settings) -> Settings:
    """Return settings whose paths no change of the current folder can lead elsewhere."""
    found: dict[str, Any] = {
        field: value.absolute() for field in _BY_FIELD if isinstance(value := getattr(settings, field), Path)
    }
    found["files"] = tuple(file.absolute() for file in settings.files)
    if settings.files_from is not None:
        found["files_from"] = str(Path(settings.files_from).absolute())
    return dataclasses.replace(settings, ledger=absolute(settings.ledger), **found)
