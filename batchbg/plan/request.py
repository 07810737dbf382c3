"""What a person asks to be planned: folders, files and lists, each read once, and checked before anything is written."""

import codecs
import dataclasses
import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from batchbg.core.paint import Paint, looks_like_paint, read_paint
from batchbg.disk.file_identity import lies_in
from batchbg.disk.patterns import Rules
from batchbg.disk.reading import read_bytes
from batchbg.errors import ConfigError
from batchbg.plan.background_map import MapRule, read_map
from batchbg.plan.lines import some_of
from batchbg.plan.saved_plan import Entry, painted_in, read_plan
from batchbg.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One photo folder to be planned into one output folder.

    Attributes:
        settings: all that was said.
        photos, output, backgrounds: the folders, links followed; ``backgrounds`` is None for transparent results.
        background: name of the only file in ``backgrounds`` that counts, "" where all do.
        paint: the colour or gradient that is the background of all, None where there are files or none.
        rules: which files count.
        names: the only files that count, of --files-from or typed one by one; None for all.
        saved: by photo what a saved plan says, of --plan; None without one.
        map_rules: of the background map, in their order.
    """

    settings: Settings
    photos: Path
    output: Path
    backgrounds: Path | None
    background: str
    paint: Paint | None
    rules: Rules
    names: Sequence[str] | None
    saved: Mapping[str, Entry] | None
    map_rules: Sequence[MapRule]


def read_request(settings: Settings, earlier: Collection[Path] = ()) -> Request:
    """Read and check what is asked for; here and not where it is planned, which may be a thread that no signal reaches.

    Args:
        settings: ``photos`` is set.
        earlier: folders whose photos have results in this output folder: files in one keep their place below it.

    Raises:
        ConfigError: the folders contradict each other, or a list cannot be read.
    """
    assert settings.photos is not None
    photos, output = Path(os.path.realpath(settings.photos)), Path(os.path.realpath(settings.output))
    if settings.files:
        photos = _mirrored(photos, earlier)
    paint = settings.backgrounds if isinstance(settings.backgrounds, Paint) else None
    backgrounds, background = _backgrounds(None if isinstance(settings.backgrounds, Paint) else settings.backgrounds)
    _check_folders(photos, output, backgrounds if not background else None)
    if backgrounds is not None and background and lies_in(backgrounds, output):
        raise ConfigError(f"backgrounds: {settings.backgrounds} lies inside the output folder, among results")
    names: Sequence[str] | None = [_path_below(photos, file) for file in settings.files] or None
    if settings.files_from:
        names = names_from(settings.files_from, null=settings.null)
    saved = read_plan(settings.plan) if settings.plan else None
    if saved is not None and settings.files and names:
        saved = _part_of(saved, names, settings.plan)
    if saved is not None and backgrounds is None:
        _check_transparent(settings.plan, saved)
    rules = read_map(settings.background_map) if settings.background_map and saved is None else []
    return Request(
        settings,
        photos,
        output,
        backgrounds,
        background,
        paint,
        Rules(settings.include, settings.exclude, settings.max_depth),
        names,
        saved,
        rules,
    )


def order_text(settings: Settings) -> str:
    """Return what an order to pay again is about: which photos, on what. How many at once or for how much is not it."""
    named = ("photos", "output", "backgrounds", "background_map", "plan")
    told = ("include", "exclude", "files_from", "max_depth", "background_policy", "on_mismatch")
    paths: dict[str, Any] = {name: _order_part(getattr(settings, name)) for name in named}
    if settings.files:  # left out otherwise: orders of older versions are continued
        paths["files"] = sorted(os.path.realpath(file) for file in settings.files)
    return json.dumps(paths | {name: getattr(settings, name) for name in told}, sort_keys=True)


def _order_part(value: Path | Paint | None) -> str | None:
    return str(value) if isinstance(value, Paint) else os.path.realpath(value) if value else None


def _mirrored(common: Path, earlier: Collection[Path]) -> Path:
    """Return the folder below which files keep their places: the nearest that was planned before, else their own."""
    above = [folder for folder in earlier if common.is_relative_to(folder)]
    return max(above, key=lambda folder: len(folder.parts), default=common)


def _path_below(root: Path, file: Path) -> str:
    """Return a file's path below the root; the file may be a link, the way to it is followed."""
    return os.path.join(os.path.relpath(os.path.realpath(file.parent), root), file.name)  # noqa: PTH118


