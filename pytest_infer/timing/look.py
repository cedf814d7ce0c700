"""A look at what timed calls put out, beside what `infer` gives for the same feeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Outputs: TypeAlias = Mapping[str, Any]

TIMED, AFTER = "the timed call", "a call after the timed ones"


@dataclass(frozen=True)
class Look:
    """What was put out otherwise than before the timed calls."""

    is_seen: bool
    """The engine can show what a bound call puts out; else only calls around them are seen."""
    first: Outputs = field(default_factory=dict)
    """What `infer` gave before; empty if nothing differs."""
    others: Mapping[str, Outputs] = field(default_factory=dict)
    """What differs from it, by what has put it out."""


def look_from_outputs(first: Outputs, timed: Outputs | None, after: Outputs) -> Look:
    """Return what differs from ``first`` by a bit or more; ``timed`` is None if it is not shown."""
    seen = {TIMED: timed, AFTER: after}
    others = {
        name: outputs
        for name, outputs in seen.items()
        if outputs is not None and not _are_equal(outputs, first)
    }
    return Look(timed is not None, first if others else {}, others)


def _are_equal(left: Outputs, right: Outputs) -> bool:
    import numpy as np  # baselines are read without it

    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and np.array_equal(left[name], right[name], equal_nan=left[name].dtype.kind == "f")
        for name in left
    )
