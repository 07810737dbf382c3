"""What the PHOTOS arguments name: a folder, or files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchbg.cli.suggest import quoted
from batchbg.errors import ConfigError


def folder_or_files(named: Sequence[Path]) -> dict[str, Any]:
    """Return the settings that the arguments stand for: ``photos`` a folder, or ``files``.

    A file that is not there is told by the plan like one of a list, as long as another one is.

    Args:
        named: as typed.

    Raises:
        ConfigError: there are several folders, folders and files, or no file of that name.
    """
    folders = [path for path in named if os.path.isdir(path)]  # noqa: PTH112 - nothing is raised for odd names
    if len(named) > 1 and folders:
        _refuse(folders, named)
    if len(named) == 1 and not _is_file(named[0]):
        if not os.path.lexists(named[0]):
            raise ConfigError(f"there is no folder or file {named[0]}")
        return {"photos": named[0], "files": ()}
    if named and not any(os.path.lexists(path) for path in named):
        raise ConfigError(f"there is no file {named[0]}, nor any of the other {len(named) - 1}")
    return {"photos": None, "files": tuple(named)}


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - as above


def _refuse(folders: Sequence[Path], named: Sequence[Path]) -> None:
    """Say what to type for several folders, or for folders among files."""
    if len(folders) < len(named):
        file = next(path for path in named if path not in folders)
        raise ConfigError(
            f"photos: {folders[0]} is a folder and {file} is not; name one folder, or files, in one command"
        )
    try:
        above = Path(os.path.commonpath([os.path.realpath(folder) for folder in folders]))
    except ValueError as error:
        raise ConfigError("photos: name one folder at a time") from error
    if above in [Path(os.path.realpath(folder)) for folder in folders]:
        raise ConfigError(f"photos: name one folder; {above} holds the others")
    parts = [f"{os.path.relpath(os.path.realpath(folder), above)}/" for folder in folders]
    only = " ".join(f"--include {quoted(part)}" for part in parts)
    raise ConfigError(f"photos: name one folder, the one that holds them all: {quoted(str(above))} {only}")
