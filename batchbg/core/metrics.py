"""Metrics as text, in the form that node_exporter's textfile collector reads.

Source: prometheus.io, "Exposition formats", text format 0.0.4; node_exporter's README, "Textfile Collector": no timestamps.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final

from batchbg.core.text import shown

_LABEL: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One value; ``labels`` may be foreign text."""

    value: float
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Gauge:
    """One metric that may rise and fall.

    Attributes:
        name: with its unit at the end.
        help: what it says, one sentence.
        samples: one for each set of labels.
    """

    name: str
    help: str
    samples: tuple[Sample, ...]


def rendered(gauges: Iterable[Gauge], labels: Mapping[str, str]) -> str:
    """Return the text of metrics, each with these labels too; one without samples is left out."""
    lines: list[str] = []
    for gauge in gauges:
        if gauge.samples:
            lines.append(f"# HELP {gauge.name} {gauge.help.translate(_HELP)}")
            lines.append(f"# TYPE {gauge.name} gauge")
            lines += [_line(gauge.name, sample, labels) for sample in gauge.samples]
    return "".join(f"{line}\n" for line in lines)


def _line(name: str, sample: Sample, labels: Mapping[str, str]) -> str:
    # What is no text, as half a character of a file's name, would be no UTF-8 either.
    parts = [f'{label}="{shown(value).translate(_LABEL)}"' for label, value in {**labels, **sample.labels}.items()]
    return f"{name}{{{','.join(parts)}}} {sample.value!r}"
