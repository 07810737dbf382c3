"""What holds for every test: how made-up examples are made up, whose settings there are, how ledgers are made and opened.

Examples are the same ones in every run, at any speed.

A change is judged by what it does, not by the examples that chance chose for it or by how busy the machine was. To
search for new ones: ``pytest --hypothesis-profile=search``; what it finds becomes an ``@example``.
"""

import functools
import itertools
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from batchbg.ledger import engine, migrate

SLOWNESS = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=SLOWNESS)
settings.register_profile("search", deadline=None, suppress_health_check=SLOWNESS, print_blob=True)
settings.load_profile("same")

_homes = itertools.count()


@pytest.fixture(scope="session")
def _all_homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def own_settings(_all_homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the settings of whoever runs batchbg, in the place of the one who runs the tests; not made yet."""
    home = _all_homes / str(next(_homes))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setattr("batchbg.settings.trust._home_by_name", lambda: "")
    return home / "batchbg"


migrate_step_by_step = migrate.run_migrations


@functools.cache
def _as_migrated(scripts: Path) -> list[str]:
    """The statements that make a new ledger, as the migrations of a folder leave it."""
    made = sa.create_engine("sqlite://")
    with made.begin() as connection:
        migrate_step_by_step(connection)
        assert connection.connection.driver_connection is not None
        statements: list[str]
        _begin, *statements, _commit = connection.connection.driver_connection.iterdump()
    made.dispose()
    return statements


def _copy_or_migrate(connection: sa.Connection) -> None:
    if engine.schema_version(connection) is not None:
        return migrate_step_by_step(connection)
    for statement in _as_migrated(migrate.scripts_folder()):
        connection.exec_driver_sql(statement)


@pytest.fixture(autouse=True)
def new_ledgers_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrate from nothing once a process, and copy the outcome from then on: hundreds of tests need a new ledger."""
    monkeypatch.setattr(migrate, "run_migrations", _copy_or_migrate)


_open_engine = engine._engine
_dialect: list[sa.Dialect] = []
_compiled: dict[Any, Any] = {}


def _open_engine_with_statements_compiled(*where: Any) -> sa.Engine:
    made = _open_engine(*where)
    if not _dialect:
        _dialect.append(made.dialect)
    made.dialect = _dialect[0]  # what was compiled for one dialect is of no use to another
    made.update_execution_options(compiled_cache=_compiled)
    return made


@pytest.fixture(autouse=True)
def statements_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share what SQLAlchemy makes of a statement among the ledgers of a process: a command has one, tests hundreds."""
    monkeypatch.setattr(engine, "_engine", _open_engine_with_statements_compiled)
