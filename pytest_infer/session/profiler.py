"""What the layers of a case's engine take, by its library's own profiler, on request."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import InferError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import LayerTime, LayerTimes
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.artefacts import Artefacts
    from pytest_infer.verdict import Verdict

DETAIL = "profile"
"""The name in a verdict's details."""

WARMUP_CALLS = 3

PROFILED_MS, MIN_CALLS, MAX_CALLS = 2000.0, 5, 30

MOST_LAYERS = 150
"""Layers that are kept, those that take longest."""

DIGITS = 6
"""Of milliseconds: a nanosecond."""


class Profiler:
    """Adds to verdicts what each layer takes: in a fresh process, after the measurement.

    A profiler slows down what it looks at, so that it is never on in a measurement that counts.
    """

    def __init__(
        self,
        artefacts: Artefacts,
        hosts: HostPool,
        exclusive: Callable[[Sequence[str]], AbstractContextManager[object]],
        modules: Callable[[Case], Mapping[str, str]],
    ) -> None:
        """Take ``modules``, which returns the module of each node of a case's graph."""
        self._artefacts = artefacts
        self._hosts = hosts
        self._exclusive = exclusive
        self._modules = modules

    def added(self, verdict: Verdict, case: Case) -> Verdict:
        """Return the verdict with ``profile`` in its details; it stands whatever becomes of it."""
        try:
            found = self._profiled(case, verdict.figures.get("p50_ms"))
        except InferError as error:
            found = {"note": f"{error.what}: {error.why}"}
        return replace(verdict, details={**verdict.details, DETAIL: found})

    def _profiled(self, case: Case, call_ms: float | None) -> dict[str, Any]:
        built = self._artefacts.engines.of(case)
        feeds = self._artefacts.models.feeds(case.model, case.batch)
        calls = calls_for(call_ms)
        with self._exclusive([case.engine]), self._hosts.fresh(case.engine) as host:
            found = EngineClient(host).profile(
                built=built,
                feeds=feeds,
                warmup=WARMUP_CALLS,
                calls=calls,
                doing=f"profile {case.id}",
            )
        if found.times is None:
            return {"note": f"{found.lack.why}; {found.lack.mend}" if found.lack else "nothing"}
        return profile_details(found.times, calls=calls, modules=self._modules(case))


def calls_for(call_ms: float | None) -> int:
    """Return how many calls of so many ms are profiled."""
    fitting = int(PROFILED_MS / call_ms) if call_ms else MIN_CALLS
    return min(max(fitting, MIN_CALLS), MAX_CALLS)


def profile_details(
    times: LayerTimes, *, calls: int, modules: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the medians over calls in ms, by layer and by operator, JSON-able.

    What a call takes is here the sum of its layers' medians. ``modules`` has the module of each
    node of the exported graph, by its name and by those of its outputs.
    """
    layers = [
        {
            "name": each.name,
            "operator": each.operator,
            "place": each.place,
            "precision": each.precision,
            "module": _module(each, modules or {}),
            "ms": round(median(each.durations_ns) / NS_PER_MS, DIGITS),
        }
        for each in times.layers
        if each.durations_ns
    ]
    layers.sort(key=lambda each: -float(str(each["ms"])))
    return {
        "by": times.by,
        "calls": calls,
        "warmup_calls": WARMUP_CALLS,
        "total_ms": _total(layers),
        "count": len(layers),
        "layers": layers[:MOST_LAYERS],
        "operators": _operators(layers),
    }


def _module(layer: LayerTime, modules: Mapping[str, str]) -> str:
    return next((modules[name] for name in layer.covers if modules.get(name)), "")


def _operators(layers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what all layers of an operator take together, those that take longest first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in layers:
        groups.setdefault(each["operator"], []).append(each)
    found = [
        {"operator": name, "count": len(group), "ms": _total(group)}
        for name, group in groups.items()
    ]
    return sorted(found, key=lambda each: -float(each["ms"]))


def _total(layers: Sequence[dict[str, Any]]) -> float:
    return float(round(sum(each["ms"] for each in layers), DIGITS))
