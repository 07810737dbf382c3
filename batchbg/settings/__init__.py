"""Settings: every flag, config.toml key and environment variable, defined once and merged here.

Flags win over the environment, the environment over ./config.toml or the file that --config names, that over the
user's own ~/.config/batchbg/config.toml, and this over the defaults. Paths in a file are relative to it, all others to
the current folder. A ./config.toml that its user does not trust says nothing about where the key and pictures go.
"""

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from batchbg.settings.config_files import config_file, needs_trust, own_config_file, read_table
    from batchbg.settings.definitions import BY_KEY, LIMITING, SETTINGS, Setting
    from batchbg.settings.key import KEY_VARIABLE, api_key, webhook_secret
    from batchbg.settings.kinds import duration_s
    from batchbg.settings.loading import load
    from batchbg.settings.values import Settings

__all__ = [
    "BY_KEY",
    "KEY_VARIABLE",
    "LIMITING",
    "SETTINGS",
    "Setting",
    "Settings",
    "api_key",
    "config_file",
    "duration_s",
    "load",
    "needs_trust",
    "own_config_file",
    "read_table",
    "webhook_secret",
]

_HOMES: Final = MappingProxyType(
    dict.fromkeys(("config_file", "needs_trust", "own_config_file", "read_table"), "config_files")
    | dict.fromkeys(("BY_KEY", "LIMITING", "SETTINGS", "Setting"), "definitions")
    | dict.fromkeys(("KEY_VARIABLE", "api_key", "webhook_secret"), "key")
    | {"duration_s": "kinds", "load": "loading", "Settings": "values"}
)


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more: --help and TAB need the definitions, and nothing that reads a file."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
