"""Results on disk: whole under their own name, or not there at all."""

import contextlib
import dataclasses
import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from batchbg.core.model import Size
from batchbg.core.naming import received_name
from batchbg.disk import decoding
from batchbg.disk.convert import Form
from batchbg.disk.verify import other_shape
from batchbg.errors import DiskError

PART_PREFIX: Final = ".batchbg-"
PART_SUFFIX: Final = ".part"

PNG: Final = Form()
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


def check(part: Path, wanted: Size, photo: Path | None = None, form: Form = PNG) -> Result:
    """Decode a downloaded file completely; then give it the form in which it is to be saved.

    Args:
        part: the temporary file, which is replaced where it comes in another form.
        wanted: pixels of the upright photo.
        photo: its file, to see whether anything has become of it.
        form: in which it is to be saved; PNG is made without loss of what comes otherwise.

    Raises:
        ResultUnusable: it is no whole picture.
        DiskError: it cannot be read or written.
    """
    try:
        found = decoding.verify(part, wanted, photo, form)
        if found.converted is not None:
            if form.received:
                _keep(part, form.received, found.extension)
            part.write_bytes(found.converted)
        return Result(
            _digest(part), part.stat().st_size, found.pixels, "; ".join(found.remarks), found.converted is not None
        )
    except OSError as error:
        raise _disk_error(part, error) from error


def _keep(part: Path, place: Path, extension: str) -> None:
    """Keep a download as it came; the folder for that is batchbg's own, so an older file in it is replaced."""
    target = place.with_name(received_name(place.name, f".{extension}"))
    copied = target.with_name(part.name)
    copy(part, copied)
    put(copied, target, replace=True, sha256=_digest(part))


def is_odd(result: Result, wanted: Size) -> bool:
    """Tell whether a result has another aspect ratio or fewer pixels than its photo: worth one more download."""
    return bool(other_shape(result.pixels, wanted))


def put(part: Path, target: Path, *, replace: bool, sha256: str) -> bool:
    """Give a checked temporary file its name, flushed to disk before and after.

    Args:
        part: the temporary file; it is gone afterwards.
        target: the result's own path.
        replace: a file of that name may be replaced: it is an older result of this ledger, or a person said so.
        sha256: hex digest of ``part``; a file of that name with the same content is ours from before a crash.

    Returns:
        False where somebody else's file has the name; the temporary file is then removed.

    Raises:
        DiskError: the disk refuses.
    """
    try:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        ours = target.is_file() and digest(target) == sha256
        if not os.path.lexists(target) or (replace and not target.is_dir()):
            part.replace(target)
        elif ours:
            part.unlink()
        else:
            part.unlink()
            return False
        _sync_folder(target.parent)
    except OSError as error:
        raise _disk_error(target, error) from error
    return True


def copy(source: Path, part: Path) -> None:
    """Copy a result to a temporary file beside another target.

    Raises:
        DiskError: the disk refuses.
    """
    try:
        make_folder(part.parent)
        shutil.copyfile(source, part)
    except OSError as error:
        raise _disk_error(part, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder for results.

    Raises:
        DiskError: the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _disk_error(folder, error) from error


def try_out(folder: Path) -> None:
    """Write and remove a file in the output folder, before anything is paid for.

    Raises:
        DiskError: it cannot be written.
    """
    make_folder(folder)
    probe = folder / f"{PART_PREFIX}probe-{os.getpid()}{PART_SUFFIX}"
    try:
        with probe.open("wb") as file:
            file.write(b"\0" * 4096)
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        with contextlib.suppress(OSError):
            probe.unlink()
        raise _disk_error(folder, error) from error


def digest(path: Path) -> str | None:
    """Return the sha256 of a result as hex, or None where it cannot be read."""
    try:
        return _digest(path)
    except OSError:
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """Flush a folder, or the rename in it may not outlive a power cut. Not every system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _disk_error(path: Path, error: OSError) -> DiskError:
    return DiskError(f"{path}: {error.strerror or error}; mend that and run again: nothing that is paid for is lost")
