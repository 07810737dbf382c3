"""The benchmarks still measure something; what they measured stands in tests/benchmarks/RESULTS.md."""

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import ceiling, efficiency, growth, transport


@pytest.mark.slow
def test_each_makes_its_table_of_a_few_jobs():
    """Runs of batchbg in processes of their own, against a sandbox in another."""
    assert len(ceiling.ceiling(10, [2], rounds=1, tls=False).splitlines()) == 3
    assert len(transport.transports(10, [2], rounds=1).splitlines()) >= 5
    assert len(growth.growth([10], width=4).splitlines()) == 3
    slots, width, images, *_, polls = efficiency.efficiency(2, 2, mean_s=0.2)
    assert (slots, width, images) == ("2", "2", "30")
    assert float(polls) >= 1


def test_the_tables_that_are_kept_are_those_that_are_made():
    """A benchmark that was renamed leaves no old figures behind."""
    assert set(benchmarks.kept()) <= {title for title, _, _ in benchmarks.BENCHMARKS.values()}
