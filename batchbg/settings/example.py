"""The commented config.toml, written from the settings' own definitions."""

import json
import textwrap
from pathlib import Path
from typing import Any, Final

from batchbg.settings.definitions import SETTINGS, Setting
from batchbg.settings.finishing import KEYS, SECTION

_HEAD: Final = """\
# Settings of batchbg. Each line shows a default; remove the "#" to change it.
# Flags win over the environment (BATCHBG_<NAME>), the environment over this file, and this file over
# ~/.config/batchbg/config.toml, which holds for all folders. Paths are relative to the file they stand in.
# The API key does not belong here: set MAGIC_HOUR_API_KEY, or api_key_file below.
# base_url, api_key_file, ping_url, webhook_url, delete_remote, exec, and paths or a ledger outside of this file's folder
# count only where you trust this file: `batchbg init` made it, `batchbg trust` was said of it as it is now, or
# --config names it.
"""

_EXAMPLES: Final[dict[str, Any]] = {
    "photos": "photos",
    "backgrounds": "backgrounds",
    "ledger": "sqlite:///batchbg.db",
    "max_credits": 500,
    "max_files": 100,
    "pilot": 10,
    "files_from": "photos.txt",
    "background_map": "backgrounds.csv",
    "max_duration": "2h",
    "include": ["*.jpg"],
    "exclude": ["drafts/*"],
    "max_depth": 3,
    "flatten": "white",
    "exec": ["optipng", "-quiet", "{}"],
    "report": "output/report.html",
    "metrics_file": "/var/lib/node_exporter/textfile/batchbg.prom",
    "budget.per_day": 500,
    "budget.per_month": 10000,
    "budget.total": 50000,
    "budget.keep_balance": 100,
    "budget.price_per_credit": 0.0025,
    "timezone": "Europe/Berlin",
    "api_key_file": "/etc/batchbg/key",
    "ping_url": "https://hc-ping.com/your-check",
    "webhook_url": "https://shop.example/webhook",
    "webhook_secret_file": "/etc/batchbg/webhook-secret",
}
"""Values to show where the default is "none"."""

_ONLY_ON_THE_COMMAND_LINE: Final = frozenset({"dry_run", "files", "plan", "null"})


def example_toml() -> str:
    """Return the text of config.example.toml."""
    parts = [_HEAD]
    section = ""
    ordered = sorted(SETTINGS, key=lambda setting: "." in setting.key)
    for setting in ordered:
        if setting.key in _ONLY_ON_THE_COMMAND_LINE:
            continue
        head, _, name = setting.key.rpartition(".")
        if head != section:
            section = head
            parts.append(f"[{section}]\n")
        parts.append(_entry(setting, name))
    return "\n".join([*parts, _profile_example()])


def _profile_example() -> str:
    """Return a profile of finishing, as a remark: there is none by default, and any number of them may be."""
    lines = [
        f"# Profiles by which results are finished: `batchbg help {SECTION}`. As many as you like, each like this:"
    ]
    lines += [f"# [{SECTION}.web]"]
    width = max(len(f"{name} = {key.example}") for name, key in KEYS.items())
    lines += [f"# {f'{name} = {key.example}':{width}}  # {key.help}" for name, key in KEYS.items()]
    return "\n".join(lines) + "\n"


def _entry(setting: Setting, name: str) -> str:
    help_text = textwrap.fill(setting.help, 110, initial_indent="# ", subsequent_indent="# ")
    value = _EXAMPLES.get(setting.key, setting.default)
    note = "" if setting.key not in _EXAMPLES or setting.key == "ledger" else "  # default: none"
    return f"{help_text}\n#{name} = {_toml(setting, value)}{note}\n"


def _toml(setting: Setting, value: Any) -> str:
    if setting.kind.expects.startswith("a time") and isinstance(value, float):
        return json.dumps(f"{value / 60:g}m" if value % 60 == 0 and value else f"{value:g}s")
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value)
