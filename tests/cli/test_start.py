"""What a command imports before it knows that it needs it: a start costs time at every press of Enter, and at night."""

import subprocess
import sys

import pytest

from batchbg.cli.commands.ledger import TABLES
from batchbg.ledger import export
from tests.support.shop import Shop
from tests.support.tiers import rest_slow

DECODERS = {"PIL", "pillow_heif"}
NOT_NEEDED = DECODERS | {
    "sqlalchemy",
    "httpx",
    "alembic",
    "asyncio",
    "pathspec",
    "tqdm",
    "jinja2",
    "starlette",
    "subprocess",
    "tomllib",
    "zoneinfo",
    "batchbg.pipeline",
    "batchbg.settings.loading",
}


def output_of(shop: Shop, program: str, *arguments: str) -> list[str]:
    """Return the lines that a Python program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=shop.folder,
        env=shop.environ(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def imported(shop: Shop, *arguments: str) -> set[str]:
    """Return the modules that a command has imported at its end."""
    program = "import sys\nfrom batchbg.cli import main\ntry: main()\nfinally: print('\\n', *sys.modules)"
    return set(output_of(shop, program, *arguments)[-1].split())


@pytest.mark.parametrize("arguments", rest_slow(["--version", "--help", "init new"]))
def test_what_needs_no_settings_opens_nothing(shop: Shop, arguments: str):
    """Databases, the network and pictures are for commands that do something."""
    assert imported(shop, *arguments.split()).isdisjoint(NOT_NEEDED)


def test_no_commands_help_opens_anything(shop: Shop):
    """All of them one after the other, so that the first which imports too much is named."""
    program = """
import contextlib, io, sys
from batchbg.cli import COMMANDS, group
for name in COMMANDS:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        group.main([name, "--help"], standalone_mode=False)
    print(name, "Usage:" in shown.getvalue(), *sys.modules)
"""
    lines = [line.split() for line in output_of(shop, program)]
    assert len(lines) > 15
    for name, is_shown, *modules in lines:
        assert (name, is_shown, NOT_NEEDED & set(modules)) == (name, "True", set())


def test_what_can_be_exported_is_named_without_opening_a_database():
    """The names that --help shows are those of the tables that can be exported."""
    assert tuple(export.TABLES) == TABLES


@pytest.mark.slow
def test_no_decoder_is_loaded_beside_the_key(shop: Shop):
    """Pictures are decoded in processes of their own, and nowhere else."""
    modules = "batchbg.pipeline, batchbg.run.service, batchbg.report.page, batchbg.cli.planned"
    (line,) = output_of(shop, f"import sys, {modules}\nprint(*sys.modules)")
    assert "batchbg.disk.decoding" in line.split()
    assert DECODERS.isdisjoint(line.split())


@pytest.mark.slow
def test_a_run_with_nothing_to_do_needs_no_service(shop: Shop):
    """It opens the ledger, and looks at the folder."""
    shop.some_photos(2)
    first = imported(shop, *shop.arguments("run", "--yes"))
    assert "batchbg.pool.pool" in first
    assert first.isdisjoint(DECODERS)
    found = imported(shop, *shop.arguments("run", "--yes"))
    assert "sqlalchemy" in found
    assert found.isdisjoint(
        DECODERS
        | {
            "sqlalchemy.dialects.postgresql",
            "httpx",
            "batchbg.pool.pool",
            "pathspec",
            "pathvalidate",
            "tqdm",
            "alembic",
            "jinja2",
            "starlette",
            "cv2",
        }
    )
