"""Running the migrations, from a checkout or from an installed wheel, without an alembic.ini."""

import threading
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

_PACKAGE: Final = Path(__file__).resolve().parents[1]


def scripts_folder() -> Path:
    """Return the migrations: inside the package where a wheel put them, beside it in a checkout."""
    inside = _PACKAGE / "migrations"
    return inside if inside.is_dir() else _PACKAGE.parent / "migrations"


_turn: Final = threading.Lock()
"""Alembic keeps what it is at in its modules: one ledger at a time, however many threads make one."""


def run_migrations(connection: sa.Connection) -> None:
    """Bring the schema up to date in the transaction that ``connection`` has open."""
    config = _config()
    config.attributes["connection"] = connection
    with _turn:
        command.upgrade(config, "head")


def is_known(version: str) -> bool:
    """Return whether this batchbg has that migration."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(version) is not None
    except CommandError:
        return False


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
