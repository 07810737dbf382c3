"""What a ledger is for is bound by the address it is used with, once and for good."""

import itertools

import pytest

from batchbg.errors import ConfigError, ExitCode
from batchbg.ledger import meta, purpose, runs
from batchbg.ledger.purpose import API, LOCAL, SANDBOX
from batchbg.ledger.store import Ledger


@pytest.fixture
def ledger(emptied):
    return emptied


def kind_of(ledger: Ledger) -> str | None:
    with ledger.reading() as connection:
        return purpose.of(connection)


def was_bound_by_an_answer(ledger: Ledger, kind: str, address: str) -> None:
    """Leave it as the version before this one did."""
    with ledger.transaction() as tx:
        meta.keep(tx, meta.KIND, kind)
        runs.begin(tx, "run", address, None)


@pytest.mark.parametrize(("first", "second"), list(itertools.product((API, SANDBOX, LOCAL), repeat=2)))
def test_a_ledger_is_used_for_one_thing(ledger, first, second):
    """Another is refused with exit code 2, which names both, and changes nothing."""
    assert kind_of(ledger) is None
    purpose.bind(ledger, first)
    if first == second:
        purpose.bind(ledger, second)
    else:
        with pytest.raises(
            ConfigError, match=f"{purpose.NAMES[first]}, and is refused for {purpose.NAMES[second]}"
        ) as caught:
            purpose.bind(ledger, second)
        assert caught.value.exit_code is ExitCode.USAGE
    assert kind_of(ledger) == first


def test_a_rehearsal_s_ledger_knows_since_when_it_is_one(ledger):
    """What was created before may have been at a service that charges."""
    with ledger.reading() as connection:
        assert purpose.rehearsed_since(connection) is None
    with ledger.transaction() as tx:
        before = tx.at
    purpose.bind(ledger, SANDBOX)
    with ledger.reading() as connection:
        since = purpose.rehearsed_since(connection)
    assert since is not None
    assert since >= before


@pytest.mark.parametrize(
    ("by_answer", "address", "used_with", "bound"),
    [
        (SANDBOX, "http://127.0.0.1:8000", SANDBOX, SANDBOX),
        (SANDBOX, "http://127.0.0.1:8000", LOCAL, LOCAL),
        (API, "http://localhost:8000", LOCAL, LOCAL),
        (API, "https://api.example", API, API),
        (API, "https://api.example", SANDBOX, None),
        (API, "https://api.example", LOCAL, None),
    ],
)
def test_a_ledger_of_an_older_version_is_bound_anew(ledger, by_answer, address, used_with, bound):
    """By how it is used now; but one that was sent abroad is the real API's, whatever it is used with."""
    was_bound_by_an_answer(ledger, by_answer, address)
    if bound is None:
        with pytest.raises(ConfigError, match="the real API"):
            purpose.bind(ledger, used_with)
    else:
        purpose.bind(ledger, used_with)
        assert kind_of(ledger) == bound
