"""Projects to be deleted at the service, verdicts on results, what is done again, and commands that are due."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what is new."""
    op.create_table(
        "deletions",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("wanted_at", sa.Float(), nullable=False),
        sa.Column("deleted_at", sa.Float(), nullable=True),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_deletions_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_deletions")),
    )
    op.create_table(
        "reviews",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.CheckConstraint("verdict IN ('accepted', 'rejected')", name=op.f("ck_reviews_verdict")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_reviews_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_reviews")),
    )
    op.create_table(
        "commands",
        sa.Column("output_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("output_id", name=op.f("pk_commands")),
    )
    op.create_table(
        "previous_results",
        sa.Column("output_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["output_id"], ["outputs.id"], name=op.f("fk_previous_results_output_id")),
        sa.PrimaryKeyConstraint("output_id", "sha256", name=op.f("pk_previous_results")),
    )
    op.add_column("jobs", sa.Column("redo_of", sa.Text(), nullable=True))
