"""The durations of repeated calls, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import quantiles

from pytest_infer.errors import TimingError

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Samples:
    """Durations of single calls in nanoseconds, in the order in which they were taken."""

    durations_ns: tuple[int, ...]
    clock: str
    """What was read: ``monotonic`` on the host, ``cuda-event`` on the device."""
    batch: int
    warmup_calls: int
    wall_ns: tuple[int, ...] = ()
    """The same calls by the host's monotonic clock, from launch to end; empty if not read."""
    machine: str = ""
    """Where they were taken."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """What the engine took besides time, in the process in which it was timed."""

    def __post_init__(self) -> None:
        if not self.durations_ns or min(self.durations_ns) <= 0:
            raise TimingError(
                "cannot use these samples",
                why="there are none" if not self.durations_ns else "a duration is not positive",
                mend="measure at least one call, with a clock finer than the call",
            )

    def percentile_ms(self, percent: int) -> float:
        """Return a percentile (1 to 99) by linear interpolation, as numpy's default does."""
        if len(self.durations_ns) == 1:
            return self.durations_ns[0] / NS_PER_MS
        cuts = quantiles(self.durations_ns, n=100, method="inclusive")
        return cuts[percent - 1] / NS_PER_MS

    @property
    def throughput_per_s(self) -> float:
        """Return rows (images) per second at the median duration."""
        return self.batch * 1000 / self.percentile_ms(50)

    def figures(self) -> dict[str, float]:
        """Return what a report shows and a baseline stores."""
        return {
            "p50_ms": self.percentile_ms(50),
            "p90_ms": self.percentile_ms(90),
            "p99_ms": self.percentile_ms(99),
            "throughput_per_s": self.throughput_per_s,
            "calls": len(self.durations_ns),
            **self.resources,
        }
