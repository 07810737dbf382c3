import contextlib
import enum
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from batchbg.core.budget import Bucket, Scope
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Treatment
from batchbg.core.price import Verdict
from batchbg.core.review import ReviewVerdict
from batchbg.disk import files
from batchbg.errors import ConfigError, ExitCode
from batchbg.ledger import engine, jobs, migrate, sqlite
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.tables import metadata

from .support import open_at, other_program, planned, url_of

BEFORE = engine.HEAD

CHECKED: dict[tuple[str, str], type[enum.StrEnum]] = {
    ("jobs", "state"): JobState,
    ("jobs", "treatment"): Treatment,
    ("credit_entries", "bucket"): Bucket,
    ("credit_totals", "bucket"): Bucket,
    ("credit_totals", "scope"): Scope,
    ("odd_prices", "verdict"): Verdict,
    ("reviews", "verdict"): ReviewVerdict,
}
"""Columns that hold nothing but an enum's values."""


def shape(found: sa.Engine) -> dict[str, object]:
    """Everything that reflection tells of a database's tables, in a form that can be compared."""
    inspector = sa.inspect(found)
    tables: dict[str, object] = {}
    for name in inspector.get_table_names():
        if name == "alembic_version":
            continue
        columns: list[Any] = list(inspector.get_columns(name))
        tables[name] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"], column.get("primary_key"))
                for column in columns
            },
            "primary key": inspector.get_pk_constraint(name),
            "unique": sorted((str(one["name"]), one["column_names"]) for one in inspector.get_unique_constraints(name)),
            "indexes": sorted(
                (str(one["name"]), one["column_names"], one["unique"]) for one in inspector.get_indexes(name)
            ),
            "checks": sorted(
                (str(one["name"]), " ".join(one["sqltext"].split())) for one in inspector.get_check_constraints(name)
            ),
            "foreign keys": sorted(
                (str(one["name"]), one["constrained_columns"], one["referred_table"], one["referred_columns"])
                for one in inspector.get_foreign_keys(name)
            ),
        }
    return tables


@pytest.fixture
def from_models(request, kept_in, tmp_path) -> Iterator[sa.Engine]:
    """A database made from the models, without a migration."""
    is_a_file = kept_in == "sqlite"
    made = sa.create_engine(url_of(tmp_path / "models.db") if is_a_file else request.getfixturevalue("postgres").new())
    metadata.create_all(made)
    yield made
    made.dispose()


def test_migrations_from_zero_equal_the_models(ledger, from_models):
    """Columns, defaults, keys, indexes, unique and CHECK constraints are the same either way."""
    migrated, modelled = shape(ledger.engine), shape(from_models)
    assert migrated.keys() == modelled.keys()
    for table in modelled:
        assert migrated[table] == modelled[table], table


def test_alembic_sees_nothing_left_to_migrate(ledger):
    """What `alembic revision --autogenerate` would write is empty."""
    with ledger.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize(("where", "values"), CHECKED.items())
def test_check_constraints_agree_with_the_enums(ledger, where, values):
    """Alembic does not compare them, so a state that is new in Python alone would be refused by the database."""
    table, column = where
    checks = {one["name"]: one["sqltext"] for one in sa.inspect(ledger.engine).get_check_constraints(table)}
    text = str(checks[f"ck_{table}_{column}"])
    assert text.startswith((f"{column} IN (", f"{column} = ANY ("))  # as SQLite and PostgreSQL put it
    assert sorted(re.findall(r"'([^']*)'", text)) == sorted(one.value for one in values)


def test_every_column_that_holds_an_enum_is_checked():
    """A new one has to be added to the table above."""
    listed = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if any(
            str(one.name) == f"ck_{table.name}_{column.name}" and " IN (" in str(one.sqltext) for one in checks(table)
        )
    }
    assert listed == set(CHECKED)


