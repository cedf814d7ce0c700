"""The columns of figures that tables of cases have: a heading, the figure, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.units import BYTES_PER_MB

if TYPE_CHECKING:
    from collections.abc import Mapping

CASE = ("model", "engine", "precision", "batch")
"""The headings of what names a case."""


@dataclass(frozen=True)
class Column:
    """One figure of a case, under its heading."""

    heading: str
    figure: str
    form: str = "{:.2f}"
    unit: float = 1.0
    """What the figure is divided by."""

    def cell(self, figures: Mapping[str, float]) -> str:
        """Return what is shown; empty without the figure."""
        value = figures.get(self.figure)
        return "" if value is None else self.form.format(value / self.unit)


class Share(Column):
    """A figure that is a share of what is allowed."""

    def cell(self, figures: Mapping[str, float]) -> str:
        """Return it in per cent, or how many times it was missed."""
        value = figures.get(self.figure)
        return "" if value is None else ("{:.0%}" if value <= 1 else "{:.3g}x").format(value)


class Speedup(Column):
    """How many times faster than eager in fp32: ``none`` where that was not timed beside it."""

    def cell(self, figures: Mapping[str, float]) -> str:
        """Return it; a model that is an ONNX file has no eager, and one elsewhere is no measure."""
        return super().cell(figures) or ("none" if P50.figure in figures else "")


P50 = Column("p50 ms", "p50_ms", "{:.3f}")
P90 = Column("p90 ms", "p90_ms", "{:.3f}")
RATE = Column("images/s", "throughput_per_s", "{:.1f}")
EAGER = Column("eager ms", "eager_p50_ms", "{:.3f}")
SPEEDUP = Speedup("over eager", "speedup", "{:.2f}x")
ERROR = Column("relative L2", "relative_l2", "{:.1e}")
TOLERANCE = Share("of tolerance", "worst_ratio")

FIGURES = (
    P50,
    P90,
    EAGER,
    SPEEDUP,
    RATE,
    ERROR,
    TOLERANCE,
)
"""Of the table of all cases; the first four were taken in turns, in the same seconds."""

STORED = (P50, Column("p99 ms", "p99_ms", "{:.3f}"), RATE, SPEEDUP, ERROR)
"""Of the tables of baselines."""

DISPENSABLE = tuple(each.heading for each in (P90, ERROR, RATE, EAGER, TOLERANCE))
"""What a narrow terminal does without, in this order."""

RESOURCES = (
    Column("engine MB", "engine_bytes", "{:.1f}", BYTES_PER_MB),
    Column("build s", "build_s"),
    Column("load s", "load_s"),
    Column("peak host MB", "peak_host_bytes", "{:.1f}", BYTES_PER_MB),
    Column("device MB", "device_bytes", "{:.1f}", BYTES_PER_MB),
)
"""Of the table of sizes and times of loading."""
