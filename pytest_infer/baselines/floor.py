"""The judge of baselines without the gate: floors, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.baselines.entry import Published
from pytest_infer.baselines.folder import Baselines, Found
from pytest_infer.baselines.storing import storing_command
from pytest_infer.case import Case
from pytest_infer.errors import TimingError
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Mapping


ROUND_TRIP = "round_trip_mean_ms"
"""The mean of calls with the copies to the device and back, as some articles measure."""

COMPARED = ("throughput_per_s", "p50_ms", ROUND_TRIP)
"""The figures that can be a floor; the first that an entry has is."""


@dataclass(frozen=True)
class _Comparison:
    """One figure now and in the baseline."""

    case: Case
    figure: str
    value: float
    stored: float
    found: Found
    baselines: Baselines

    def __str__(self) -> str:
        whose = f"{self.found.key} in {self.baselines.name}"
        origin = self.found.entry.provenance
        source = (
            f"published: {origin.source}"
            if isinstance(origin, Published)
            else f"measured {origin.date} on {origin.device}"
        )
        return f"{self.figure} {self.value:.4g} against {self.stored:.4g} of {whose} ({source})"

    def figures(self) -> dict[str, float]:
        """Return the figures of the verdict; ``baseline_ratio`` is now over stored."""
        return {
            self.figure: self.value,
            f"baseline_{self.figure}": self.stored,
            "baseline_ratio": self.value / self.stored,
        }


def judge_floor(
    case: Case,
    figures: Mapping[str, float],
    baselines: Baselines | None,
    *,
    same_device: bool,
    is_named: bool = True,
) -> Verdict:
    """Judge the ``figures`` of `Samples.figures` where the gate has nothing to compare with.

    ``is_named`` says that a person chose these baselines; a missing entry is then a failure. A
    published figure, or one of another device, is a floor. Pass: ``above-floor``; fail:
    ``below-floor``, ``no-baseline``, ``no-measurements`` (the entry is older than the gate); new:
    ``no-baseline``, ``no-measurements`` (nothing to compare with was asked for), ``not-published``.
    """
    if baselines is None:
        message = f"{case.id} has no baseline: store one with {storing_command(case)}"
        return Verdict("baseline", "new", "no-baseline", message, dict(figures))
    found = baselines.find(case)
    is_floor = baselines.is_published or not same_device
    if found is not None and not is_floor:
        return _without_measurements(case, baselines, is_named=is_named)
    stored = [name for name in COMPARED if found and name in found.entry.figures]
    is_lacking = not stored or (stored == [ROUND_TRIP] and ROUND_TRIP not in figures)
    if found is not None and baselines.is_published and is_lacking:
        return _without_comparable(case, found, baselines)
    if found is None or not stored:
        return _without_entry(case, baselines, same_device=same_device, is_named=is_named)
    name = stored[0]
    if name not in figures:
        raise TimingError(
            f"cannot compare {case.id} with {baselines.name}",
            why=f"{name} was not measured; there are: {', '.join(sorted(figures)) or 'none'}",
            mend="pass what Samples.figures returns",
        )
    compared = _Comparison(case, name, figures[name], found.entry.figures[name], found, baselines)
    return _judged_by_floor(compared)


def _judged_by_floor(compared: _Comparison) -> Verdict:
    """Judge a figure by one that it must at least be as good as."""
    is_rate = compared.figure == "throughput_per_s"
    is_kept = compared.value >= compared.stored if is_rate else compared.value <= compared.stored
    if is_kept:
        message = f"{compared.case.id} is at least as fast as the floor: {compared}"
        return Verdict("baseline", "pass", "above-floor", message, compared.figures())
    return failed(
        "baseline",
        "below-floor",
        what=f"{compared.case.id} is slower than the floor",
        why=f"{compared}",
        mend="use a faster engine, precision or device, or choose another --gpu-baseline",
        figures=compared.figures(),
    )


def _without_measurements(case: Case, baselines: Baselines, *, is_named: bool) -> Verdict:
    what = f"{baselines.name} has no gate measurements of {case.id}"
    command = storing_command(case, baselines)
    if not is_named:
        message = f"{what}: store it again with {command}"
        return Verdict("baseline", "new", "no-measurements", message)
    return failed(
        "baseline",
        "no-measurements",
        what=what,
        why="its entry was stored before there was a gate",
        mend=f"measure and store it: {command}",
    )


def _without_entry(
    case: Case, baselines: Baselines, *, same_device: bool, is_named: bool
) -> Verdict:
    if baselines.is_published:
        message = (
            f"{_absent(case, baselines)} has no published figure in {baselines.name}, "
            f"which has: {_listed(baselines)}"
        )
        return Verdict("baseline", "new", "not-published", message)
    if not is_named:
        command = storing_command(case, baselines)
        message = f"{case.id} is not in {baselines.name} yet: store it with {command}"
        return Verdict("baseline", "new", "no-baseline", message)
    where = "" if same_device else f" on {_told(baselines.fingerprint)}"
    return failed(
        "baseline",
        "no-baseline",
        what=f"{case.id} has no baseline in {baselines.name}",
        why=f"stored are: {_listed(baselines)}",
        mend=f"measure and store it{where}: {storing_command(case, baselines)}",
    )


def _without_comparable(case: Case, found: Found, baselines: Baselines) -> Verdict:
    """Say that a publication has no time, or one of other calls than were timed."""
    told = ", ".join(f"{name} {value:g}" for name, value in sorted(found.entry.figures.items()))
    origin = found.entry.provenance
    note = f"; {origin.note}" if isinstance(origin, Published) and origin.note else ""
    message = (
        f"{case.id} is not compared with {baselines.name}: {found.key} there has {told}, which "
        f"this test has not timed{note}"
    )
    return Verdict("baseline", "new", "not-published", message)


def _absent(case: Case, baselines: Baselines) -> str:
    if case.model not in baselines.models():
        return case.model
    return f"{case.model} at batch {case.batch}"


def _listed(baselines: Baselines) -> str:
    keys = [key for model in baselines.models() for key in sorted(baselines.read(model))]
    return ", ".join(keys) or "none"


def _told(fingerprint: Mapping[str, str]) -> str:
    return fingerprint.get("name") or str(dict(fingerprint))
