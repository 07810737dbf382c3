"""Prices as they were told, odd prices, orders to pay again, why a job ended, and pictures known by their look."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_CHARGED = """
    UPDATE jobs SET charged = credits WHERE state IN ('rendering', 'downloading', 'done', 'failed', 'canceled')
"""

_RENDERED = """
    UPDATE jobs SET rendered = true WHERE EXISTS (
        SELECT 1 FROM events WHERE events.job_id = jobs.id AND events.kind = 'complete' AND events.id > (
            SELECT coalesce(max(reserved.id), 0) FROM events AS reserved
            WHERE reserved.job_id = jobs.id AND reserved.kind = 'reserved'
        )
    )
"""


def upgrade() -> None:
    """Add what is new; what an older ledger counts was told by the service, and a render it saw complete is one."""
    op.add_column("jobs", sa.Column("charged", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("rendered", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("jobs", sa.Column("error_code", sa.Text(), server_default="", nullable=False))
    op.add_column("jobs", sa.Column("order_id", sa.Text(), nullable=True))
    op.add_column("prices", sa.Column("recorded", sa.Integer(), server_default="0", nullable=False))
    op.add_column("photos", sa.Column("ctime_ns", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("photos", sa.Column("picture", sa.Text(), server_default="", nullable=False))
    op.add_column("photos", sa.Column("key", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "pictures",
        sa.Column("picture", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("picture", name=op.f("pk_pictures")),
    )
    op.create_table(
        "odd_prices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("verdict IN ('', 'accepted', 'dismissed')", name=op.f("ck_odd_prices_verdict")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_odd_prices")),
    )
    op.create_table(
        "force_orders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_force_orders")),
    )
    op.execute(_CHARGED)
    op.execute(_RENDERED)
