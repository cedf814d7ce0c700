"""Parity that passes and is yet another than it was: errors against those of the baseline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.verdict import Verdict

FACTOR = 3.0
"""Other kernels round otherwise: engines differ by as much from each other in one precision."""

ERRORS = ("mae", "relative_l2", "max_abs")


def with_drift(
    verdict: Verdict, stored: Mapping[str, float] | None, *, subject: str, mend: str
) -> Verdict:
    """Return ``verdict``, or ``parity-drift`` if it passes with far larger errors than stored.

    Inconclusive: nothing is wrong by the tolerance, and something has changed. ``stored`` holds the
    figures of the case's own baseline, None without one; ``mend`` stores it again.
    """
    if verdict.status != "pass" or not stored:
        return verdict
    grown = [
        (verdict.figures[name] / stored[name], name)
        for name in ERRORS
        if name in verdict.figures and stored.get(name, 0) > 0
    ]
    ratio, name = max(grown, default=(0.0, ""))
    if ratio <= FACTOR:
        return verdict
    message = (
        f"{subject} is within its tolerance, and {ratio:.3g} times as wrong as its baseline: "
        f"{name} {verdict.figures[name]:.3g} against {stored[name]:.3g}; look for what changed "
        f"(library, export, precision of a layer), or accept it: {mend}"
    )
    figures = {**verdict.figures, "drift": ratio}
    return replace(
        verdict, status="inconclusive", code="parity-drift", message=message, figures=figures
    )