def checks(table: sa.Table) -> list[sa.CheckConstraint]:
    return [one for one in table.constraints if isinstance(one, sa.CheckConstraint)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE jobs SET state = 'rendering'",
        "UPDATE jobs SET state = 'done'",
        "UPDATE jobs SET state = 'elsewhere'",
        "UPDATE jobs SET credits = -1",
        "INSERT INTO credit_totals VALUES ('total', '', 'charged', -1)",
        "INSERT INTO credit_totals VALUES ('week', '', 'charged', 1)",
        "INSERT INTO credit_entries (at, job_id, attempt, run_id, day, month, bucket, amount)"
        " VALUES (0, 'j', 1, 'r', 'd', 'm', 'charged', -1)",
        "INSERT INTO credit_entries (at, job_id, attempt, run_id, day, month, bucket, amount)"
        " VALUES (0, 'j', 1, 'r', 'd', 'm', 'reserved', 0)",
        "UPDATE jobs SET output_id = 999",
    ],
)
def test_the_database_itself_refuses_nonsense(ledger, path, statement):
    """A paid state without a project id, negative sums, a charge that falls: by whatever program."""
    planned(ledger, "a.jpg")
    with other_program(path) as connection, pytest.raises(sa.exc.IntegrityError):
        connection.exec_driver_sql(statement)


def test_head_is_the_newest_migration():
    """Opening a ledger does not import Alembic; so the name stands in the code as well."""
    config = Config()
    config.set_main_option("script_location", str(migrate.scripts_folder()))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [engine.HEAD]


def test_opening_is_idempotent(tmp_path):
    """A second opening changes no byte of the schema and loses no row."""
    file = tmp_path / "batchbg.db"
    first = open_at(file)
    planned(first, "a.jpg")
    before = shape(first.engine)
    first.close()
    second = open_at(file)
    assert shape(second.engine) == before
    with second.reading() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM jobs")) == 1
        assert engine.schema_version(connection) == engine.HEAD
    second.close()
    assert [one.name for one in tmp_path.glob("*before*")] == []


@pytest.mark.in_a_file
def test_a_ledger_from_a_newer_version_is_refused(ledger, path):
    """With exit code 2, the file's name and what to do; it stays as it is."""
    with ledger.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for opening in (open_ledger, engine.open_to_read):
        with pytest.raises(ConfigError, match="newer batchbg") as caught:
            opening(url_of(path))
        assert caught.value.exit_code is ExitCode.USAGE
        assert f"{path} was written" in str(caught.value)