def _backgrounds(named: Path | None) -> tuple[Path | None, str]:
    """Return the folder of backgrounds, and the one that counts where a file was named.

    Raises:
        ConfigError: there is nothing of that name.
    """
    if named is None:
        return None, ""
    real = Path(os.path.realpath(named))
    if not os.path.lexists(named):
        raise ConfigError(f"backgrounds: there is no folder or file {named}{_as_paint(str(named))}")
    return (real.parent, real.name) if real.is_file() else (real, "")


def _as_paint(named: str) -> str:
    """Return why a name is no colour either, where that may have been meant, or ""."""
    try:
        read_paint(named.rpartition("/")[2])
    except ValueError as error:
        name = named.rpartition("/")[2]  # the way to it is that of the file of settings
        if looks_like_paint(name) or name == "transparent" or ("/" not in named and "did you mean" in str(error)):
            return f", and {error}"
    return ""


def _part_of(saved: Mapping[str, Entry], names: Sequence[str], file: Path | None) -> dict[str, Entry]:
    """Return what a saved plan says of some photos.

    Raises:
        ConfigError: it says nothing of one of them.
    """
    paths = [os.path.normpath(name) for name in names]
    if strangers := [path for path in paths if path not in saved]:
        raise ConfigError(f"plan: {file} says nothing of {', '.join(some_of(strangers, 3))}")
    return {path: saved[path] for path in paths}


def _check_folders(photos: Path, output: Path, backgrounds: Path | None) -> None:
    """Refuse folders that contradict each other, by whatever names they are given: mounts, links, letter case."""
    if lies_in(photos, output) and lies_in(output, photos):
        raise ConfigError(f"output: {output} is the photo folder{_too(output, photos)}; results need one of their own")
    if lies_in(photos, output):
        raise ConfigError(f"output: the photos lie inside {output}, and would be taken for results")
    if output.exists() and not output.is_dir():
        raise ConfigError(f"output: {output} is a file")
    if backgrounds is not None:
        if lies_in(photos, backgrounds):
            raise ConfigError(f"backgrounds: the photos lie inside {backgrounds}; name a folder of its own")
        if lies_in(output, backgrounds):
            raise ConfigError(f"output: {output} lies inside the background folder, to which nothing is written")


def _too(output: Path, photos: Path) -> str:
    return "" if output == photos else f", {photos}, by another name"


def _check_transparent(file: Path | None, saved: Mapping[str, Entry]) -> None:
    """Refuse a saved plan that puts photos on backgrounds whose folder is not given."""
    used = dict.fromkeys(entry.background for entry in saved.values() if entry.background and not painted_in(entry))
    if used:
        named = ", ".join(some_of(list(used), 3))
        raise ConfigError(f"plan: {file} names backgrounds ({named}); add --backgrounds with the folder they lie in")


def names_from(source: str, *, null: bool) -> list[str]:
    """Return the names in a file or, for "-", on stdin; as bytes of the file system, so that any name can be given."""
    try:
        data = sys.stdin.buffer.read() if source == "-" else read_bytes(source)
    except OSError as error:
        raise ConfigError(f"files_from: {source}: {error.strerror or error}") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as some editors save a list
        data = os.fsencode(data.decode("utf-16", "replace"))
    data = data if null else data.removeprefix(codecs.BOM_UTF8)
    ending = b"\0" if null else b"\n"
    return [os.fsdecode(name.removesuffix(b"\r")) for name in data.split(ending) if name.strip()]
