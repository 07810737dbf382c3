"""All that is done with the content of pictures, in a decoder's process wherever one is decoded; see ``decoder_pool``.

The modules that do it are imported there and nowhere else: no decoder is ever loaded beside the key, and a run that has
no picture to open does not wait for one.
"""

import dataclasses
import functools
import importlib
import os
from pathlib import Path
from typing import Any, Generic, TypeVar

from batchbg.core.finishing import Profile
from batchbg.core.model import PhotoInfo, Size, Stamp
from batchbg.core.paint import Paint
from batchbg.disk import decoder_pool, undecoded
from batchbg.disk.finished import Finished
from batchbg.disk.output_formats import OutputFormat
from batchbg.disk.probe_limits import USUAL, ProbeLimits
from batchbg.disk.scan import UNREADABLE, why_unreadable
from batchbg.disk.verdict import Verdict
from batchbg.errors import DecoderDied, PhotoChanged, ResultUnusable

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class _Work(Generic[T]):
    """A function of this package that returns T, by its module and name; found where it is called."""

    module: str
    name: str

    def __call__(self, *args: Any) -> T:
        found: T = getattr(importlib.import_module(f"batchbg.disk.{self.module}"), self.name)(*args)
        return found


def probe(path: Path, stamp: Stamp, terms: ProbeLimits = USUAL) -> PhotoInfo:
    """See ``disk.probe.probe``; a file over which its decoder dies is rejected."""
    try:
        # It is opened here in any case, by the rights that this process has by now.
        if found := undecoded.probe(path, stamp, terms, _is_wide_gamut):
            return found
    except FileNotFoundError as error:
        raise PhotoChanged(f"{path.name} is gone") from error
    except OSError as error:
        return PhotoInfo(stamp, "", None, "", "", why_unreadable(error))
    try:
        return decoder_pool.run(_Work[PhotoInfo]("probe", "probe"), _whole(path), stamp, terms)
    except DecoderDied as died:
        why = f"{UNREADABLE}: {died}" if died.killed else f"damaged, or made to do damage: {died}"
        return PhotoInfo(stamp, "", None, "", "", f"{why}; save it anew")


@functools.lru_cache(maxsize=64)
def _is_wide_gamut(profile: bytes) -> bool:
    """See ``disk.appearance.is_wide_gamut``; a profile is asked about once.

    Raises:
        DecoderDied: over this one.
    """
    return decoder_pool.run(_Work[bool]("appearance", "is_wide_gamut"), profile)


def verify(part: Path, wanted: Size, photo: Path | None, form: OutputFormat) -> Verdict:
    """See ``disk.verify.verify``; a result over which its decoder dies is unusable."""
    try:
        return decoder_pool.run(
            _Work[Verdict]("verify", "verify"), _whole(part), wanted, _whole(photo) if photo else None, form
        )
    except DecoderDied as died:
        raise ResultUnusable(f"the result is not a whole picture: {died}") from died


def upright_copy(path: Path, sha256: str = "") -> tuple[bytes, str]:
    """See ``disk.normalise.upright_copy``."""
    try:
        return decoder_pool.run(_Work[tuple[bytes, str]]("normalise", "upright_copy"), _whole(path), sha256)
    except DecoderDied as died:
        raise _changed(path, died) from died


def cover_crop(path: Path, size: Size, sha256: str = "") -> tuple[bytes, str]:
    """See ``disk.normalise.cover_crop``."""
    try:
        return decoder_pool.run(_Work[tuple[bytes, str]]("normalise", "cover_crop"), _whole(path), size, sha256)
    except DecoderDied as died:
        raise _changed(path, died) from died


def thumbnail(path: Path, side: int, quality: int) -> bytes:
    """See ``disk.normalise.thumbnail``."""
    try:
        return decoder_pool.run(_Work[bytes]("normalise", "thumbnail"), _whole(path), side, quality)
    except DecoderDied as died:
        raise _changed(path, died) from died


def look_over(
    result: Path, photo: Path | None, background: Path | Paint | None, cropped: bool, side: int, quality: int
) -> dict[str, Any]:
    """See ``disk.cut_out.look_over``."""
    work = _Work[dict[str, Any]]("cut_out", "look_over")
    others = (_whole(one) if isinstance(one, Path) else one for one in (photo, background))
    try:
        return decoder_pool.run(work, _whole(result), *others, cropped, side, quality)
    except DecoderDied as died:
        raise _changed(result, died) from died


def finish(master: Path, profile: Profile, sha256: str) -> Finished:
    """See ``disk.finishing.finish``; a result over which its decoder dies is unusable."""
    try:
        return decoder_pool.run(_Work[Finished]("finishing", "finish"), _whole(master), profile, sha256)
    except DecoderDied as died:
        raise ResultUnusable(f"it cannot be finished: {died}") from died


def painted(paint: Paint, pixels: Size) -> tuple[bytes, str]:
    """See ``disk.painting.painted``."""
    try:
        return decoder_pool.run(_Work[tuple[bytes, str]]("painting", "painted"), paint, pixels)
    except DecoderDied as died:
        raise PhotoChanged(f"{paint} cannot be painted at {pixels}: {died}") from died


def swatch(paint: Paint, pixels: Size, quality: int) -> bytes:
    """See ``disk.painting.swatch``."""
    return decoder_pool.run(_Work[bytes]("painting", "swatch"), paint, pixels, quality)


def _changed(path: Path, died: DecoderDied) -> PhotoChanged:
    return PhotoChanged(f"{path.name} can no longer be read: {died}; save it anew")


def _whole(path: Path) -> Path:
    """Return a path that means the same in another process."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are
