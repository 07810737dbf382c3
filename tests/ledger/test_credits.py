"""The sums that are kept running, beside their entries."""

import pytest
import sqlalchemy as sa

from .support import disagreements, rendering

pytestmark = pytest.mark.usefixtures("adds_up")


@pytest.fixture
def ledger(emptied):
    """One ledger for all tests here: what SQLAlchemy has compiled stays compiled."""
    return emptied


def test_a_tampered_total_is_found(ledger):
    """`ledger check` says which sum differs, and by what."""
    rendering(ledger)
    with ledger.begin() as connection:
        connection.execute(sa.text("UPDATE credit_totals SET amount = 4 WHERE scope = 'run' AND bucket = 'charged'"))
    assert disagreements(ledger) == ["run run: charged is 4, its entries sum to 5"]
    with ledger.begin() as connection:
        connection.execute(sa.text("UPDATE credit_totals SET amount = 5 WHERE scope = 'run' AND bucket = 'charged'"))
