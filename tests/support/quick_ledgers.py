"""What hundreds of tests would do anew for each ledger, done once a process: migrating from nothing, compiling statements."""

import functools
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchbg.ledger import engine, migrate, sqlite

_migrate_step_by_step = migrate.run_migrations
_open_engine = sqlite.make_engine
_compiled: dict[Any, Any] = {}
_dialects: list[sa.Dialect] = []


def copy_or_migrate(connection: sa.Connection) -> None:
    """Stand in for ``migrate.run_migrations``; an older ledger is migrated as by everybody."""
    if engine.schema_version(connection) is not None or connection.dialect.name != "sqlite":
        return _migrate_step_by_step(connection)
    for statement in _as_migrated(migrate.scripts_folder()):
        connection.exec_driver_sql(statement)


@functools.cache
def _as_migrated(_scripts: Path) -> list[str]:
    """The statements that make a new ledger, as the migrations of a folder leave it."""
    made = sa.create_engine("sqlite://")
    with made.begin() as connection:
        _migrate_step_by_step(connection)
        assert connection.connection.driver_connection is not None
        statements: list[str]
        _begin, *statements, _commit = connection.connection.driver_connection.iterdump()
    made.dispose()
    return statements


def open_engine(*where: Any) -> sa.Engine:
    """Stand in for ``sqlite.make_engine``, with what was compiled for earlier ones; a command has one, tests hundreds."""
    made = _open_engine(*where)
    if not _dialects:
        _dialects.append(made.dialect)
    made.dialect = _dialects[0]  # what was compiled for one dialect is of no use to another
    made.update_execution_options(compiled_cache=_compiled)
    return made
