"""Results on disk: whole under their own name, or not there at all."""

import contextlib
import dataclasses
import hashlib
import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops, ImageStat

from batchbg.core.model import Size
from batchbg.core.naming import received_name
from batchbg.disk import files
from batchbg.disk.convert import Form
from batchbg.disk.files import Identity
from batchbg.disk.look import EXTENSIONS, MAX_PIXELS
from batchbg.disk.normalise import MINIATURE, miniature
from batchbg.disk.rehearsal import PART_PREFIX as PART_PREFIX
from batchbg.disk.rehearsal import PART_SUFFIX as PART_SUFFIX
from batchbg.disk.rehearsal import rehearse
from batchbg.errors import DiskError, OutputRefused, PhotoChanged, ResultUnusable

PNG: Final = Form()
"""As results come, mostly."""

MAX_ASPECT_DRIFT: Final = 0.01
"""Relative difference of two aspect ratios that rounding to whole pixels may cause."""


def part_path(target: Path, job_id: str) -> Path:
    """Return the temporary name beside ``target``; on the same disk, so that the rename is one step."""
    return target.with_name(f"{PART_PREFIX}{job_id}{PART_SUFFIX}")


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """A whole picture in a temporary file: hex digest and bytes of the file, and what a person should know of it.

    ``converted`` where these are not the bytes that came: another conversion may give others.
    """

    sha256: str
    size: int
    pixels: Size
    remark: str
    converted: bool = False


def check(part: Path, wanted: Size, photo: Path | None = None, form: Form = PNG) -> Result:
    """Decode a downloaded file completely; then give it the form in which it is to be saved.

    Args:
        part: the temporary file, which is replaced where it comes in another form.
        wanted: pixels of the upright photo.
        photo: its file, to see whether anything has become of it.
        form: in which it is to be saved; PNG is made without loss of what comes otherwise.

    Raises:
        ResultUnusable: it is no whole picture.
        DiskError: it cannot be written.
    """
    remarks: list[str] = []
    try:
        with Image.open(part) as picture:
            pixels = Size(*picture.size)
            if pixels.width * pixels.height > MAX_PIXELS:
                raise ResultUnusable(f"the result claims {pixels} pixels")
            picture.load()
            remarks += filter(None, (_blank(picture), _echo(picture, photo) if photo else ""))
            if picture.format == "PNG" and not _has_end(part):
                raise ResultUnusable("the result is a PNG without its end")
            if converted := not form.takes(picture):
                _convert(picture, part, form)
            if picture.format not in ("PNG", form.kind):
                remarks.append(f"came as {picture.format}, saved as {form.kind}")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.errno:
            raise _disk_error(part, error) from error
        raise ResultUnusable(f"the result is no whole picture: {' '.join(str(error).split())[:120]}") from error
    if drift := _other_shape(pixels, wanted):
        remarks.append(drift)
    return Result(_digest(part), part.stat().st_size, pixels, "; ".join(remarks), converted)


def _convert(picture: Image.Image, part: Path, form: Form) -> None:
    """Put another form in the place of a download, and keep it as it came where that is wanted.

    Raises:
        ResultUnusable: the form does not hold it.
        DiskError: it cannot be written.
    """
    if form.received:
        _keep(part, form.received, picture.format or "", form.root)
    try:
        form.save(picture, part)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise ResultUnusable(f"the result, {Size(*picture.size)}, cannot be saved as {form.kind}: {error}") from error


def _keep(part: Path, place: Path, came: str, root: Path | None) -> None:
    """Keep a download as it came; the folder for that is batchbg's own, so an older file in it is replaced."""
    target = place.with_name(received_name(place.name, f".{EXTENSIONS.get(came, came.lower())}"))
    copied = target.with_name(part.name)
    copy(part, copied, root)
    put(copied, target, replace=True, sha256=_digest(part), root=root)


_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"


def _has_end(part: Path) -> bool:
    """Tell whether a PNG is there to its last chunk, which Pillow does not ask for; something may follow it."""
    with part.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - (1 << 16)))
        return _PNG_END in file.read()


def _blank(picture: Image.Image) -> str:
    """Say that a picture shows nothing, or ""."""
    shown = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA")
    extremes = shown.getextrema()
    bands: list[Any] = [extremes] if shown.mode == "L" else list(extremes)
    if shown.mode == "RGBA" and bands[3] == (0, 0):
        return "the result is empty: all of it is transparent"
    return "the result is blank: one colour all over" if all(low == high for low, high in bands) else ""


def _echo(picture: Image.Image, photo: Path) -> str:
    """Say that a result looks just like its photo, or ""; compared in miniature, where JPEG's losses do not show."""
    try:
        before = miniature(photo)
    except PhotoChanged:
        return ""  # nothing to compare with
    after = picture.convert("RGBA").resize(MINIATURE, reducing_gap=1.0)
    apart = ImageStat.Stat(ImageChops.difference(before, after)).mean
    return "the result looks just like the photo" if max(apart) <= _SAME else ""


