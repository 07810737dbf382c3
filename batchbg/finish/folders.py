"""Where finished pictures go: never among photos, backgrounds or results, and never two profiles into one folder."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from batchbg.core.finishing import Profile
from batchbg.disk.file_identity import lies_in
from batchbg.errors import ConfigError
from batchbg.ledger import folders
from batchbg.ledger.store import Connection, Ledger
from batchbg.settings import Settings


def folder_of(settings: Settings, profile: Profile) -> Path:
    """Return the folder of a profile, links followed: the one that it names, else <output>-NAME beside the output.

    A rehearsal has folders of its own, as everywhere.
    """
    if profile.output is not None:
        named = Path(os.path.realpath(profile.output))
        return named.parent / f"{named.name or 'finished'}-sandbox" if settings.sandbox else named
    output = Path(os.path.realpath(settings.output))
    return output.parent / f"{output.name or 'output'}-{profile.name}"


def check_folders(
    settings: Settings, profiles: Iterable[Profile], *, inputs: Collection[Path] = (), outputs: Collection[Path] = ()
) -> dict[str, Path]:
    """Return the folder of each profile, by its name.

    Args:
        settings: with the output folder, and the photos and backgrounds as far as they are named.
        profiles: all that are to be used at once.
        inputs: other folders of photos and backgrounds.
        outputs: other folders of results.

    Raises:
        ConfigError: pictures of two kinds would lie in one folder.
    """
    output = Path(os.path.realpath(settings.output))
    named = [Path(os.path.realpath(one)) for one in settings.originals]
    found: dict[str, Path] = {}
    for profile in profiles:
        folder = folder_of(settings, profile)
        where = f"[finishing.{profile.name}] output: {folder}"
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"{where} is a file")
        for one in {output, *outputs}:
            if lies_in(folder, one) or lies_in(one, folder):
                raise ConfigError(f"{where} would mix with the results in {one}, which stay as they came; name another")
        for one in {*named, *inputs}:
            # Where the results lie inside the photo folder, so may what is made of them: neither is ever taken in.
            if lies_in(one, folder) or (lies_in(folder, one) and not lies_in(output, one)):
                raise ConfigError(f"{where} would mix with the photos or backgrounds in {one}; name another")
        for name, other in found.items():
            if lies_in(folder, other) or lies_in(other, folder):
                raise ConfigError(f"{where} is that of {name}, too; each profile needs a folder of its own")
        found[profile.name] = folder
    return found


def known_folders(ledger: Ledger, connection: Connection) -> tuple[set[Path], set[Path]]:
    """Return the folders of photos and backgrounds, and those of results, that a ledger knows; links followed."""
    inputs = folders.input_roots(connection) | folders.scanned_roots(connection)
    outputs = folders.output_roots(connection).values()
    return _real(ledger, inputs), _real(ledger, outputs)


def _real(ledger: Ledger, paths: Iterable[str]) -> set[Path]:
    return {Path(os.path.realpath(ledger.absolute(path))) for path in paths}
