"""Uploads that the service still keeps, by what was uploaded."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from batchbg.ledger.sql import Statement, upsert
from batchbg.ledger.tables import assets, photos
from batchbg.ledger.transaction import Tx


def find(connection: sa.Connection, accounts: Sequence[str], recipe: str, newer_than: float) -> str | None:
    """Return the service's path of an uploaded file, or None where it has none that is recent enough."""
    path: str | None = _RECENT.value(connection, accounts=accounts, of_recipe=recipe, newer_than=newer_than)
    return path


_RECENT: Final = Statement(
    sa.select(assets.c.file_path)
    .where(
        assets.c.account.in_(sa.bindparam("accounts", expanding=True)),
        assets.c.recipe == sa.bindparam("of_recipe"),
        assets.c.uploaded_at > sa.bindparam("newer_than"),
    )
    .order_by(assets.c.uploaded_at.desc())
    .limit(1),
    of="accounts",
)


def uploaded(tx: Tx, account: str, recipe: str, file_path: str, size: int) -> None:
    """Remember an upload."""
    _UPLOADED.run(tx.connection, account=account, recipe=recipe, file_path=file_path, bytes=size, uploaded_at=tx.at)


_UPLOADED: Final = upsert(assets, "file_path", "bytes", "uploaded_at")


def forget(tx: Tx, recipe: str, file_path: str) -> None:
    """Drop an upload that the service does not know any more."""
    tx.connection.execute(sa.delete(assets).where(assets.c.recipe == recipe, assets.c.file_path == file_path))


def forget_contents(tx: Tx, contents: Sequence[str], before: float) -> None:
    """Drop every upload of these contents (sha256), in whatever form, that was made before a time."""
    same = sa.select(photos.c.sha256).where(photos.c.key.in_(contents)).distinct()
    for content in {*contents, *tx.connection.scalars(same)}:
        tx.connection.execute(
            sa.delete(assets).where(
                (assets.c.recipe == content) | assets.c.recipe.startswith(f"{content} ", autoescape=True),
                assets.c.uploaded_at <= before,
            )
        )
