"""How much of the photo is left in a result on a background: its alpha, told back from the three pictures."""

from typing import Final

TOLD_APART: Final = 40 * 40
"""Squared distance, in levels of 255, from which on photo and background tell one another apart at a cell."""

LEAST: Final = 0.02
MOST_CELLS: Final = 0.6
"""Of all cells. Where fewer than the first are told nothing is said; from the second on the others are guessed by
their neighbours, and before that, as where a white studio becomes white, they look like background in any case."""


def alpha_between(photo: bytes, background: bytes, result: bytes, width: int) -> bytes | None:
    """Return the alpha with which a photo was laid on a background to make a result; None where it cannot be told.

    Args:
        photo: three bytes a cell, row by row.
        background: of the same cells.
        result: of the same cells.
        width: cells of a row.
    """
    total = len(result) // 3
    alpha = bytearray(total)
    untold = []
    for cell in range(total):
        at = 3 * cell
        under = background[at : at + 3]
        red, green, blue = photo[at] - under[0], photo[at + 1] - under[1], photo[at + 2] - under[2]
        length = red * red + green * green + blue * blue
        if length < TOLD_APART:
            untold.append(cell)
            continue
        along = (result[at] - under[0]) * red + (result[at + 1] - under[1]) * green + (result[at + 2] - under[2]) * blue
        alpha[cell] = min(255, max(0, round(255 * along / length)))
    told = total - len(untold)
    if told < LEAST * total:
        return None
    for cell in untold if told >= MOST_CELLS * total else ():
        alpha[cell] = alpha[cell - 1] if cell % width else alpha[cell - width] if cell else 0
    return bytes(alpha)


def sameness(photo: bytes, result: bytes) -> float:
    """Return of how many cells, 0 to 1, a result looks just like its photo."""
    total = len(result) // 3
    alike = sum(
        abs(photo[at] - result[at]) + abs(photo[at + 1] - result[at + 1]) + abs(photo[at + 2] - result[at + 2]) <= 18
        for at in range(0, 3 * total, 3)
    )
    return alike / max(total, 1)
