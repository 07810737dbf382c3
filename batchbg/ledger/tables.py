"""The ledger's tables. Migrations build them; a test compares the two, and the CHECK constraints with the enums."""

import enum
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.budget import Bucket, Scope
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Treatment
from batchbg.core.price import Verdict
from batchbg.core.review import ReviewVerdict

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_LONE: Final = {0xDC80 + byte: 0x10FF00 + byte for byte in range(0x80)}
_PRIVATE: Final = {private: lone for lone, private in _LONE.items()}


class PathText(sa.types.TypeDecorator[str]):
    """A path as Python has it. Bytes that are no UTF-8 are stored as private characters, for no database takes them."""

    # Byte by byte, whatever language a server sorts in: what lies below a folder is one range of paths.
    impl = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Turn lone surrogates into private characters."""
        return value if value is None or value.isascii() else value.translate(_LONE)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Turn private characters back into lone surrogates."""
        return value if value is None or value.isascii() else value.translate(_PRIVATE)


def one_of(column: str, values: type[enum.StrEnum]) -> sa.CheckConstraint:
    """Return the CHECK that keeps ``column`` to an enum's values."""
    listed = ", ".join(f"'{one.value}'" for one in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def _column(name: str, kind: Any, *constraints: Any, **options: Any) -> sa.Column[Any]:
    options.setdefault("nullable", False)
    return sa.Column(name, kind, *constraints, **options)


meta = sa.Table("meta", metadata, _column("key", sa.Text, primary_key=True), _column("value", sa.Text))
"""What holds for the whole ledger, by the names in ``ledger/meta.py``: what it is for, its id, its zone."""

folders = sa.Table(
    "folders",
    metadata,
    _column("id", sa.Integer, primary_key=True),
    _column("path", PathText, unique=True),
)
"""Roots of photos, backgrounds and outputs: relative to the ledger's own folder where they lie below it."""

runs = sa.Table(
    "runs",
    metadata,
    _column("id", sa.Text, primary_key=True),
    # The run under whose cap this one spends: itself, or the killed run that it continues.
    _column("budget_id", sa.Text, index=True),
    _column("command", sa.Text),
    _column("pid", sa.Integer),
    _column("host", sa.Text),
    _column("started_at", sa.Float),
    _column("ended_at", sa.Float, nullable=True),
    _column("exit_code", sa.Integer, nullable=True),
    _column("cap_credits", sa.Integer, nullable=True),
    _column("base_url", sa.Text, server_default=""),
    _column("account", sa.Text, server_default=""),
    _column("photo_folder_id", sa.ForeignKey("folders.id"), nullable=True),
    _column("output_folder_id", sa.ForeignKey("folders.id"), nullable=True),
    _column("scanned", sa.Boolean, server_default=sa.false()),
    _column("seen", sa.Integer, server_default="0"),
    _column("rejected", sa.Integer, server_default="0"),
    _column("reused", sa.Integer, server_default="0"),
    _column("skipped", sa.Integer, server_default="0"),
    _column("ignored", sa.Integer, server_default="0"),
)
"""One row an invocation that may spend. ``ended_at`` stays NULL where it was killed."""

photos = sa.Table(
    "photos",
    metadata,
    _column("folder_id", sa.ForeignKey("folders.id"), primary_key=True),
    _column("path", PathText, primary_key=True),
    _column("size", sa.BigInteger),
    _column("mtime_ns", sa.BigInteger),
    _column("inode", sa.BigInteger),
    _column("ctime_ns", sa.BigInteger, server_default="0"),
    _column("sha256", sa.Text),
    _column("width", sa.Integer, nullable=True),
    _column("height", sa.Integer, nullable=True),
    _column("extension", sa.Text),
    _column("normalise", sa.Text),
    _column("rejected", sa.Text),
    # What the picture looks like, whatever else the file says; "" where an older version probed it last.
    _column("picture", sa.Text, server_default=""),
    # Under which content jobs are kept for it: its own sha256, or that of the first file with the same picture.
    _column("key", sa.Text, server_default=""),
    # The run that first told of the rejection: only that one's exit code speaks of it.
    _column("rejected_run_id", sa.Text, nullable=True),
)
"""Fingerprints of photos and backgrounds: a file whose size, mtime, inode and ctime are unchanged is not opened again."""

pictures = sa.Table(
    "pictures",
    metadata,
    _column("picture", sa.Text, primary_key=True),
    _column("sha256", sa.Text),
)
"""The first file (sha256) that was seen with each picture. Programs write ratings and places into files; the picture
stays the same, and is paid for once."""

assets = sa.Table(
    "assets",
    metadata,
    _column("account", sa.Text, primary_key=True),
    # What was uploaded: "<sha256>" for a file's own bytes, "<sha256> upright", "<sha256> fit 1200x800" for copies.
    _column("recipe", sa.Text, primary_key=True),
    _column("file_path", sa.Text),
    _column("bytes", sa.BigInteger),
    _column("uploaded_at", sa.Float),
)
"""Files on the service's side; it keeps them for 7 days."""

outputs = sa.Table(
    "outputs",
    metadata,
    _column("id", sa.Integer, primary_key=True),
    _column("folder_id", sa.ForeignKey("folders.id")),
    _column("path", PathText),
    _column("photo_folder_id", sa.ForeignKey("folders.id")),
    _column("photo_path", PathText),
    # Whose result belongs here, and whose is here; the two differ while one is under way.
    _column("wanted_job_id", sa.Text, nullable=True, index=True),
    _column("saved_job_id", sa.Text, nullable=True),
    _column("saved_photo_sha256", sa.Text, nullable=True),
    _column("saved_sha256", sa.Text, nullable=True),
    _column("saved_bytes", sa.BigInteger, nullable=True),
    _column("saved_at", sa.Float, nullable=True),
    sa.UniqueConstraint("folder_id", "path"),
    sa.UniqueConstraint("folder_id", "photo_folder_id", "photo_path"),
    sa.Index(None, "folder_id", "saved_photo_sha256"),
    sa.Index(None, "folder_id", "photo_path"),
)
"""One row an output path: the photo that owns it, for good, and the result it holds."""

LACKING = outputs.c.wanted_job_id.is_not(None) & outputs.c.saved_job_id.is_distinct_from(outputs.c.wanted_job_id)
"""The condition that an output wants a result it does not hold: few do, night after night, of very many."""

# On PostgreSQL too it is the migration that makes it partial: to say so here would load that dialect at every start.
sa.Index("ix_outputs_lacking", outputs.c.wanted_job_id, sqlite_where=LACKING)

jobs = sa.Table(
    "jobs",
    metadata,
    _column("id", sa.Text, primary_key=True),
    _column("version", sa.Integer, server_default="1"),
    _column("state", sa.Text),
    _column("account", sa.Text, server_default=""),
    # The key: what is paid for once. --force makes the next generation.
    _column("photo_sha256", sa.Text),
    _column("background_sha256", sa.Text),
    _column("generation", sa.Integer, server_default="1"),
    _column("output_id", sa.ForeignKey("outputs.id"), index=True),
    _column("background_folder_id", sa.ForeignKey("folders.id"), nullable=True),
    _column("background_path", PathText, server_default=""),
    _column("treatment", sa.Text),
    _column("width", sa.Integer),
    _column("height", sa.Integer),
    _column("distortion", sa.Integer, server_default="0"),
    _column("blur", sa.Integer, server_default="0"),
    _column("excess", sa.Integer, server_default="0"),
    # A person asked for it: the result may take the place of a file the ledger does not know.
    _column("replace", sa.Boolean, server_default=sa.false()),
    _column("attempt", sa.Integer, server_default="0"),
    _column("project_id", sa.Text, nullable=True, index=True),
    # Credits this job's present attempt counts against the caps, and the period they belong to. The service has told
    # of those that are charged; the others are held back until its record is final.
    _column("credits", sa.Integer, server_default="0"),
    _column("charged", sa.Integer, server_default="0"),
    _column("budget_run_id", sa.Text, server_default=""),
    _column("budget_day", sa.Text, server_default=""),
    _column("budget_month", sa.Text, server_default=""),
    # The last run that planned it or took it up.
    _column("run_id", sa.Text, index=True),
    _column("error", sa.Text, server_default=""),
    # The service's word for why a render came to nothing, as long as it is not planned and done anew.
    _column("error_code", sa.Text, server_default=""),
    # The present attempt's render was seen complete: its result can be downloaded free, whatever it counts.
    _column("rendered", sa.Boolean, server_default=sa.false()),
    # The job whose result it is to replace by a person's word; that one's file is kept until this one's is accepted.
    _column("redo_of", sa.Text, nullable=True),
    # The --force order it was last done for.
    _column("order_id", sa.Text, nullable=True),
    _column("remark", sa.Text, server_default=""),
    _column("created_at", sa.Float),
    _column("submitted_at", sa.Float, nullable=True),
    _column("ended_at", sa.Float, nullable=True),
    _column("updated_at", sa.Float),
    # For workers on several machines: whose it is, until when.
    _column("lease_owner", sa.Text, nullable=True),
    _column("lease_until", sa.Float, nullable=True),
    sa.UniqueConstraint("photo_sha256", "background_sha256", "generation"),
    sa.Index(None, "state", "created_at"),
    one_of("state", JobState),
    one_of("treatment", Treatment),
    sa.CheckConstraint("credits >= 0", name="credits"),
    sa.CheckConstraint("state NOT IN ('rendering', 'downloading', 'done') OR project_id IS NOT NULL", name="paid"),
)

previous_results = sa.Table(
    "previous_results",
    metadata,
    _column("output_id", sa.ForeignKey("outputs.id"), primary_key=True),
    _column("sha256", sa.Text, primary_key=True),
    # Whose result it is, unless somebody had changed the file.
    _column("job_id", sa.Text),
    _column("path", PathText),
    _column("bytes", sa.BigInteger),
    _column("at", sa.Float),
)
"""Files that a redo has taken the place of: kept below the output folder until the new result is accepted."""

deletions = sa.Table(
    "deletions",
    metadata,
    _column("job_id", sa.ForeignKey("jobs.id"), primary_key=True),
    _column("wanted_at", sa.Float),
    _column("deleted_at", sa.Float, nullable=True),
    # Why the service did not delete it when it was last asked to, or "".
    _column("trouble", sa.Text, server_default=""),
)
"""Projects that are to be deleted at the service, and those that are: ``rescue`` cannot fetch their results again."""

reviews = sa.Table(
    "reviews",
    metadata,
    _column("job_id", sa.ForeignKey("jobs.id"), primary_key=True),
    _column("verdict", sa.Text),
    # Why, in the person's own words, or "".
    _column("reason", sa.Text, server_default=""),
    _column("at", sa.Float),
    one_of("verdict", ReviewVerdict),
)
"""What a person said of a job's result. A job without a row is undecided."""

commands = sa.Table(
    "commands",
    metadata,
    _column("output_id", sa.Integer, primary_key=True, autoincrement=False),
    _column("job_id", sa.Text),
    _column("due_at", sa.Float),
)
"""Results for which the user's own command is still to be started, or has not ended."""

events = sa.Table(
    "events",
    metadata,
    _column("id", sa.Integer, primary_key=True),
    _column("at", sa.Float),
    _column("run_id", sa.Text),
    # No foreign key: the history of a planned job that was dropped stays.
    _column("job_id", sa.Text, nullable=True, index=True),
    _column("kind", sa.Text),
    _column("old_state", sa.Text, nullable=True),
    _column("new_state", sa.Text, nullable=True),
    _column("detail", sa.Text, server_default=""),
)
"""What happened, in order; only ever appended to. Its last time is the ledger's clock."""

credit_entries = sa.Table(
    "credit_entries",
    metadata,
    _column("id", sa.Integer, primary_key=True),
    _column("at", sa.Float),
    _column("job_id", sa.Text, index=True),
    _column("attempt", sa.Integer),
    _column("run_id", sa.Text),
    _column("day", sa.Text),
    _column("month", sa.Text),
    _column("bucket", sa.Text),
    _column("amount", sa.Integer),
    one_of("bucket", Bucket),
    sa.CheckConstraint("amount <> 0", name="amount"),
    sa.CheckConstraint("bucket IN ('reserved', 'unresolved') OR amount > 0", name="gross"),
)
"""Every movement of credits; only ever appended to. Every credit figure is a sum over it."""

credit_totals = sa.Table(
    "credit_totals",
    metadata,
    _column("scope", sa.Text, primary_key=True),
    _column("period", sa.Text, primary_key=True),
    _column("bucket", sa.Text, primary_key=True),
    _column("amount", sa.Integer),
    one_of("scope", Scope),
    one_of("bucket", Bucket),
    sa.CheckConstraint("amount >= 0", name="amount"),
)
"""The same sums, kept running, so that a reservation costs the same at job 10 and at job 300,000."""

balances = sa.Table(
    "balances",
    metadata,
    _column("id", sa.Integer, primary_key=True),
    _column("at", sa.Float),
    _column("run_id", sa.Text),
    _column("account", sa.Text),
    _column("credits", sa.Integer),
    # Credits this ledger had seen charged, or lost sight of, when the reading was asked for.
    _column("settled", sa.Integer),
)
"""Readings of the account: evidence for `audit`, and what ``keep_balance`` is held against."""

prices = sa.Table(
    "prices",
    metadata,
    _column("account", sa.Text, primary_key=True),
    _column("credits", sa.Integer),
    _column("recorded", sa.Integer, server_default="0"),
)
"""What the last create answer took, and the last project's record, for each account."""

odd_prices = sa.Table(
    "odd_prices",
    metadata,
    _column("id", sa.Integer, primary_key=True),
    _column("at", sa.Float),
    _column("account", sa.Text),
    _column("job_id", sa.Text),
    _column("told", sa.Text),
    _column("verdict", sa.Text, server_default=""),
    one_of("verdict", Verdict),
)
"""Prices that cannot be right by themselves. While one of an account has no verdict, no create leaves for it."""

force_orders = sa.Table(
    "force_orders",
    metadata,
    _column("id", sa.Text, primary_key=True),
    # What was ordered: folders and selection, as JSON. The same request given again goes on with the same order.
    _column("request", sa.Text),
    _column("begun_at", sa.Float),
    _column("ended_at", sa.Float, nullable=True),
)
"""Orders to pay again for what is done."""
