"""Settings: every flag, config.toml key and environment variable, defined once and merged here.

Flags win over the environment, the environment over ./config.toml or the file that --config names, that over the
user's own ~/.config/batchbg/config.toml, and this over the defaults. Paths in a file are relative to it, all others to
the current folder. A ./config.toml that its user does not trust says nothing about where the key and pictures go.
"""

from batchbg.settings.config_files import config_file, needs_trust, own_config_file, read_table
from batchbg.settings.definitions import BY_KEY, LIMITING, SETTINGS, Setting
from batchbg.settings.key import KEY_VARIABLE, api_key
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
]
