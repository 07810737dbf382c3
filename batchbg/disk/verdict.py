"""What is found in a result, and how it may differ from its photo."""

import dataclasses
from typing import Final

from batchbg.core.model import Size

MAX_ASPECT_DRIFT: Final = 0.01
"""Relative difference of two aspect ratios that rounding to whole pixels may cause."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What decoding a whole result found.

    Attributes:
        pixels: of the result.
        extension: of the format in which it came.
        remarks: what a person should know.
        converted: the bytes to be saved in place of those that came, or None.
    """

    pixels: Size
    extension: str
    remarks: tuple[str, ...]
    converted: bytes | None


def other_shape(pixels: Size, wanted: Size) -> str:
    """Say how a result differs in shape or size from its photo, or ""."""
    ratio = (pixels.width * wanted.height) / (pixels.height * wanted.width)
    off_by_rounding = 1.5 / min(pixels)
    if abs(ratio - 1) > max(MAX_ASPECT_DRIFT, off_by_rounding):
        return f"the result is {pixels}, another shape than the photo's {wanted}"
    if pixels.width < wanted.width or pixels.height < wanted.height:
        return f"the result is {pixels}, smaller than the photo's {wanted}"
    return ""
