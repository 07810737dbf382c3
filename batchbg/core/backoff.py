"""How long to wait before a retry."""

import random
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 30.0


def pause_s(failures: int, retry_after_s: float | None = None, draw: float | None = None) -> float:
    """Return the seconds to wait after ``failures`` failures in a row.

    Doubles from one second to half a minute, with jitter over the upper half so that workers do not come back
    together; what the server asks for is the least.

    Args:
        failures: at least 1.
        retry_after_s: what the server asked for, or None.
        draw: a number in [0, 1) in place of chance.
    """
    ceiling = min(FIRST_S * 2.0 ** (min(failures, 30) - 1), LONGEST_S)
    chance = random.random() if draw is None else draw
    return max(ceiling * (0.5 + chance / 2), retry_after_s or 0.0)
