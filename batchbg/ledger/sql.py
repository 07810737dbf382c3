"""Statements that are compiled once, and what those of several tables share: paths below a folder, upserts."""

import dataclasses
import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

T = TypeVar("T")

Row = tuple[Any, ...]

LENGTHS: Final = (1, 4, 16, 64, 256)
"""Values in an IN list. Each length is a text of its own, so that a list is filled up to the next of them; the longest
is well under the 999 parameters that older SQLite builds take."""

PORTION: Final = 500
"""Rows read at once where there may be very many."""


class Statement:
    """A statement that is compiled once for each kind of database, and run by the driver itself.

    SQLAlchemy writes the SQL, and says how values are stored. To let it run what every job and every photo needs would
    take more than ten times as long as the database does: each time a key of the statement is formed, what was compiled
    is looked up by it, and all that comes is wrapped. Both use one connection, so that a transaction may hold statements
    of either kind, in any order.

    Parameters are given by name; those of an INSERT or UPDATE that says nothing of its values are its columns, too. All
    methods raise SQLAlchemy's errors.
    """

    def __init__(self, construct: Any, *, of: str = "") -> None:
        """Take a statement of SQLAlchemy Core.

        Args:
            construct: the statement, or what makes it for a dialect's name.
            of: the parameter, expanding, that is a list; it may be of any length.
        """
        self._construct = construct
        self._of = of
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}

    def run(self, connection: sa.Connection, /, **values: Any) -> int:
        """Run the statement; return how many rows it has changed."""
        return sum(_driven(connection, _change, one.text, bound) for one, bound in self._calls(connection, values))

    def run_each(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run the statement once for each of ``rows``, which all have the same names."""
        if rows:
            compiled = self._for(connection.dialect, rows[0])
            _driven(connection, _change_each, compiled.text, [compiled.bound(row) for row in rows])

    def all(self, connection: sa.Connection, /, **values: Any) -> list[Row]:
        """Return all rows; those of a long list come piece by piece, each in the statement's order."""
        found: list[Row] = []
        for one, bound in self._calls(connection, values):
            found += one.read(_driven(connection, _fetch, one.text, bound))
        return found

    def column(self, connection: sa.Connection, /, **values: Any) -> list[Any]:
        """Return the first column of all rows."""
        return [row[0] for row in self.all(connection, **values)]

    def first(self, connection: sa.Connection, /, **values: Any) -> Row | None:
        """Return the first of few rows; None where there is none."""
        rows = self.all(connection, **values)
        return rows[0] if rows else None

    def value(self, connection: sa.Connection, /, **values: Any) -> Any:
        """Return the first column of the first of few rows; None where there is none."""
        rows = self.all(connection, **values)
        return rows[0][0] if rows else None

    def stream(self, connection: sa.Connection, /, **values: Any) -> Iterator[Row]:
        """Yield rows of which there may be very many."""
        for one, bound in self._calls(connection, values):
            for rows in _portions(connection, one.text, bound):
                yield from one.read(rows)

    def portions(self, connection: sa.Connection, /, **values: Any) -> Iterator[list[Row]]:
        """Yield rows of which there may be very many, in portions, with values as the driver has them."""
        for one, bound in self._calls(connection, values):
            yield from _portions(connection, one.text, bound)

    def _calls(self, connection: sa.Connection, values: dict[str, Any]) -> "Iterator[tuple[_Compiled, Any]]":
        """Yield what is to be run, with its parameters: once, or for each piece of a list."""
        if not self._of:
            compiled = self._for(connection.dialect, values)
            yield compiled, compiled.bound(values)
            return
        listed = values.pop(self._of)
        for start in range(0, len(listed), LENGTHS[-1]):
            piece = listed[start : start + LENGTHS[-1]]
            compiled = self._for(connection.dialect, values, len(piece))
            yield compiled, compiled.bound(values, piece)

    def _for(self, dialect: sa.Dialect, names: Mapping[str, Any], listed: int = 0) -> "_Compiled":
        length = next(most for most in LENGTHS if most >= listed) if listed else 0
        key = (dialect.name, *names, length)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = self._compile(dialect, list(names), length)
        return found

    def _compile(self, dialect: sa.Dialect, names: list[str], length: int) -> "_Compiled":
        construct = self._construct(dialect.name) if callable(self._construct) else self._construct
        asked: dict[str, Any] = dict.fromkeys(names)
        if length:
            asked[self._of] = [None] * length
        compiled = construct.compile(dialect=dialect, column_keys=list(asked))
        expanded = compiled.construct_expanded_state(asked)
        listed = expanded.parameter_expansion.get(self._of, ())
        binders: dict[str, _Converter] = dict(expanded.processors)
        for name, parameter in compiled.binds.items():
            if bind := parameter.type.dialect_impl(dialect).bind_processor(dialect):
                binders[name] = bind
        readers = [
            (place, read)
            for place, column in enumerate(construct.exported_columns)
            if (read := column.type.dialect_impl(dialect).result_processor(dialect, _FLOAT8))
        ]
        constants = {
            name: binders[name](value) if name in binders else value
            for name, value in expanded.parameters.items()
            if name not in asked and name not in listed
        }
        given = [(name, bind) for name, bind in binders.items() if name in names or name in listed]
        return _Compiled(expanded.statement, constants, listed, given, readers)


_FLOAT8: Final = 701
"""PostgreSQL's number of the one type with a point that the tables have, which its dialect wants to know; see its
pg_type.dat. Others look at none."""

_Converter = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as one driver takes it.

    Attributes:
        text: SQL, with the driver's placeholders.
        constants: values that are part of the statement, by their parameters.
        listed: the parameters that make up the list.
        binders: what turns a value into the driver's, by parameter, where something has to.
        readers: what turns a value of the driver into ours, by the place of its column, where something has to.
    """

    text: str
    constants: Mapping[str, Any]
    listed: Sequence[str]
    binders: Sequence[tuple[str, _Converter]]
    readers: Sequence[tuple[int, _Converter]]

    def bound(self, values: Mapping[str, Any], listed: Sequence[Any] = ()) -> Mapping[str, Any]:
        """Return all parameters as the driver takes them; a list is filled up with its last value."""
        if not (self.constants or self.binders or listed):
            return values
        bound = {**self.constants, **values}
        if listed:
            bound.update(itertools.zip_longest(self.listed, listed, fillvalue=listed[-1]))
        for name, bind in self.binders:
            bound[name] = bind(bound[name])
        return bound

    def read(self, rows: list[Row]) -> list[Row]:
        """Return rows of the driver as ours."""
        if not self.readers:
            return rows
        found = []
        for row in rows:
            values = list(row)
            for place, read in self.readers:
                values[place] = read(values[place])
            found.append(tuple(values))
        return found


def _driven(connection: sa.Connection, work: Callable[..., T], *args: Any) -> T:
    """Return what comes of ``work`` on the driver's connection; its errors come as SQLAlchemy's."""
    driver = connection.connection.driver_connection
    try:
        return work(driver, *args)
    except connection.dialect.loaded_dbapi.Error as error:
        raise sa.exc.DBAPIError.instance(
            None, None, error, connection.dialect.loaded_dbapi.Error, dialect=connection.dialect
        ) from error


def _change(driver: Any, text: str, bound: Any) -> int:
    changed: int = driver.execute(text, bound).rowcount
    return changed


def _change_each(driver: Any, text: str, rows: Sequence[Any]) -> None:
    driver.cursor().executemany(text, rows)


def _fetch(driver: Any, text: str, bound: Any) -> list[Row]:
    rows: list[Row] = driver.execute(text, bound).fetchall()
    return rows


def _portions(connection: sa.Connection, text: str, bound: Any) -> Iterator[list[Row]]:
    cursor_of = connection.get_execution_options().get(CURSOR)
    cursor = _driven(connection, cursor_of) if cursor_of else None
    cursor = _driven(connection, _open, cursor, text, bound)
    try:
        while rows := _driven(connection, _fetch_portion, cursor):
            yield rows
    finally:
        cursor.close()


CURSOR: Final = "cursor"
"""The execution option of an engine whose driver would fetch all rows at once, but for cursors of this kind."""


def _open(driver: Any, cursor: Any, text: str, bound: Any) -> Any:
    return (cursor or driver).execute(text, bound)


def _fetch_portion(_driver: Any, cursor: Any) -> list[Row]:
    rows: list[Row] = cursor.fetchmany(PORTION)
    return rows


class Position(sa.sql.functions.GenericFunction[int]):
    """Where a text is found in another, from 1; 0 where it is not. Databases have no common name for it."""

    type = sa.Integer()
    inherit_cache = True
    name = "instr"


@compiles(Position, "postgresql")
def _strpos(element: Position, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def below(column: Any, *, is_root: bool, deep: bool = True) -> Any:
    """Return the condition that a path lies directly in the folder whose ``bounds`` are given.

    Args:
        column: the path.
        is_root: the folder is the root.
        deep: it has subfolders, or may have; where it has none, no path needs to be looked at for it.
    """
    if is_root:
        return Position(column, "/") == 0
    # "0" follows "/": a range can use the index, where LIKE cannot, and needs no escaping.
    is_inside = (column >= sa.bindparam("low")) & (column < sa.bindparam("high"))
    rest = sa.func.substr(column, sa.bindparam("rest"))
    return is_inside & (Position(rest, "/") == 0) if deep else is_inside


def bounds(folder: str) -> dict[str, Any]:
    """Return the parameters of ``below`` for a folder; "" is the root, which has none."""
    return {"low": f"{folder}/", "high": f"{folder}0", "rest": len(folder) + 2} if folder else {}


def upsert(table: sa.Table, *replaced: str) -> Statement:
    """Return the statement that enters a row, or replaces these columns of the one there."""

    def construct(dialect: str) -> Any:
        statement = insert(dialect, table)
        changed = {name: statement.excluded[name] for name in replaced}
        return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)

    return Statement(construct)


def insert(dialect: str, table: sa.Table) -> Any:
    """Return the INSERT of a dialect that can take an ON CONFLICT clause; the others' modules are not loaded for it."""
    return importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
