"""Results on disk: whole under their own name, or not there at all."""

import contextlib
import dataclasses
import hashlib
import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from batchbg.core.model import Size
from batchbg.core.naming import received_name
from batchbg.core.remote_deletion import Found
from batchbg.disk import decoding, files
from batchbg.disk.file_identity import Identity
from batchbg.disk.folder import Folder, opened
from batchbg.disk.output_formats import OutputFormat
from batchbg.disk.reading import open_file
from batchbg.disk.rehearsal import PART_PREFIX as PART_PREFIX
from batchbg.disk.rehearsal import PART_SUFFIX as PART_SUFFIX
from batchbg.disk.rehearsal import rehearse
from batchbg.disk.verdict import other_shape
from batchbg.disk.write_errors import write_error
from batchbg.errors import DiskError, OutputRefused

PNG: Final = OutputFormat()
"""As results come, mostly."""


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


def check(part: Path, wanted: Size, photo: Path | None = None, form: OutputFormat = PNG) -> Result:
    """Decode a downloaded file completely; then give it the form in which it is to be saved.

    Args:
        part: the temporary file, which is replaced where it comes in another form.
        wanted: pixels of the upright photo.
        photo: its file, to see whether anything has become of it.
        form: in which it is to be saved; PNG is made without loss of what comes otherwise.

    Raises:
        ResultUnusable: it is not a whole picture.
        DiskError: it cannot be read or written.
    """
    try:
        found = decoding.verify(part, wanted, photo, form)
        if found.converted is not None:
            if form.received:
                _keep(part, form.received, found.extension, form.root)
            files.replace(part, found.converted, root=form.root)
        return Result(
            _digest(part), part.stat().st_size, found.pixels, "; ".join(found.remarks), found.converted is not None
        )
    except OSError as error:
        raise _disk_error(part, error) from error


def _keep(part: Path, place: Path, extension: str, root: Path | None) -> None:
    """Keep a download as it came; the folder for that is batchbg's own, so an older file in it is replaced."""
    target = place.with_name(received_name(place.name, f".{extension}"))
    copied = target.with_name(part.name)
    copy(part, copied, root)
    put(copied, target, replace=True, sha256=_digest(part), root=root)


def is_odd(result: Result, wanted: Size) -> bool:
    """Return whether a result has another aspect ratio or fewer pixels than its photo: worth one more download."""
    return bool(other_shape(result.pixels, wanted))


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
        with opened(root, target.parent, originals) as folder:
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
        raise write_error(root, target, error) from error


def _name(folder: Folder, part: str, name: str, *, replace: bool) -> bool:
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
        original = open_file(source, follow=False)
    except OSError as error:
        raise _disk_error(source, error) from error
    with original, files.create(part, root=root, originals=originals) as copied:
        try:
            shutil.copyfileobj(original, copied, 1 << 20)
            copied.flush()
        except OSError as error:
            raise write_error(root or part.parent, part, error) from error


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
    with contextlib.suppress(OSError, OutputRefused), opened(root, part.parent) as folder:
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
        with opened(folder, folder) as inside:
            rehearse(inside, owner, flush=True)
    except OSError as error:
        raise _disk_error(folder, error) from error


def digest(path: Path) -> str | None:
    """Return the sha256 of a result as hex, or None where it cannot be read, or is no file but a link or a fifo."""
    try:
        return _digest(path)
    except OSError:
        return None


def compare(path: Path, sha256: str | None) -> Found:
    """Return whether a file is still the result that was saved there, by its digest."""
    present = digest(path)
    if present is None:
        return Found.CHANGED if os.path.lexists(path) else Found.MISSING
    return Found.SAME if present == sha256 else Found.CHANGED


def compare_length(path: Path, size: int | None) -> Found:
    """Return whether a file may still be the result of ``size`` bytes that was saved there, without reading it."""
    try:
        found = path.lstat()
    except OSError:
        return Found.MISSING
    return Found.SAME if stat.S_ISREG(found.st_mode) and found.st_size == size else Found.CHANGED


def flush(path: Path, root: Path) -> None:
    """Flush a result, and every folder on the way to it from above ``root``: after that not even a power cut takes it.

    Args:
        path: of the result.
        root: the output folder, which may be a link.

    Raises:
        DiskError: the disk refuses.
    """
    real = Path(os.path.realpath(root))
    path = real / path.relative_to(root)
    try:
        # Windows flushes only what may be written.
        with Folder(path.parent, None).open(path.name, write=os.name != "posix") as file:
            os.fsync(file.fileno())
        for folder in path.parents:
            Folder(folder, None).sync()
            if folder == real.parent:
                break
    except OSError as error:
        raise _disk_error(path, error) from error


def _digest(path: Path) -> str:
    with open_file(path, follow=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_in(folder: Folder, name: str) -> str | None:
    try:
        with folder.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _disk_error(path: Path, error: OSError) -> DiskError:
    return DiskError(f"{path}: {error.strerror or error}; fix that and run again: nothing that is paid for is lost")
