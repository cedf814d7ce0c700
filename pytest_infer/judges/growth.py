"""The judge of what an engine takes besides time: its size, its memory, its build and load."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from pytest_infer.bounds import is_finite, told
from pytest_infer.errors import OptionError, unknown
from pytest_infer.verdict import failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_infer.verdict import Verdict

SPREADS: Mapping[str, float] = {
    "engine_bytes": 0.01,
    "peak_host_bytes": 0.02,
    "device_bytes": 0.02,
    "load_s": 2.0,
    "build_s": 9.0,
}
"""By which share a figure may exceed the stored one where nothing has changed.

``docs/guides/benchmark.md`` has what was measured. Build and load times are those of a machine that
may be busy with other things.
"""

LEAST_S = 0.5
"""By so much a build or a load must be longer, too."""

SIZES = ("engine_bytes", "peak_host_bytes", "device_bytes")


@dataclass(frozen=True)
class ResourceBudget:
    """The keywords of ``@pytest.mark.resource_budget``: what an engine may take at most."""

    engine_bytes: float | None = None
    """The size of the built engine's files, in bytes."""
    peak_host_bytes: float | None = None
    """The most resident memory that the engine's process took, in bytes."""
    device_bytes: float | None = None
    """The memory that the engine's process took on the GPU, in bytes."""
    build_s: float | None = None
    """The time to build the engine, in seconds."""
    load_s: float | None = None
    """The time to open the built engine, in seconds."""
    growth: float | None = None
    """The share by which each of the three sizes may exceed the stored one: 0.1 is 10 %."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and (not is_finite(value) or value <= 0):
                raise OptionError(
                    f"cannot use resource budget {each.name}={told(value)}",
                    why="it is not a positive, finite number",
                    mend="give a plain number, such as @pytest.mark.resource_budget(growth=0.1)",
                )


def resource_budget_from_keywords(keywords: Mapping[str, float]) -> ResourceBudget:
    """Return a mark's keywords as a `ResourceBudget`; raise `OptionError` for an unknown one."""
    known = [each.name for each in fields(ResourceBudget)]
    for name in keywords:
        if name not in known:
            raise unknown("keyword of @pytest.mark.resource_budget", name, known)
    return ResourceBudget(**keywords)


def with_growth(
    verdict: Verdict,
    budget: ResourceBudget | None,
    stored: Mapping[str, float] | None,
    *,
    subject: str,
    mend: str,
) -> Verdict:
    """Return ``verdict``, or what its figures say of resources, unless it fails anyway.

    ``stored`` holds the figures of the case's own baseline, None without one; ``mend`` stores it
    again. Fail: ``over-resource-budget``; inconclusive: ``grown``, if a verdict that passes has a
    figure that exceeds the stored one by more than `SPREADS`.
    """
    if verdict.status == "fail":
        return verdict
    missed = list(_missed(verdict.figures, budget or ResourceBudget(), stored or {}))
    if missed:
        return failed(
            "latency",
            "over-resource-budget",
            what=f"{subject} takes more than its resource budget",
            why="\n".join(missed),
            mend=f"find what has grown, or raise the budget in the mark, or store it again: {mend}",
            figures=verdict.figures,
        )
    grown = list(_grown(verdict.figures, stored or {}))
    if not grown or verdict.status != "pass":
        return verdict
    message = (
        f"{subject} takes more than when it was stored: {'; '.join(grown)}; look for what changed "
        f"(library, graph, settings), or accept it: {mend}"
    )
    return replace(verdict, status="inconclusive", code="grown", message=message)


def _missed(
    figures: Mapping[str, float], budget: ResourceBudget, stored: Mapping[str, float]
) -> Iterator[str]:
    for name in SPREADS:
        limit, value = getattr(budget, name), figures.get(name)
        if limit is not None and value is not None and value > limit:
            yield f"{name} {value:.4g} > {limit:.4g} ({value / limit:.3g} x)"
    for name in SIZES if budget.growth is not None else ():
        before, value = stored.get(name, 0.0), figures.get(name, 0.0)
        if before > 0 and budget.growth is not None and value > before * (1 + budget.growth):
            yield f"{_change(name, before, value)}, {budget.growth:+.1%} is allowed"


def _grown(figures: Mapping[str, float], stored: Mapping[str, float]) -> Iterator[str]:
    for name, spread in SPREADS.items():
        before, value = stored.get(name, 0.0), figures.get(name, 0.0)
        is_long = name in SIZES or value - before > LEAST_S
        if before > 0 and value > before * (1 + spread) and is_long:
            yield f"{_change(name, before, value)}, which spreads by {spread:.0%}"


def _change(name: str, before: float, value: float) -> str:
    return f"{name} {value:.4g}, stored {before:.4g} ({value / before - 1:+.1%})"
