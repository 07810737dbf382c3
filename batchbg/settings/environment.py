"""The environment: variables that set something, and those that were meant to."""

import difflib
import re
from collections.abc import Mapping
from typing import Final

from batchbg.core.suggestion import meant
from batchbg.errors import ConfigError
from batchbg.settings.definitions import LIMITING, SETTINGS, Setting

_LIMITING_WORDS: Final = re.compile(
    r"(?:^|_)(CAPS?|CREDITS?|BUDGET|LIMITS?|MAX|MAXIMUM|MOST|SPEND|SPENDING|COST|PRICE|DAY|DAILY|MONTH|MONTHLY|TOTAL"
    r"|BALANCE|PILOT|CONFIRM|DURATION|FILES|DRY|SANDBOX|REHEARSAL)(?:_|$)"
)
"""In a name these say that somebody means to limit what is spent."""


def check_variables(environ: Mapping[str, str]) -> None:
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
            raise ConfigError(f"{variable} is not a setting; did you mean {right}? Until then nothing is done")
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
