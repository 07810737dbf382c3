import ast
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import batchbg

PACKAGE = Path(batchbg.__file__).parent


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = ("batchbg", *file.relative_to(PACKAGE).with_suffix("").parts)
        if parts[1] in ("migrations", "sample_inputs"):
            continue
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


@functools.cache
def tree(name: str) -> ast.Module:
    """A module's code, read once for all who look at it."""
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@functools.cache
def imports(name: str) -> tuple[str, ...]:
    """Every module that ``name`` imports, anywhere in it, as a dotted name."""
    return tuple(_imports(name))


def _imports(name: str) -> Iterator[str]:
    file = MODULES[name]
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join((*parts[: len(parts) - node.level + 1], *filter(None, [base])))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_below(name: str, *roots: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def users_of(library: str) -> set[str]:
    return {name for name in MODULES if any(is_below(one, library) for one in imports(name))}


def test_the_walk_sees_the_package():
    """A check that looks at nothing would hold for ever."""
    assert {"batchbg", "batchbg.core.create_outcome", "batchbg.ledger.jobs", "batchbg.api.client"} <= set(MODULES)
    assert "batchbg.core.budget.Caps" in set(imports("batchbg.settings.values"))
    assert users_of("httpx")
    assert users_of("sqlalchemy")
    assert users_of("click")


@pytest.mark.parametrize("name", sorted(name for name in MODULES if is_below(name, "batchbg.core")))
def test_core_imports_the_standard_library_and_itself_only(name):
    """Decisions without I/O: they can be tested, and read, without anything else."""
    for one in imports(name):
        own = is_below(one, "batchbg.core", "batchbg.errors")
        assert own or one.partition(".")[0] in sys.stdlib_module_names, f"{name} imports {one}"


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("httpx", ["batchbg.api", "batchbg.sandbox.webhooks"]),
        ("httpcore", ["batchbg.api"]),
        ("h11", ["batchbg.api"]),
        ("sqlalchemy", ["batchbg.ledger"]),
        ("alembic", ["batchbg.ledger"]),
        ("sqlite3", ["batchbg.ledger"]),
        ("click", ["batchbg.cli"]),
        ("starlette", ["batchbg.review", "batchbg.sandbox", "batchbg.webhook"]),
        ("uvicorn", ["batchbg.review", "batchbg.sandbox", "batchbg.serving", "batchbg.webhook"]),
    ],
)
def test_a_library_is_used_in_its_place(library, homes):
    """Requests leave from batchbg/api, databases are opened in batchbg/ledger, flags are read in batchbg/cli."""
    assert {name for name in users_of(library) if not is_below(name, *homes)} == set()


QUERYING = re.compile(
    "select_from|where|outerjoin|order_by|group_by|having|with_only_columns|returning|scalar_subquery"
    "|execute|exec_driver_sql|executemany|executescript|scalars?|mappings|cursor|fetchone|fetchmany|fetchall"
)
"""Methods that build or run SQL, and are called so nowhere else; ``join`` is a string's, too, and never stands alone."""


def sql_in(code: ast.Module) -> list[str]:
    """What of some code queries a database: methods of QUERYING, and columns, as in ``jobs.c.id``."""
    found = []
    for node in ast.walk(code):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"))):
                pass  # NumPy has a where of its own
            case ast.Call(func=ast.Attribute(attr=name)) if QUERYING.fullmatch(name):
                found.append(name)
            case ast.Attribute(value=ast.Attribute(attr="c"), attr=name):
                found.append(f"c.{name}")
    return found


def test_no_sql_outside_the_ledger():
    """Nor is any put together without an import, from a table or a query that somebody handed on."""
    others = [name for name in MODULES if not is_below(name, "batchbg.ledger")]
    assert {name: found for name in others if (found := sql_in(tree(name)))} == {}
    assert [name for name in others if any(is_below(one, "batchbg.ledger.tables") for one in imports(name))] == []


@pytest.mark.parametrize(
    "code",
    [
        "query.where(True)",
        "jobs.join(outputs, on).select().with_only_columns(x)",
        "for row in connection.execute(query): pass",
        "def roots(connection): return set(connection.scalars(query.distinct()))",
        "jobs.c.state",
        "owner = outputs.alias('owner'); owner.c.photo_path.label('owner')",
        "runs.join(folders, folders.c.id == runs.c.output_folder_id)",
    ],
)
def test_a_query_is_seen_however_it_is_put_together(code):
    """By whatever name its table goes."""
    assert sql_in(ast.parse(code))


def test_the_ledger_itself_is_full_of_it():
    """A check that finds nothing there would find nothing anywhere."""
    assert len([name for name in MODULES if sql_in(tree(name))]) > 15
    assert sql_in(ast.parse("', '.join(names); np.where(a, b, c); self.c; os.path.join(a, b)")) == []


@pytest.mark.parametrize("layer", ["core", "ledger", "api", "pool", "disk", "report"])
def test_the_sandbox_is_not_known_to_what_does_the_work(layer):
    """What a rehearsal rehearses must not know that it is one."""
    users = users_of("batchbg.sandbox")
    assert {name for name in users if is_below(name, f"batchbg.{layer}")} == set()


@pytest.mark.slow
def test_the_sandbox_is_the_only_server():
    """What a test needs a server to say, the sandbox can be made to say: a second one would know another service."""
    servers = ("socketserver", "http.server", "wsgiref", "aiohttp", "uvicorn")
    tests = Path(__file__).parent
    found = set()
    for file in tests.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    found |= {(one.name, file) for one in names if is_below(one.name, *servers)}
                case ast.ImportFrom(module=str(module)) if is_below(module, *servers):
                    found.add((module, file))
                case ast.Attribute(attr="accept" | "create_server" | "start_server" as name):
                    found.add((name, file))
    assert found == set()


FLOORS = (
    {"errors", "log_context", "serving"},
    {"core"},
    {"disk"},
    {"api", "ledger", "sandbox", "settings"},
    {"finish", "plan", "pool", "report", "review", "webhook"},
    {"run"},
    {"doctor", "pipeline"},
    {"library", "repair", "watch"},
    {"cli"},
    {"__main__"},
)
"""The rooms of the package from the ground up. Each may use what is on the floors below, and nothing beside it."""


def room(name: str) -> str:
    """Return the room of a module; "" for the package itself, which holds the version that any may tell."""
    return name.split(".")[1] if "." in name else ""


def floor(name: str) -> int:
    (found,) = [number for number, rooms in enumerate(FLOORS) if room(name) in rooms]
    return found


def test_arrows_point_down():
    """Each floor can be read, used and tested without those above it, and no two rooms lean on each other."""
    arrows = [(name, one) for name in MODULES if room(name) for one in imports(name) if one.startswith("batchbg.")]
    known = [(name, one) for name, one in arrows if f"batchbg.{room(one)}" in MODULES and room(one) != room(name)]
    assert len(known) > 300
    assert [(name, one) for name, one in known if floor(one) >= floor(name)] == []


def test_every_room_has_its_floor():
    rooms = {room(name) for name in MODULES} - {""}
    assert rooms == set().union(*FLOORS)
