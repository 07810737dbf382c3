"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "assets",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "recipe", name=op.f("pk_assets")),
    )
    op.create_table(
        "balances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balances")),
    )
    op.create_table(
        "credit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.CheckConstraint("bucket IN ('reserved', 'unresolved') OR amount > 0", name=op.f("ck_credit_entries_gross")),
        sa.CheckConstraint(
            "bucket IN ('reserved', 'unresolved', 'charged', 'refunded')", name=op.f("ck_credit_entries_bucket")
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_credit_entries_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entries")),
    )
    op.create_index(op.f("ix_credit_entries_job_id"), "credit_entries", ["job_id"], unique=False)
    op.create_table(
        "credit_totals",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "bucket IN ('reserved', 'unresolved', 'charged', 'refunded')", name=op.f("ck_credit_totals_bucket")
        ),
        sa.CheckConstraint("scope IN ('total', 'run', 'day', 'month')", name=op.f("ck_credit_totals_scope")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_credit_totals_amount")),
        sa.PrimaryKeyConstraint("scope", "period", "bucket", name=op.f("pk_credit_totals")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("old_state", sa.Text(), nullable=True),
        sa.Column("new_state", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_job_id"), "events", ["job_id"], unique=False)
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folders")),
        sa.UniqueConstraint("path", name=op.f("uq_folders_path")),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "prices",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_prices")),
    )
    op.create_table(
        "outputs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("photo_folder_id", sa.Integer(), nullable=False),
        sa.Column("photo_path", PATH, nullable=False),
        sa.Column("wanted_job_id", sa.Text(), nullable=True),
        sa.Column("saved_job_id", sa.Text(), nullable=True),
        sa.Column("saved_photo_sha256", sa.Text(), nullable=True),
        sa.Column("saved_sha256", sa.Text(), nullable=True),
        sa.Column("saved_bytes", sa.BigInteger(), nullable=True),
        sa.Column("saved_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["folder_id"], ["folders.id"], name=op.f("fk_outputs_folder_id")),
        sa.ForeignKeyConstraint(["photo_folder_id"], ["folders.id"], name=op.f("fk_outputs_photo_folder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outputs")),
        sa.UniqueConstraint("folder_id", "path", name=op.f("uq_outputs_folder_id_path")),
        sa.UniqueConstraint(
            "folder_id", "photo_folder_id", "photo_path", name=op.f("uq_outputs_folder_id_photo_folder_id_photo_path")
        ),
    )
    op.create_index(op.f("ix_outputs_folder_id_photo_path"), "outputs", ["folder_id", "photo_path"], unique=False)
    op.create_index(
        op.f("ix_outputs_folder_id_saved_photo_sha256"), "outputs", ["folder_id", "saved_photo_sha256"], unique=False
    )
    op.create_index(op.f("ix_outputs_wanted_job_id"), "outputs", ["wanted_job_id"], unique=False)
    lacking = sa.text("wanted_job_id IS NOT NULL AND saved_job_id IS DISTINCT FROM wanted_job_id")
    if op.get_bind().dialect.name == "sqlite":
        lacking = sa.text("wanted_job_id IS NOT NULL AND saved_job_id IS NOT wanted_job_id")
    op.create_index(
        "ix_outputs_lacking",
        "outputs",
        ["wanted_job_id"],
        unique=False,
        sqlite_where=lacking,
        postgresql_where=lacking,
    )
    op.create_table(
        "photos",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("extension", sa.Text(), nullable=False),
        sa.Column("normalise", sa.Text(), nullable=False),
        sa.Column("rejected", sa.Text(), nullable=False),
        sa.Column("rejected_run_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["folder_id"], ["folders.id"], name=op.f("fk_photos_folder_id")),
        sa.PrimaryKeyConstraint("folder_id", "path", name=op.f("pk_photos")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("cap_credits", sa.Integer(), nullable=True),
        sa.Column("base_url", sa.Text(), server_default="", nullable=False),
        sa.Column("account", sa.Text(), server_default="", nullable=False),
        sa.Column("photo_folder_id", sa.Integer(), nullable=True),
        sa.Column("output_folder_id", sa.Integer(), nullable=True),
        sa.Column("scanned", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("seen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ignored", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["output_folder_id"], ["folders.id"], name=op.f("fk_runs_output_folder_id")),
        sa.ForeignKeyConstraint(["photo_folder_id"], ["folders.id"], name=op.f("fk_runs_photo_folder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_budget_id"), "runs", ["budget_id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="", nullable=False),
        sa.Column("photo_sha256", sa.Text(), nullable=False),
        sa.Column("background_sha256", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("output_id", sa.Integer(), nullable=False),
        sa.Column("background_folder_id", sa.Integer(), nullable=True),
        sa.Column("background_path", PATH, server_default="", nullable=False),
        sa.Column("treatment", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("distortion", sa.Integer(), server_default="0", nullable=False),
        sa.Column("blur", sa.Integer(), server_default="0", nullable=False),
        sa.Column("excess", sa.Integer(), server_default="0", nullable=False),
        sa.Column("replace", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("credits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("budget_run_id", sa.Text(), server_default="", nullable=False),
        sa.Column("budget_day", sa.Text(), server_default="", nullable=False),
        sa.Column("budget_month", sa.Text(), server_default="", nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("remark", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("submitted_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'submitting', 'rendering', 'downloading', 'done', 'failed', 'canceled', 'unresolved')",
            name=op.f("ck_jobs_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('rendering', 'downloading', 'done') OR project_id IS NOT NULL", name=op.f("ck_jobs_paid")
        ),
        sa.CheckConstraint("treatment IN ('none', 'as-is', 'fit')", name=op.f("ck_jobs_treatment")),
        sa.CheckConstraint("credits >= 0", name=op.f("ck_jobs_credits")),
        sa.ForeignKeyConstraint(["background_folder_id"], ["folders.id"], name=op.f("fk_jobs_background_folder_id")),
        sa.ForeignKeyConstraint(["output_id"], ["outputs.id"], name=op.f("fk_jobs_output_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint(
            "photo_sha256",
            "background_sha256",
            "generation",
            name=op.f("uq_jobs_photo_sha256_background_sha256_generation"),
        ),
    )
    op.create_index(op.f("ix_jobs_output_id"), "jobs", ["output_id"], unique=False)
    op.create_index(op.f("ix_jobs_project_id"), "jobs", ["project_id"], unique=False)
    op.create_index(op.f("ix_jobs_run_id"), "jobs", ["run_id"], unique=False)
    op.create_index(op.f("ix_jobs_state_created_at"), "jobs", ["state", "created_at"], unique=False)
