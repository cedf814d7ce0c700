"""What layers take: what the records of a run have of it, and which took longer than before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_infer.reports.record import Record

DETAIL = "profile"
"""The name in a record's details."""

MOST_SHOWN = 12
"""Layers of a case that are shown, those that take longest; JSON has more."""

MOST_GROWN = 5
"""Layers that are named where a case became slower."""

MOST_LINES = 8
"""Cases of which the terminal says what their layers take."""

MOST_OPERATORS = 4

LEAST_SHARE = 0.005
"""Of what all layers take: a layer that grew by less is not named."""


@dataclass(frozen=True)
class TimedLayer:
    """A layer, and the median of what it took in ms."""

    name: str
    ms: float
    operator: str = ""
    place: str = ""
    precision: str = ""
    module: str = ""

    @property
    def told(self) -> str:
        """Return the layer in words."""
        return " ".join(filter(None, (self.operator, self.name))) + (
            f" in {self.module}" if self.module else ""
        )


@dataclass(frozen=True)
class OperatorTime:
    """What all layers of an operator take together in ms."""

    operator: str
    count: int
    ms: float


@dataclass(frozen=True)
class Profile:
    """What the layers of one case's engine take."""

    by: str = ""
    calls: int = 0
    warmup_calls: int = 0
    total_ms: float = 0.0
    count: int = 0
    """How many layers there are; ``layers`` may have fewer, those that take longest."""
    layers: Sequence[TimedLayer] = ()
    operators: Sequence[OperatorTime] = ()
    note: str = ""
    """Why nothing is known."""

    @property
    def shown(self) -> Sequence[TimedLayer]:
        """Return the layers that take longest."""
        return self.layers[:MOST_SHOWN]

    def share(self, ms: float) -> float:
        """Return what takes so many ms as a share of all layers, 0 to 1."""
        return min(1.0, max(0.0, ms / self.total_ms)) if self.total_ms > 0 else 0.0

    @property
    def is_whole(self) -> bool:
        """Return whether every layer is listed."""
        return 0 < self.count == len(self.layers)


@dataclass(frozen=True)
class Grown:
    """A layer that takes longer than before; None where it was not there."""

    layer: TimedLayer
    old_ms: float | None

    @property
    def change_ms(self) -> float:
        """Return by how much it grew."""
        return self.layer.ms - (self.old_ms or 0.0)

    @property
    def times(self) -> str:
        """Return both times in words."""
        before = "not there" if self.old_ms is None else f"{self.old_ms:.3g}"
        return f"{before} → {self.layer.ms:.3g} ms"

    @property
    def told(self) -> str:
        """Return the layer, and both times."""
        return f"{self.layer.told}: {self.times}"


def profile_in(details: Mapping[str, Any]) -> Profile | None:
    """Return the profile in a record's details; None if it has none."""
    if DETAIL not in details:
        return None
    try:
        return msgspec.convert(details[DETAIL], Profile)
    except msgspec.ValidationError as error:
        return Profile(note=f"its details cannot be read: {error}")


def profiles_of(records: Iterable[Record]) -> dict[str, Profile]:
    """Return the profile of each case that has one."""
    found = ((record.case_id, profile_in(record.details)) for record in records)
    return {case_id: profile for case_id, profile in found if profile and not profile.note}


def grown_layers(old: Profile, new: Profile) -> list[Grown]:
    """Return the layers that grew most, by name; those of one side only count if all are known.

    Each side was measured in one process at one time: small changes are chance.
    """
    before = {layer.name: layer.ms for layer in old.layers}
    found = [
        Grown(layer, before.get(layer.name))
        for layer in new.layers
        if layer.name in before or old.is_whole
    ]
    least_ms = LEAST_SHARE * new.total_ms
    grown = [each for each in found if each.change_ms > least_ms]
    return sorted(grown, key=lambda each: -each.change_ms)[:MOST_GROWN]


def profile_lines(records: Iterable[Record]) -> list[str]:
    """Return a line per profiled case, `MOST_LINES` of them, and how many are not shown."""
    found = ((record.case_id, profile_in(record.details)) for record in records)
    lines = [_line(case_id, profile) for case_id, profile in found if profile]
    left = len(lines) - MOST_LINES
    more = [f"layers of {left} more cases: --infer-report=html:PATH shows them"] if left > 0 else []
    return lines[:MOST_LINES] + more


def _line(case_id: str, profile: Profile) -> str:
    if profile.note or not profile.layers:
        return f"layers of {case_id}: {profile.note or 'none'}"
    shares = [
        f"{each.operator or 'unknown'} {profile.share(each.ms):.0%}"
        for each in profile.operators[:MOST_OPERATORS]
    ]
    return f"layers of {case_id}: {', '.join(shares)}; longest: {profile.layers[0].told}"