@pytest.fixture
def next_version(tmp_path, monkeypatch):
    """A batchbg that has one more migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.scripts_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    newest = folder / "versions" / "9999_next.py"
    newest.write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '9999'\ndown_revision = '{engine.HEAD}'\n"
        "def upgrade():\n    op.create_table('more', sa.Column('id', sa.Integer(), primary_key=True))\n"
    )
    monkeypatch.setattr(migrate, "scripts_folder", lambda: folder)
    monkeypatch.setattr(engine, "HEAD", "9999")
    return newest


@pytest.mark.in_a_file
def test_an_older_ledger_is_backed_up_and_brought_up_to_date(ledger, path, next_version):
    """The copy holds everything, also what was only in the write-ahead log."""
    (job,) = planned(ledger, "a.jpg")
    ledger.close()
    upgraded = open_at(path)
    assert sa.inspect(upgraded.engine).has_table("more")
    upgraded.close()
    (backup,) = path.parent.glob("batchbg.db.before*")
    copy = sqlite3.connect(backup)
    assert copy.execute("SELECT id FROM jobs").fetchall() == [(job.id,)]
    assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [(BEFORE,)]
    copy.close()


@pytest.mark.in_a_file
def test_who_only_looks_brings_nothing_up_to_date(ledger, path, next_version):
    """A run of the older version may be at work on it, and could no longer write what it is told."""
    (job,) = planned(ledger, "a.jpg")
    looking = engine.open_to_read(url_of(path))
    assert sa.inspect(looking.engine).has_table("more")
    with looking.reading() as connection:
        assert [one.id for one in jobs.in_states(connection, [JobState.PLANNED])] == [job.id]
    assert looking.path == path
    looking.close()
    assert not list(path.parent.glob("*.before*"))
    with ledger.reading() as connection:
        assert engine.schema_version(connection) == BEFORE


@pytest.mark.in_a_file
def test_who_comes_second_leaves_the_copy_of_the_first(ledger, path, next_version, monkeypatch):
    """Both saw an older ledger; a copy put aside after the first is done would hold nothing older."""
    planned(ledger, "a.jpg")
    ledger.close()
    others: list[threading.Thread] = []

    def overtaken(backup: Path) -> Any:
        if not others:
            others.append(threading.Thread(target=lambda: open_at(path).close()))
            others[0].start()
            others[0].join(0.5)  # where it is let through, it is done before this one goes on
        return files.create(backup)

    monkeypatch.setattr(sqlite, "create", overtaken)
    open_at(path).close()
    others[0].join()
    (backup,) = path.parent.glob("batchbg.db.before*")
    with contextlib.closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [(BEFORE,)]


@pytest.mark.in_a_file
def test_a_backup_is_whole_while_others_have_the_ledger_open(ledger, path, next_version):
    """A reading command may run at the same time; its connection keeps the write-ahead log alive."""
    (job,) = planned(ledger, "a.jpg")
    upgraded = open_at(path)
    upgraded.close()
    (backup,) = path.parent.glob("batchbg.db.before*")
    copy = sqlite3.connect(backup)
    assert copy.execute("SELECT id FROM jobs").fetchall() == [(job.id,)]
    copy.close()


@pytest.mark.in_a_file
def test_a_migration_that_fails_leaves_the_ledger_as_it_was(ledger, path, next_version):
    """All of it is one transaction."""
    planned(ledger, "a.jpg")
    ledger.close()
    next_version.write_text(next_version.read_text() + "    raise RuntimeError('half way')\n")
    with pytest.raises(RuntimeError, match="half way"):
        open_at(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(BEFORE,)]
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'more'").fetchall() == []
    connection.close()


def test_a_ledger_of_the_first_version_keeps_what_it_knows(tmp_path):
    """What it counts was told by the service, but for what is lost; a render it saw complete can be had for nothing."""
    path = tmp_path / "first.db"
    engine_then = sa.create_engine(url_of(path))
    with engine_then.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO folders VALUES (1, 'photos'), (2, 'output')")
        for number, (state, credits, happened) in enumerate(
            [
                ("done", 5, ("reserved", "created", "complete", "done")),
                ("failed", 0, ("reserved", "created", "complete", "unusable")),
                ("failed", 5, ("reserved", "created", "complete", "unusable", "retry", "reserved", "created", "ended")),
                ("unresolved", 5, ("reserved", "answer lost")),
                ("planned", 0, ()),
            ]
        ):
            connection.exec_driver_sql(
                f"INSERT INTO outputs (id, folder_id, path, photo_folder_id, photo_path)"
                f" VALUES ({number}, 2, '{number}.png', 1, '{number}.jpg')"
            )
            connection.exec_driver_sql(
                "INSERT INTO jobs (id, state, photo_sha256, background_sha256, output_id, treatment, width, height,"
                f" credits, project_id, run_id, created_at, updated_at) VALUES ('job{number}', '{state}', 'p{number}', '',"
                f" {number}, 'none', 1, 1, {credits}, 'project{number}', 'run', 1, 1)"
            )
            for kind in happened:
                connection.exec_driver_sql(
                    f"INSERT INTO events (at, run_id, job_id, kind) VALUES (1, 'run', 'job{number}', '{kind}')"
                )
    engine_then.dispose()
    upgraded = open_at(path)
    with upgraded.reading() as connection:
        rows = connection.exec_driver_sql("SELECT state, credits, charged, rendered FROM jobs ORDER BY id").fetchall()
    upgraded.close()
    assert [tuple(row) for row in rows] == [
        ("done", 5, 5, 1),
        ("failed", 0, 0, 1),
        ("failed", 5, 5, 0),
        ("unresolved", 5, 0, 0),
        ("planned", 0, 0, 0),
    ]
    assert [one.name for one in path.parent.glob("*.before-*")] == [f"{path.name}.before-{engine.HEAD}"]


@pytest.mark.parametrize("version", ["0001", "0002"])
def test_an_older_ledger_has_all_tables_after_it_was_opened(tmp_path, version):
    """Each version of the schema was somebody's ledger: what came after it is added, and nothing else changes."""
    path = tmp_path / "older.db"
    then = sa.create_engine(url_of(path))
    with then.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    then.dispose()
    upgraded = open_at(path)
    with upgraded.reading() as connection:
        found = set(sa.inspect(connection).get_table_names())
        assert engine.schema_version(connection) == engine.HEAD
    upgraded.close()
    assert found == set(metadata.tables) | {"alembic_version"}
