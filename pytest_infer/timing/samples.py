"""The durations of repeated calls, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, median, quantiles
from typing import Any

from pytest_infer.errors import TimingError
from pytest_infer.timing.look import Look
from pytest_infer.units import NS_PER_MS

LAUNCH_BOUND_SHARE = 0.8
"""From this share of its time on the device a call is bound by how fast the host enqueues it."""

LEAST_WAITED_NS = 5_000_000

WAITED = "waited"
"""Beside the durations by clock: for how long threads waited for a core."""

MOST_KEPT = 500
"""Calls of which a report keeps the durations."""

SLOWEST = 5
"""Calls that a report keeps by their numbers, whatever it leaves out."""


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
    enqueue_ns: tuple[int, ...] = ()
    """How long the host took for the same calls until they returned; empty on a CPU."""
    waited_ns: int = 0
    """For how long threads of the process waited for a core meanwhile; 0 on a GPU, or unknown."""
    is_l2_cold: bool = False
    """The GPU's L2 cache was overwritten before each call."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """What the engine took besides time, in the process in which it was timed."""
    look: Look | None = field(default=None, compare=False, repr=False)
    """What the timed calls put out; None if nobody looked."""

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
    def mean_ms(self) -> float:
        """Return the arithmetic mean, which articles report; one slow call moves it."""
        return fmean(self.durations_ns) / NS_PER_MS

    @property
    def throughput_per_s(self) -> float:
        """Return rows (images) per second at the median duration."""
        return self.batch * 1000 / self.percentile_ms(50)

    @property
    def launch_share(self) -> float | None:
        """Return the median over the calls of enqueueing over the time on the device.

        A device that is kept busy works on while the host has long returned: the share is small.
        One that waits for the host ends with the last launch, soon after the call returns: the
        share is near 1, whatever the device itself could do. None where it was not read, on a CPU.
        """
        if not self.enqueue_ns:
            return None
        pairs = zip(self.enqueue_ns, self.durations_ns, strict=True)
        return median(enqueue / duration for enqueue, duration in pairs)

    @property
    def is_launch_bound(self) -> bool | None:
        """Return whether the host, and not the device, decides how long a call takes.

        A call that waits for the device itself, or that fills the queue of launches (about a
        thousand), is counted as such too. None where it is not known, on a CPU.
        """
        share = self.launch_share
        return None if share is None else share >= LAUNCH_BOUND_SHARE

    @property
    def waited_share(self) -> float:
        """Return for how much of the calls' time a thread waited for a core, all threads added up.

        On an idle machine it is near 0. A thread that waits lets the others of its call wait too.
        Less than `LEAST_WAITED_NS` in all is none: a few wake-ups are a large share of short calls.
        """
        if self.waited_ns < LEAST_WAITED_NS:
            return 0.0
        return self.waited_ns / sum(self.wall_ns or self.durations_ns)

    def figures(self) -> dict[str, float]:
        """Return what a report shows and a baseline stores."""
        share = {} if self.launch_share is None else {"launch_share": self.launch_share}
        if self.waited_ns:
            share["waited_share"] = self.waited_share
        return {
            "p50_ms": self.percentile_ms(50),
            "p90_ms": self.percentile_ms(90),
            "p99_ms": self.percentile_ms(99),
            "throughput_per_s": self.throughput_per_s,
            "calls": len(self.durations_ns),
            **share,
            **self.resources,
        }

    def series(self) -> dict[str, Any]:
        """Return the calls in their order, for a report: every ``stride``-th, at most `MOST_KEPT`.

        ``slowest`` has the numbers (from 0) and durations of the slowest calls of all.
        """
        stride = -(-len(self.durations_ns) // MOST_KEPT)
        ranked = sorted(enumerate(self.durations_ns), key=lambda each: -each[1])
        return {
            "clock": self.clock,
            "calls": len(self.durations_ns),
            "warmup_calls": self.warmup_calls,
            "stride": stride,
            "durations_ns": list(self.durations_ns[::stride]),
            "slowest": [list(each) for each in ranked[:SLOWEST]],
        }
