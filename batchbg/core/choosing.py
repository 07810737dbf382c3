"""Which results a person wants to see, and in what order: as it stands in the page's address."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final


class Order(enum.StrEnum):
    """What comes first."""

    SUSPICION = "suspicion"
    NAME = "name"
    NEWEST = "newest"
    MISFIT = "misfit"
    SIZE = "size"


GROUPS: Final = ("undecided", "accepted", "rejected", "failed", "waiting")
"""What is shown: results by verdict, and jobs that have none."""

TRANSPARENT: Final = "-"
"""In the place of a background: none."""

SIZES: Final = {"small": (0, 1_000_000), "medium": (1_000_000, 6_000_000), "large": (6_000_000, 1 << 62)}
"""By pixels."""

MISFITS: Final = ("fits", "stretched", "cropped", "enlarged")
"""What becomes of the background."""


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted; "" is anything.

    Attributes:
        group: of GROUPS.
        folder: with what is below it.
        background: its path below its root, or TRANSPARENT.
        remark: the very remark; "*" for any that is not empty.
        size: of SIZES.
        misfit: of MISFITS.
        sign: a ``suspicion.Kind``.
        text: words, all of which are in a name, background, id, remark or reason.
    """

    group: str = ""
    state: str = ""
    folder: str = ""
    background: str = ""
    remark: str = ""
    size: str = ""
    misfit: str = ""
    sign: str = ""
    text: str = ""
    order: Order = Order.SUSPICION


def choice_of(asked: Mapping[str, str]) -> Choice:
    """Return what an address asks for; what is not known in it counts as anything, as an old bookmark may have it."""
    values = {name: asked.get(name, "")[:4096] for name in _TEXTS}
    if values["group"] not in GROUPS:
        values["group"] = ""
    if values["size"] not in SIZES:
        values["size"] = ""
    if values["misfit"] not in MISFITS:
        values["misfit"] = ""
    order = asked.get("order", "")
    known = {one.value for one in Order}
    return Choice(**values, order=Order(order) if order in known else Order.SUSPICION)


_TEXTS: Final = tuple(field.name for field in dataclasses.fields(Choice) if field.name != "order")
