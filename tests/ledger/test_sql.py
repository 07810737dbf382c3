"""Statements that the driver runs: what they take and give, beside those that SQLAlchemy runs."""

import pytest
import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.ledger.sql import LENGTHS, Statement, upsert
from batchbg.ledger.tables import folders, jobs, meta

from .support import planned

KEEP = Statement(sa.insert(meta))
ALL = Statement(sa.select(meta.c.key, meta.c.value).order_by(meta.c.key))
SOME = Statement(sa.select(meta.c.key).where(meta.c.key.in_(sa.bindparam("keys", expanding=True))), of="keys")
LONGEST = LENGTHS[-1]

ODD = "caf\udce9"
"""A path with a byte that is no UTF-8."""


@pytest.fixture
def ledger(emptied):
    return emptied


@pytest.mark.parametrize("number", [0, 1, 3, 4, 5, LONGEST, LONGEST + 1, 3 * LONGEST + 7])
def test_a_list_may_have_any_length(ledger, number: int):
    """Each of its values counts once, whatever it is filled up with."""
    with ledger.begin() as connection:
        KEEP.run_each(connection, [{"key": f"{n}", "value": ""} for n in range(number + 1)])
        asked = [f"{n}" for n in range(number)]
        assert sorted(SOME.column(connection, keys=asked)) == sorted(asked)
        delete = Statement(sa.delete(meta).where(meta.c.key.in_(sa.bindparam("keys", expanding=True))), of="keys")
        assert delete.run(connection, keys=asked) == number
        assert ALL.column(connection) == [f"{number}"]


def test_values_are_stored_and_read_as_sqlalchemy_would(ledger):
    """Paths that are no Unicode: given, in a list, many at once, read in one piece and in portions."""
    enter, found = Statement(sa.insert(folders)), Statement(sa.select(folders.c.path).order_by(folders.c.path))
    among = sa.select(folders.c.path).where(folders.c.path.in_(sa.bindparam("paths", expanding=True)))
    with ledger.begin() as connection:
        enter.run(connection, path=ODD)
        enter.run_each(connection, [{"path": f"b/{ODD}"}, {"path": "c"}])
        paths = [f"b/{ODD}", "c", ODD]
        assert list(connection.scalars(sa.select(folders.c.path).order_by(folders.c.path))) == paths
        assert found.column(connection) == paths
        assert [path for (path,) in found.stream(connection)] == paths
        assert Statement(among, of="paths").column(connection, paths=[ODD, "elsewhere"]) == [ODD]
        assert Statement(sa.select(folders.c.path).where(folders.c.path == ODD)).value(connection) == ODD


def test_what_is_true_is_read_as_true(ledger):
    """Databases without booleans have numbers in their place."""
    planned(ledger, "a.jpg")
    change = Statement(sa.update(jobs).where(jobs.c.state == JobState.PLANNED))
    flags = Statement(sa.select(jobs.c.rendered, jobs.c.replace))
    with ledger.begin() as connection:
        assert change.run(connection, rendered=True) == 1
        (row,) = flags.all(connection)
        assert row == (True, False)
        assert [type(one) for one in row] == [bool, bool]
        assert Statement(sa.select(sa.func.count()).where(jobs.c.rendered.is_(True))).value(connection) == 1


def test_which_columns_change_the_parameters_say(ledger):
    """One statement serves for any of them, in any order; the others stay."""
    planned(ledger, "a.jpg")
    change = Statement(sa.update(jobs).where(jobs.c.version == sa.bindparam("seen")))
    with ledger.begin() as connection:
        assert change.run(connection, seen=1, credits=3, error="x") == 1
        assert change.run(connection, error="y", seen=1) == 1
        assert change.run(connection, error="z", seen=2) == 0
        assert connection.execute(sa.select(jobs.c.credits, jobs.c.error)).one() == (3, "y")


def test_statements_of_both_kinds_are_one_transaction(ledger):
    """Each sees what the other has written, and all of it is undone together."""

    def write() -> None:
        with ledger.begin() as connection:
            connection.execute(sa.insert(meta).values(key="a", value="1"))
            upsert(meta, "value").run(connection, key="a", value="2")
            assert connection.scalar(sa.select(meta.c.value)) == "2"
            connection.execute(sa.update(meta).values(value="3"))
            assert ALL.all(connection) == [("a", "3")]
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        write()
    with ledger.reading() as connection:
        assert ALL.all(connection) == []


def test_many_rows_are_read_in_portions(ledger):
    """All of them, and while they are read the connection serves other statements."""
    rows = [(f"{n:05}", "") for n in range(1300)]
    with ledger.begin() as connection:
        KEEP.run_each(connection, [{"key": key, "value": value} for key, value in rows])
        portions = ALL.portions(connection)
        first = next(portions)
        assert ALL.first(connection) == rows[0]
        others = list(portions)
        assert [first, *others] != [rows]
        assert sum(others, first) == rows
        assert list(ALL.stream(connection)) == rows


def test_errors_are_sqlalchemys(ledger):
    """Who looks for the cause of one need not ask which kind of statement it came from."""
    with ledger.begin() as connection:
        KEEP.run(connection, key="a", value="")
        with pytest.raises(sa.exc.IntegrityError, match=r"meta.key|pk_meta"), connection.begin_nested():
            KEEP.run(connection, key="a", value="")
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            KEEP.run_each(connection, [{"key": "b", "value": ""}, {"key": "a", "value": ""}])
        with pytest.raises(sa.exc.DatabaseError, match=r"no such table|does not exist"), connection.begin_nested():
            Statement(sa.select(sa.table("nowhere", sa.column("x")))).all(connection)


def test_another_database_has_a_text_of_its_own():
    """Its driver's placeholders, its types, its ON CONFLICT."""
    dialect = sa.make_url("postgresql+psycopg://").get_dialect()()
    compiled = upsert(meta, "value")._for(dialect, {"key": None, "value": None})
    assert "%(key)s" in compiled.text
    assert "ON CONFLICT (key) DO UPDATE SET value = excluded.value" in compiled.text
    compiled = SOME._for(dialect, {}, 3)
    assert [f"%({name})s" in compiled.text for name in compiled.listed] == [True] * 4
