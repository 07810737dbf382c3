"""The folders of a plan in the ledger: entered once, before the first photo."""

import dataclasses
import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from batchbg.ledger import folders, orders, outputs
from batchbg.ledger.store import Ledger
from batchbg.plan.request import Request, order_text

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Roots:
    """The folders of one plan, and their numbers in the ledger.

    Attributes:
        background_root: None without backgrounds.
        awaited: paths below the output folder that wanted a result when the plan was begun.
        order_id: of the order to pay again, None without ``force``.
        former_outputs: every folder that results were ever written to, by its number.
    """

    photos: Path
    photo_root: int
    output: Path
    output_root: int
    background_root: int | None
    awaited: Collection[str] = ()
    order_id: str | None = None
    former_outputs: Mapping[int, Path] = dataclasses.field(default_factory=dict)

    def output_of(self, number: int) -> Path:
        """Return an output folder by its number; this plan's own may hold its first results only since just now."""
        return self.output if number == self.output_root else self.former_outputs[number]


def planned_before(ledger: Ledger, output: Path) -> list[Path]:
    """Return the folders whose photos own results, or wait for them, in an output folder."""
    with ledger.reading() as connection:
        return [ledger.absolute(path) for path in folders.photo_roots(connection, ledger.relative(output))]


def enter(ledger: Ledger, run_id: str, request: Request) -> Roots:
    """Enter the folders of a plan into the ledger, and with ``force`` the order to pay again."""
    settings = request.settings
    with ledger.transaction(run_id) as tx:
        photo_root = folders.id_of(tx, ledger.relative(request.photos))
        output_root = folders.id_of(tx, ledger.relative(request.output))
        background_root = (
            folders.id_of(tx, ledger.relative(request.backgrounds)) if request.backgrounds is not None else None
        )
        # While this plan is made, the pool brings some of them theirs: those are results of this run.
        awaited = outputs.awaiting(tx.connection, output_root)
        order_id = orders.take(tx, order_text(settings), anew=settings.again) if settings.force else None
        if order_id and orders.was_begun(tx.connection, order_id):
            log.warning("continuing an earlier --force that is not finished; --again starts over")
        former = {number: ledger.absolute(path) for number, path in folders.output_roots(tx.connection).items()}
    return Roots(request.photos, photo_root, request.output, output_root, background_root, awaited, order_id, former)
