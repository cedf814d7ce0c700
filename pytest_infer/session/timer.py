"""Measure built engines, each in a host of its own, interleaved in random order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING, Any, overload

from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import TunesWhenOpened
from pytest_infer.errors import TimingError
from pytest_infer.hosts.pool import EAGER
from pytest_infer.session.timed_arm import ROUNDS, CallCounts, TimedArm, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.timing.samples import Samples
    from pytest_infer.timing.split import Split


class GpuTimer:
    """Times built engines: by CUDA events on a GPU, by the monotonic clock on a CPU."""

    def __init__(
        self,
        hosts: HostPool,
        counts: CallCounts,
        held: Callable[[Sequence[str]], AbstractContextManager[Callable[[], None]]],
    ) -> None:
        """Take ``held``, which holds the devices of engines and returns what ends all starting."""
        self._hosts = hosts
        self._counts = counts
        self._held = held
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
            be_quiet = stack.enter_context(self._held([engine.case.engine for engine in timed]))
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

            def arm_of(case: Case) -> TimedArm:
                return TimedArm(hosts[case], engines_of[case], feeds, way)

            if is_tuned := any(map(_is_tuned, timed)):
                be_quiet()
            arms = self._opened(arm_of, list(engines_of), at_once=not is_tuned)
            be_quiet()
            for arm in arms.values():
                arm.bind()
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

    def _opened(
        self, arm_of: Callable[[Case], TimedArm], cases: Sequence[Case], *, at_once: bool
    ) -> dict[Case, TimedArm]:
        """Return what ``arm_of`` opens for each case.

        ``at_once``: most of it is importing. In this process one by one, for a debugger's sake.
        """
        if not at_once or any(self._hosts.is_inline(case.engine) for case in cases):
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
        with self._held([name]) as be_quiet, self._hosts.fresh(name) as host:
            arm = TimedArm(host, engine, feeds, Way(self._counts))
            be_quiet()
            arm.bind()
            arm.warm_up()
            return arm.split()


def _may_be_kept(case: Case) -> bool:
    """Return whether a case is timed in a host that is kept: eager on a CPU.

    On a GPU it would keep memory there that the next engine may need.
    """
    return case.engine == EAGER and not Device.named(case.device).is_gpu


def _is_tuned(engine: EngineUnderTest) -> bool:
    """Return whether opening an engine may choose kernels by their times on a GPU."""
    adapter = engines.find(engine.case.engine)
    return isinstance(adapter, TunesWhenOpened) and adapter.tunes_when_opened(engine.built.request)


def _check_l2(engines: Sequence[EngineUnderTest]) -> None:
    """Raise `TimingError` unless every engine is on a GPU, the one device whose L2 is emptied."""
    for engine in engines:
        if not Device.named(engine.case.device).is_gpu:
            raise TimingError(
                f"cannot time {engine.case.id} with a cold L2",
                why=f"it runs on {engine.case.device}, and only a GPU's L2 can be emptied",
                mend="leave out cold_l2=True, or choose a GPU (--infer-device=cuda:0)",
            )
