"""A throwaway PostgreSQL: its own folder, a socket and no port, and as another user where the tests run as root."""

import contextlib
import functools
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.privileges import NOBODY

PORT: Final = 5432
"""Of the socket's name: nothing listens on a network."""

USER: Final = "batchbg"

_numbers = itertools.count()


@functools.cache
def binaries() -> Path | None:
    """Where the server's programs are; None where there are none, or too old ones."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr/pgsql").glob("*/bin")]
    if initdb := shutil.which("initdb"):
        found.append(Path(initdb).resolve().parent)
    able = [one for one in found if (one / "initdb").exists() and (one / "pg_ctl").exists()]
    return max(able, key=_version, default=None)


def _version(folder: Path) -> int:
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)", told)
    return int(found[1]) if found else 0


def why_none() -> str:
    """Why there is no server to be had here; "" where there is one."""
    folder = binaries()
    if folder is None:
        return "no PostgreSQL server is installed (Debian: apt-get install postgresql-15)"
    if _version(folder) < 15:
        return f"{folder} is older than PostgreSQL 15"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed: pip install 'batchbg[postgres]'"
    return ""


class PostgresServer:
    """One cluster, which goes when it is closed."""

    def __init__(self, *, durable: bool = False) -> None:
        """Make it and start it.

        Args:
            durable: with fsync, for what is about crashes of the machine; else it is quicker.
        """
        found = binaries()
        assert found is not None
        self._bin = found
        self._folder = tempfile.TemporaryDirectory(prefix="pg-")
        self.folder = Path(self._folder.name)
        self.data = self.folder / "data"
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        # Sorted as people sort: what relies on the order of bytes says so.
        self.do("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync",
                "--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8")  # fmt: skip
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.folder}'",
            "fsync": "on" if durable else "off",
            "full_page_writes": "on" if durable else "off",
            "shared_buffers": "'32MB'",
            "max_connections": "200",
            "log_min_messages": "fatal",
            "autovacuum": "off",
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self.start()

    def do(self, program: str, *arguments: str) -> str:
        """Run one of the server's programs as its user."""
        user = NOBODY if os.geteuid() == 0 else None
        done = subprocess.run(
            [self._bin / program, *arguments],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        # A log, for who starts it would wait for the end of what it has inherited.
        self.do("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        self.do("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def restart(self, away_s: float = 0.0) -> None:
        """Crash it, and start it again."""
        self.stop()
        time.sleep(away_s)
        self.start()

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}&port={PORT}"

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement past every line of batchbg."""
        import psycopg

        where = f"host={self.folder} port={PORT} user={USER} dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def new(self, template: str = "template0") -> str:
        """Make a database; return its URL."""
        name = f"test_{next(_numbers)}"
        options = " ENCODING 'UTF8'" if template == "template0" else ""
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}{options}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever still uses it."""
        name = url.partition("@/")[2].partition("?")[0]
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @contextlib.contextmanager
    def replica(self) -> Iterator[Path]:
        """Have a second server take what this one has; yield the folder of its socket."""
        with tempfile.TemporaryDirectory(prefix="pg-") as made:
            folder = Path(made)
            if os.geteuid() == 0:
                os.chown(folder, NOBODY, NOBODY)
            data = folder / "data"
            self.do("pg_basebackup", "-h", str(self.folder), "-p", str(PORT), "-U", USER, "-D", str(data), "-R",
                    "-X", "stream", "-c", "fast", "--no-sync")  # fmt: skip
            with (data / "postgresql.conf").open("a") as file:
                file.write(f"unix_socket_directories = '{folder}'\n")
            self.do("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "start")
            try:
                yield folder
            finally:
                self.do("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")

    def close(self) -> None:
        with contextlib.suppress(AssertionError, OSError):
            self.stop()
        with contextlib.suppress(OSError, ValueError):  # it did not heed that
            os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        self._folder.cleanup()


@contextlib.contextmanager
def running(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Yield a server; where there is none to be had, skip and say why."""
    if why := why_none():
        pytest.skip(why)
    server = PostgresServer(durable=durable)
    try:
        yield server
    finally:
        server.close()
