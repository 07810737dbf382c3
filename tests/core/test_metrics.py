"""The text that node_exporter reads, as prometheus_client's own parser understands it."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from batchbg.core.metrics import Gauge, Sample, rendered
from batchbg.core.text import shown


@given(st.text(), st.text(), st.integers() | st.floats(allow_nan=False))
def test_whatever_is_in_a_label_is_read_again(folder: str, state: str, value: float):
    gauge = Gauge("batchbg_jobs", 'Jobs: a "quoted" \\ and\nbroken line.', (Sample(value, {"state": state}),))
    (family,) = text_string_to_metric_families(rendered([gauge], {"ledger": folder}))
    assert (family.name, family.type) == ("batchbg_jobs", "gauge")
    assert family.documentation == 'Jobs: a "quoted" \\ and\nbroken line.'
    (sample,) = family.samples
    assert sample.labels == {"ledger": shown(folder), "state": shown(state)}
    assert sample.value == float(value)


def test_a_name_that_is_no_text_is_text_there():
    text = rendered([Gauge("a", "A.", (Sample(1),))], {"ledger": "/srv/\udcff"})
    assert text == '# HELP a A.\n# TYPE a gauge\na{ledger="/srv/\\\\xff"} 1\n'
    assert rendered([Gauge("a", "A.", ())], {}) == ""
