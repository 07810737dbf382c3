"""Time zones by name, so that a day stays the same day whatever a machine is set to later."""

import datetime
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LOCALTIME: Final = Path("/etc/localtime")
"""Names the system's zone, as a link into a folder ``zoneinfo``."""

_FIXED: Final = re.compile(r"UTC([+-])(\d\d):(\d\d)")


def named(name: str) -> datetime.tzinfo:
    """Return the zone of an IANA name such as "Europe/Berlin", or of a fixed offset such as "UTC+02:00".

    Raises:
        ValueError: there is none of that name.
    """
    if found := _FIXED.fullmatch(name):
        offset = datetime.timedelta(hours=int(found[2]), minutes=int(found[3]))
        return datetime.timezone(-offset if found[1] == "-" else offset)
    import zoneinfo  # which looks through the interpreter's configuration; most commands need no zone

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def is_known(name: str) -> bool:
    """Return whether ``named`` knows the zone."""
    try:
        named(name)
    except ValueError:
        return False
    return True


def of_system(environ: Mapping[str, str]) -> str:
    """Return the name of the zone that this process lives in; its present offset where it has no name."""
    told = environ.get("TZ")
    if told is not None:
        candidate = told.removeprefix(":").rpartition("zoneinfo/")[2] or "UTC"
    else:
        candidate = str(LOCALTIME.resolve()).rpartition("zoneinfo/")[2] if LOCALTIME.exists() else "UTC"
    if not candidate.startswith("/") and is_known(candidate):
        return candidate
    minutes = time.localtime().tm_gmtoff // 60
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
