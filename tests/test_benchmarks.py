"""The benchmarks still measure something; what they measured stands in tests/benchmarks/RESULTS.md."""

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import ceiling, efficiency, growth, shop, transport, webhooks
from tests.support.jpegs import DAMAGES


@pytest.mark.slow
def test_each_makes_its_table_of_a_few_jobs():
    """Runs of batchbg in processes of their own, against a sandbox in another."""
    assert len(ceiling.ceiling(10, [2], rounds=1, tls=False).splitlines()) == 3
    assert len(transport.transports(10, [2], rounds=1).splitlines()) >= 5
    assert len(growth.growth([10], width=4).splitlines()) == 3
    slots, width, images, *_, polls = efficiency.efficiency(2, 2, mean_s=0.2)
    assert (slots, width, images) == ("2", "2", "30")
    assert float(polls) >= 1


@pytest.mark.slow
def test_webhooks_have_their_tables():
    """Told of ends, a run asks once about nearly all of them."""
    polling, told = webhooks.beside_polling(12, width=2, median_s=0.3).splitlines()[2:]
    assert (polling.split("|")[1].strip(), told.split("|")[1].strip()) == ("polling", "webhooks")
    assert len(webhooks.receiver(50).splitlines()) == 4


@pytest.mark.slow
def test_a_shop_has_its_tables(monkeypatch: pytest.MonkeyPatch):
    """With photos that are small for once."""
    monkeypatch.setattr(shop, "SIZE", (160, 120))
    with shop.shop(3) as made:
        assert len(shop.looks(made, rounds=1).splitlines()) == 4
        assert len(shop.jobs(made, 3, [2]).splitlines()) == 4
    assert len(shop.damage(1).splitlines()) == 2 + len(DAMAGES)


def test_the_tables_that_are_kept_are_those_that_are_made():
    """A benchmark that was renamed leaves no old figures behind."""
    assert set(benchmarks.kept()) <= {title for title, _, _ in benchmarks.BENCHMARKS.values()}
