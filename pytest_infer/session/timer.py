"""Measure built engines, each in a host of its own, interleaved in random order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Any, overload

from pytest_infer.devices.device import Device
from pytest_infer.errors import TimingError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.pool import EAGER
from pytest_infer.timing.look import look_from_outputs
from pytest_infer.timing.samples import WAITED, Samples
from pytest_infer.timing.split import Split, split_from_durations
from pytest_infer.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.hosts.host import Host
    from pytest_infer.hosts.pool import HostPool
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


class GpuTimer:
    """Times built engines: by CUDA events on a GPU, by the monotonic clock on a CPU."""

    def __init__(
        self,
        hosts: HostPool,
        counts: CallCounts,
        exclusive: Callable[[Sequence[str]], AbstractContextManager[object]],
    ) -> None:
        self._hosts = hosts
        self._counts = counts
        self._exclusive = exclusive
        self.taken: list[tuple[Case, Samples]] = []
        """Everything that was measured, in order, for whoever shows it."""

    def __call__(
        self,
        engine: EngineUnderTest,
        feeds: Arrays,
        *,
        cold_l2: bool = False,
        copies: bool = False,
        warmup: int | None = None,
        calls: int | None = None,
    ) -> Samples:
        """Return the durations of calls on feeds that are resident on the device.

        ``warmup`` and ``calls`` are a protocol's, which ``--infer-warmup`` and ``--infer-calls``
        overrule. With ``copies`` a call on a GPU copies its inputs from pinned memory and its
        outputs into pinned memory, and is read by the host's clock; a CPU has nothing to copy.
        """
        counts = CallCounts(warmup, calls)
        return self.interleaved([engine], feeds, cold_l2=cold_l2, copies=copies, counts=counts)[0]

    @overload
    def interleaved(
        self,
        engines: Sequence[EngineUnderTest],
        feeds: Arrays,
        *,
        cold_l2: bool = False,
        copies: bool = False,
        counts: CallCounts | None = None,
    ) -> list[Samples]: ...

    @overload
    def interleaved(
        self,
        engines: Sequence[EngineUnderTest | None],
        feeds: Arrays,
        *,
        cold_l2: bool = False,
        copies: bool = False,
        counts: CallCounts | None = None,
    ) -> list[Any]: ...

    def interleaved(
        self,
        engines: Sequence[EngineUnderTest | None],
        feeds: Arrays,
        *,
        cold_l2: bool = False,
        copies: bool = False,
        counts: CallCounts | None = None,
    ) -> list[Any]:
        """Return the samples of several engines, timed in turns within the same seconds.

        Each has a separate process, so that neither their libraries nor their thread pools meet:
        a fresh one, or for eager beside another engine, on a CPU, one that is kept for that. Eager
        that is timed before there is one has the process that is kept from then on: it is as fresh.
        Nothing else of this package runs on the devices meanwhile. An engine that is named twice is
        timed once; None, which ``eager`` is for an ONNX file, has None for its samples.
        With ``cold_l2`` a GPU's L2 cache is overwritten before each call; raise `TimingError` for
        another device.
        """
        timed = [engine for engine in engines if engine is not None]
        if cold_l2:
            _check_l2(timed)
        way = Way(self._counts.or_else(counts or CallCounts()), cold_l2, copies)
        with ExitStack() as stack:
            stack.enter_context(self._exclusive([engine.case.engine for engine in timed]))
            engines_of = {engine.case: engine for engine in timed}
            companions = self._companions(list(engines_of))
            hosts = {
                case: stack.enter_context(
                    self._hosts.companion(EAGER)
                    if case in companions
                    else self._hosts.fresh(case.engine)
                )
                for case in engines_of
            }

            def arm_of(case: Case) -> _Arm:
                return _Arm(hosts[case], engines_of[case], feeds, way)

            arms = self._opened(arm_of, list(engines_of))
            for arm in arms.values():
                arm.warm_up()
            order = Random(0)  # noqa: S311 - an order, not a secret
            for number in range(ROUNDS):
                for arm in order.sample(list(arms.values()), len(arms)):
                    arm.round(number)
            samples = {case: arm.samples() for case, arm in arms.items()}
            for case in companions:
                arms[case].close()
        self.taken += samples.items()
        return [engine and samples[engine.case] for engine in engines]

    def _companions(self, cases: Sequence[Case]) -> set[Case]:
        """Return the cases that are timed in the host that is kept for eager."""
        others = cases if not self._hosts.has_companion(EAGER) else cases[1:]
        return {case for case in others if _may_be_kept(case)}

    def _opened(self, arm_of: Callable[[Case], _Arm], cases: Sequence[Case]) -> dict[Case, _Arm]:
        """Return what ``arm_of`` opens for each case.

        On CPUs all are opened at once, which is mostly importing; on a GPU one by one, for some
        libraries time kernels at the first call, and in this process for a debugger's sake.
        """
        if any(
            Device.named(case.device).is_gpu or self._hosts.is_inline(case.engine) for case in cases
        ):
            return {case: arm_of(case) for case in cases}
        threads = ThreadPoolExecutor(len(cases))
        try:
            opening = [threads.submit(arm_of, case) for case in cases]
            return {case: each.result() for case, each in zip(cases, opening, strict=True)}
        finally:  # what still opens fails as soon as its host is closed
            threads.shutdown(wait=False)

    def split(self, engine: EngineUnderTest, feeds: Arrays) -> Split:
        """Return where the time goes: copies to and from the GPU, launches, computation.

        On a CPU there is only the computation.
        """
        name = engine.case.engine
        with self._exclusive([name]), self._hosts.fresh(name) as host:
            arm = _Arm(host, engine, feeds, Way(self._counts))
            arm.warm_up()
            return arm.split(feeds)


class _Arm:
    """One engine in its host, during one measurement."""

    def __init__(self, host: Host, engine: EngineUnderTest, feeds: Arrays, way: Way) -> None:
        self._client = EngineClient(host)
        self._doing = f"time {engine.case.id}"
        self._batch = engine.case.batch
        self._way = way
        self._runner = self._client.open(built=engine.built, doing=self._doing)
        self._first = self._client.infer(
            runner=self._runner, feeds=feeds, doing=self._doing, error=TimingError
        )
        self._client.bind(runner=self._runner, feeds=feeds, doing=self._doing)
        self._durations: dict[str, list[int]] = {}
        self._warmup_calls = 0
        self._calls: list[int] = []
        """How many calls each round has."""

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

    def split(self, feeds: Arrays) -> Split:
        """Return the medians of the parts of as many calls as a measurement has."""
        durations = self._client.split(
            runner=self._runner, feeds=feeds, calls=sum(self._calls), doing=self._doing
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


def _may_be_kept(case: Case) -> bool:
    """Return whether a case is timed in a host that is kept: eager on a CPU.

    On a GPU it would keep memory there that the next engine may need.
    """
    return case.engine == EAGER and not Device.named(case.device).is_gpu


def _calls_for(duration_ns: int) -> int:
    fitting = int(TIMED_S * NS_PER_S / duration_ns)
    return min(max(fitting, MIN_CALLS), MAX_CALLS)


def _check_l2(engines: Sequence[EngineUnderTest]) -> None:
    """Raise `TimingError` unless every engine is on a GPU, the one device whose L2 is emptied."""
    for engine in engines:
        if not Device.named(engine.case.device).is_gpu:
            raise TimingError(
                f"cannot time {engine.case.id} with a cold L2",
                why=f"it runs on {engine.case.device}, and only a GPU's L2 can be emptied",
                mend="leave out cold_l2=True, or choose a GPU (--infer-device=cuda:0)",
            )
