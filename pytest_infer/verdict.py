"""What a judge says: a status, a stable reason code and a message that mends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pytest_infer.errors import explanation
from pytest_infer.stored_gate import Gate

Status: TypeAlias = Literal["pass", "fail", "inconclusive", "new", "known"]
Judge: TypeAlias = Literal["parity", "truth", "latency", "baseline", "against", "accuracy"]


@dataclass(frozen=True)
class ToStore:
    """What was measured to be stored for the latency gate."""

    gate: Gate
    renews: bool = False
    """It replaces the entry that is there."""


@dataclass(frozen=True)
class Verdict:
    """One judgement of one case.

    ``inconclusive`` never counts as a pass; ``new`` has nothing to be compared with yet; ``known``
    failed as the ledger of known failures says.
    """

    judge: Judge
    status: Status
    code: str
    message: str
    figures: Mapping[str, float] = field(default_factory=dict)
    """What was measured, units in the names."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is kept of it, JSON-able: for reports, and for judges outside of this package."""
    bounds: Mapping[str, float] | None = None
    """The tolerance that would have passed, by metric; None where no tolerance was missed."""
    to_store: ToStore | None = None
    artefact: str | None = None
    """The built engine's name in the cache, where a baseline was judged; empty if none is built."""


def failed(
    judge: Judge,
    code: str,
    *,
    what: str,
    why: str,
    mend: str,
    figures: Mapping[str, float] | None = None,
) -> Verdict:
    """Return the verdict ``fail``, worded as an error is."""
    return Verdict(judge, "fail", code, explanation(what, why=why, mend=mend), figures or {})
