"""Any name that a disk has for a file can be stored."""

import os

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from batchbg.ledger import folders
from batchbg.ledger.tables import PathText


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "é/e\u0301.jpg", "\U0001f45f.jpg", "a\nb.jpg", "\udcff.jpg", "ok/\udc80\udcff é.jpg", " ", "a'b%_.jpg"],
)
def test_any_file_name_comes_back_as_it_was(ledger, name):
    """Bytes that are no UTF-8 are names too; they come back, and are found by a query."""
    with ledger.transaction("run") as tx:
        number = folders.id_of(tx, name)
    with ledger.transaction("run") as tx:
        assert folders.id_of(tx, name) == number
        assert folders.path_of(tx.connection, number) == name


@given(st.lists(st.integers(1, 255), min_size=1, max_size=40).map(bytes))
def test_path_text_keeps_every_byte(raw):
    """Whatever a disk calls a file is stored as text that every database takes."""
    name = os.fsdecode(raw)
    kind, dialect = PathText(), sa.create_engine("sqlite://").dialect
    stored = kind.process_bind_param(name, dialect)
    assert stored is not None
    stored.encode("utf-8")
    back = kind.process_result_value(stored, dialect)
    assert back is not None
    assert os.fsencode(back) == raw
