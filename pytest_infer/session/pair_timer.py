"""Time one engine in two environments, in turns: each pair is two fresh processes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import TYPE_CHECKING

from pytest_infer.devices.device import Device
from pytest_infer.engines.protocol import BuiltEngine
from pytest_infer.errors import TimingError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.host_client import HostClient
from pytest_infer.hosts.pool import HostPool
from pytest_infer.session.gate_timer import open_bound
from pytest_infer.timing.clock import CPU_TIME
from pytest_infer.timing.look import look_from_outputs
from pytest_infer.timing.pair import (
    CPU_PAIR_PLAN,
    GPU_PAIR_PLAN,
    NEW,
    OLD,
    pair_from_rounds,
)
from pytest_infer.timing.rounds import time_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.hosts.host import Host
    from pytest_infer.session.gate_timer import Setting
    from pytest_infer.timing.look import Look
    from pytest_infer.timing.pair import Pair
    from pytest_infer.timing.rounds import Plan


PROBED_CALLS = 5
LEAST_CPU_SHARE = 0.95
"""Of the host's clock, over `PROBED_CALLS`."""


@dataclass(frozen=True)
class Arm:
    """The engine in one environment: where it runs, and what was built there."""

    hosts: HostPool
    built: BuiltEngine


class PairTimer:
    """Gives one `Pair` after the other."""

    def __init__(
        self,
        exclusive: Callable[[Sequence[str]], AbstractContextManager[object]],
        setting: Callable[[Case], Setting],
    ) -> None:
        self._exclusive = exclusive
        self.setting = setting

    def __call__(self, case: Case, arms: Mapping[str, Arm], feeds: Arrays) -> Pair:
        """Measure the arms `NEW` and `OLD` in two fresh hosts.

        Nothing else of this package uses the device meanwhile. The processes start in random order,
        and so do the turns of a round.
        """
        setting, order = self.setting(case), Random()  # noqa: S311 - an order, not a secret
        names = order.sample([NEW, OLD], 2)
        with ExitStack() as stack:
            stack.enter_context(self._exclusive([case.engine]))
            hosts = {
                name: stack.enter_context(
                    arms[name].hosts.fresh(case.engine, threads=setting.threads)
                )
                for name in names
            }
            if setting.threads == 1:
                _put_on_one_core(list(hosts.values()), f"measure {case.id}")
            opened = {
                name: _Opened(case, EngineClient(host), arms[name].built, feeds, setting)
                for name, host in hosts.items()
            }
            if setting.threads == 1 and _only_compute(opened.values()):
                for each in opened.values():
                    each.clock = CPU_TIME
            watch = _TurnWatch(opened)
            calls = {name: watch.arm(name) for name in (NEW, OLD)}
            rounds = time_rounds(calls, watch, _plan(case, setting), order)
            return pair_from_rounds(
                rounds,
                clock=opened[NEW].clock,
                counts_disturbed=not Device.named(case.device).is_gpu,
                enqueue_share=opened[NEW].enqueue_share,
                resources={name: each.resources() for name, each in opened.items()},
                looks=[opened[name].look() for name in (NEW, OLD)],
            )


class _Opened:
    """One arm in its host, its feeds bound."""

    def __init__(
        self, case: Case, client: EngineClient, built: BuiltEngine, feeds: Arrays, setting: Setting
    ) -> None:
        self._client = client
        self._doing = f"measure {case.id}"
        self._runner = open_bound(client, case, built, feeds, setting)
        self._first = client.infer(
            runner=self._runner, feeds=feeds, doing=self._doing, error=TimingError
        )
        self.clock = setting.clock
        self._shares: list[float] = []

    def block(self, calls: int) -> tuple[Sequence[int], str]:
        """Return what each of ``calls`` calls took in ns, and what disturbed them."""
        found = self._client.block(runner=self._runner, calls=calls, doing=self._doing)
        durations = found.durations_ns[self.clock]
        if enqueue := found.durations_ns.get("enqueue"):
            self._shares.append(median(enqueue) / median(durations))
        return durations, found.disturbance

    def cpu_share(self) -> float:
        """Return the share of calls in which this process computed, or waited for a core."""
        found = self._client.block(runner=self._runner, calls=PROBED_CALLS, doing=self._doing)
        busy_ns = sum(found.durations_ns[CPU_TIME]) + found.waited_ns
        return busy_ns / sum(found.durations_ns["monotonic"])

    @property
    def enqueue_share(self) -> float | None:
        """Return how much of its time on the GPU a call needed to be launched."""
        return median(self._shares) if self._shares else None

    def resources(self) -> dict[str, float]:
        """Return what the engine takes besides time."""
        return self._client.resources(runner=self._runner, doing=self._doing)

    def look(self) -> Look:
        """Return what the timed calls put out; nothing may be timed afterwards."""
        seen = self._client.look(runner=self._runner, doing=self._doing)
        return look_from_outputs(self._first, seen.timed, seen.after)


class _TurnWatch:
    """Collects what disturbed the turns of a round, each seen by the process that had it."""

    def __init__(self, opened: Mapping[str, _Opened]) -> None:
        self._opened = opened
        self._found = ""

    def arm(self, name: str) -> Callable[[int], Sequence[int]]:
        """Return what makes calls of one arm, and notes what disturbed them."""

        def timed(calls: int) -> Sequence[int]:
            durations, disturbance = self._opened[name].block(calls)
            self._found = self._found or disturbance
            return durations

        return timed

    def mark(self) -> None:
        """Forget what was found before a round."""
        self._found = ""

    def disturbance(self, since: None, wall_ns: int) -> str | None:
        """Return what disturbed any turn of the round."""
        del since, wall_ns
        return self._found or None


def _only_compute(opened: Iterable[_Opened]) -> bool:
    """Return whether CPU time is all that calls take, but for waiting for a core.

    A call that also sleeps, or waits for a disk, is timed by the host's clock.
    """
    return min(each.cpu_share() for each in opened) >= LEAST_CPU_SHARE


def _put_on_one_core(hosts: Sequence[Host], doing: str) -> None:
    """Keep both processes on one core, the quietest: cores differ by what else runs on them."""
    core = HostClient(hosts[0]).quietest_core(doing=doing)
    if core is not None:
        for host in hosts:
            HostClient(host).stay_on(core=core, doing=doing)


def _plan(case: Case, setting: Setting) -> Plan:
    """Return how much is measured; with ``--infer-calls``, rounds as they come."""
    plan = GPU_PAIR_PLAN if Device.named(case.device).is_gpu else CPU_PAIR_PLAN
    return plan.of_rounds(setting.rounds) if setting.rounds else plan