_SAME: Final = 2.0
"""Levels of 255, on average, by which the miniatures of one picture, saved in two ways, may differ."""


def _other_shape(pixels: Size, wanted: Size) -> str:
    """Say how a result differs in shape or size from its photo, or ""."""
    ratio = (pixels.width * wanted.height) / (pixels.height * wanted.width)
    off_by_rounding = 1.5 / min(pixels)
    if abs(ratio - 1) > max(MAX_ASPECT_DRIFT, off_by_rounding):
        return f"the result is {pixels}, another shape than the photo's {wanted}"
    if pixels.width < wanted.width or pixels.height < wanted.height:
        return f"the result is {pixels}, smaller than the photo's {wanted}"
    return ""


def is_odd(result: Result, wanted: Size) -> bool:
    """Tell whether a result has another aspect ratio or fewer pixels than its photo: worth one more download."""
    return bool(_other_shape(result.pixels, wanted))


def put(
    part: Path,
    target: Path,
    *,
    replace: bool,
    sha256: str,
    root: Path | None = None,
    originals: Collection[Identity] = (),
) -> bool:
    """Give a checked temporary file its name, flushed to disk before and after.

    Args:
        part: the temporary file; it is gone afterwards.
        target: the result's own path.
        replace: a file of that name may be replaced: it is an older result of this ledger, or a person said so.
        sha256: hex digest of ``part``; a file of that name with the same content is ours from before a crash.
        root: the output folder, below which no link is followed; by default the target's own folder.
        originals: folders in which nothing is written.

    Returns:
        False where somebody else's file has the name; the temporary file is then removed.

    Raises:
        DiskError: the disk refuses.
        OutputRefused: this path cannot be written.
    """
    root = root or target.parent
    try:
        with files.opened(root, target.parent, originals) as folder:
            with folder.open(part.name, write=True) as file:
                os.fsync(file.fileno())
            if _name(folder, part.name, target.name, replace=replace):
                folder.sync()
                return True
            ours = _digest_in(folder, target.name) == sha256
            folder.remove(part.name)
            if ours:
                folder.sync()
            return ours
    except OSError as error:
        raise files.trouble(root, target, error) from error


def _name(folder: files.Folder, part: str, name: str, *, replace: bool) -> bool:
    """Name a file; False where something has the name that may not be replaced."""
    found = folder.found(name)
    if found is None:
        try:
            folder.name_anew(part, name)
        except FileExistsError:
            return False  # it came this very moment
        return True
    if not replace or stat.S_ISDIR(found.st_mode):
        return False
    folder.rename(part, name)
    return True


def copy(source: Path, part: Path, root: Path | None = None, originals: Collection[Identity] = ()) -> None:
    """Copy a result to a temporary file beside another target.

    Raises:
        DiskError: the disk refuses.
        OutputRefused: this path cannot be written.
    """
    try:
        original = files.open_file(source, follow=False)
    except OSError as error:
        raise _disk_error(source, error) from error
    with original, files.create(part, root=root, originals=originals) as copied:
        try:
            shutil.copyfileobj(original, copied, 1 << 20)
            copied.flush()
        except OSError as error:
            raise files.trouble(root or part.parent, part, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder for results.

    Raises:
        DiskError: the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _disk_error(folder, error) from error


def remove(part: Path, root: Path) -> None:
    """Remove a temporary file below ``root`` where it is still there."""
    with contextlib.suppress(OSError, OutputRefused), files.opened(root, part.parent) as folder:
        folder.remove(part.name)


def try_out(folder: Path, owner: str = "nobody") -> None:
    """Do all that a save does in the output folder, before anything is paid for; nothing of it stays.

    Args:
        folder: the output folder.
        owner: by whose id the temporary files are known, should the process be killed.

    Raises:
        DiskError: it cannot be done.
    """
    make_folder(folder)
    try:
        with files.opened(folder, folder) as opened:
            rehearse(opened, owner, flush=True)
    except OSError as error:
        raise _disk_error(folder, error) from error


def digest(path: Path) -> str | None:
    """Return the sha256 of a result as hex, or None where it cannot be read, or is no file but a link or a fifo."""
    try:
        return _digest(path)
    except OSError:
        return None


def _digest(path: Path) -> str:
    with files.open_file(path, follow=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_in(folder: files.Folder, name: str) -> str | None:
    try:
        with folder.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _disk_error(path: Path, error: OSError) -> DiskError:
    return DiskError(f"{path}: {error.strerror or error}; mend that and run again: nothing that is paid for is lost")
