"""One engine in its host, during one measurement: warmed up, timed by rounds, and looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from pytest_infer.errors import TimingError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.timing.look import look_from_outputs
from pytest_infer.timing.samples import WAITED, Samples
from pytest_infer.timing.split import Split, split_from_durations
from pytest_infer.units import NS_PER_S

if TYPE_CHECKING:
    from pytest_infer.arrays import Arrays
    from pytest_infer.hosts.host import Host
    from pytest_infer.session.engine import EngineUnderTest

ROUNDS = 5
WARMUP_S, WARMUP_CALLS = 0.5, 2
TIMED_S, MIN_CALLS, MAX_CALLS = 2.0, 5, 100


@dataclass(frozen=True)
class CallCounts:
    """How often an engine is called; None lets its own speed decide."""

    warmup: int | None = None
    calls: int | None = None

    def or_else(self, other: CallCounts) -> CallCounts:
        """Return these counts, and those of ``other`` where these leave one open."""
        return CallCounts(
            other.warmup if self.warmup is None else self.warmup,
            other.calls if self.calls is None else self.calls,
        )


@dataclass(frozen=True)
class Way:
    """How engines are timed."""

    counts: CallCounts = field(default_factory=CallCounts)
    cold_l2: bool = False
    """A GPU's L2 cache is overwritten before each call."""
    copies: bool = False
    """The copies to a GPU and back, of pinned memory, belong to a call."""


class TimedArm:
    """What a measurement does with one engine; making it opens the engine."""

    def __init__(self, host: Host, engine: EngineUnderTest, feeds: Arrays, way: Way) -> None:
        self._client = EngineClient(host)
        self._doing = f"time {engine.case.id}"
        self._batch = engine.case.batch
        self._feeds = feeds
        self._way = way
        self._runner = self._client.open(built=engine.built, doing=self._doing)
        self._first: Arrays = {}
        """What it returns before it is timed."""
        self._durations: dict[str, list[int]] = {}
        self._warmup_calls = 0
        self._calls: list[int] = []
        """How many calls each round has."""

    def bind(self) -> None:
        """Make the first call, in which a library may time its kernels, and bind the feeds."""
        self._first = self._client.infer(
            runner=self._runner, feeds=self._feeds, doing=self._doing, error=TimingError
        )
        self._client.bind(runner=self._runner, feeds=self._feeds, doing=self._doing)

    def warm_up(self) -> None:
        """Call until warm, and settle how many calls a round has."""
        began = monotonic()
        last_ns = 0
        while not self._is_warm(monotonic() - began):
            last_ns = self._time(1)[-1]
            self._warmup_calls += 1
        wanted = self._way.counts.calls or _calls_for(last_ns or self._time(1)[-1])
        self._calls = [wanted // ROUNDS + (number < wanted % ROUNDS) for number in range(ROUNDS)]

    def round(self, number: int) -> None:
        """Time one round's calls; the call before them, which finds cold caches, is dropped.

        A call so long that a round has only one warms its own caches.
        """
        calls = self._calls[number]
        if calls == 0:
            return
        if calls > 1:
            self._time(1)
        for clock, durations in self._times(calls).items():
            self._durations.setdefault(clock, []).extend(durations)

    def samples(self) -> Samples:
        """Return what was measured, by the clock nearest to the device, and what was put out."""
        waited = self._durations.pop(WAITED, [])
        clock, durations = next(iter(self._durations.items()))
        resources = self._client.resources(runner=self._runner, doing=self._doing)
        seen = self._client.look(runner=self._runner, doing=self._doing)
        return Samples(
            durations_ns=tuple(durations),
            clock=clock,
            batch=self._batch,
            warmup_calls=self._warmup_calls,
            wall_ns=tuple(self._durations["monotonic"]),
            machine=self._client.host.place.machine,
            enqueue_ns=tuple(self._durations.get("enqueue", ())),
            is_l2_cold=self._way.cold_l2,
            waited_ns=sum(waited),
            resources=resources,
            look=look_from_outputs(self._first, seen.timed, seen.after),
        )

    def close(self) -> None:
        """Free what a host that is kept has opened."""
        self._client.close(runner=self._runner, doing=self._doing)

    def split(self) -> Split:
        """Return the medians of the parts of as many calls as a measurement has."""
        durations = self._client.split(
            runner=self._runner, feeds=self._feeds, calls=sum(self._calls), doing=self._doing
        )
        return split_from_durations(durations)

    def _is_warm(self, elapsed_s: float) -> bool:
        if self._way.counts.warmup is not None:
            return self._warmup_calls >= self._way.counts.warmup
        return self._warmup_calls >= WARMUP_CALLS and elapsed_s >= WARMUP_S

    def _times(self, calls: int) -> dict[str, list[int]]:
        return self._client.time(
            runner=self._runner,
            calls=calls,
            cold_l2=self._way.cold_l2,
            copies=self._way.copies,
            doing=self._doing,
        )

    def _time(self, calls: int) -> list[int]:
        return self._times(calls)["monotonic"]


def _calls_for(duration_ns: int) -> int:
    fitting = int(TIMED_S * NS_PER_S / duration_ns)
    return min(max(fitting, MIN_CALLS), MAX_CALLS)
