"""Whether detections can be compared at all: their fields, shapes and values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.judges.matching import FIELDS, SUPPRESSED
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.judges.matching import Detections


def malformed(
    actual: Sequence[Detections], reference: Sequence[Detections], subject: str
) -> Verdict | None:
    """Return the verdict on what cannot be compared; None if all can."""
    if not reference:
        return vacuous("there are no images", subject)
    if len(actual) != len(reference):
        why = f"the engine has {len(actual)} images, the reference {len(reference)}"
        return _refused("wrong-shape", why, subject)
    for number, (got, expected) in enumerate(zip(actual, reference, strict=True)):
        for side, detections in (("reference", expected), ("engine", got)):
            found = _flaw(detections)
            if found:
                code, flaw = found
                why = f"image {number}: the {side}'s {flaw}"
                is_unsure = side == "reference" and code == "not-finite"
                return vacuous(why, subject) if is_unsure else _refused(code, why, subject)
    return None


def _flaw(detections: Detections) -> tuple[str, str] | None:
    count = len(np.atleast_1d(detections["scores"])) if "scores" in detections else 0
    suppressed = {f"{SUPPRESSED}{name}": rest for name, rest in FIELDS.items()}
    has_suppressed = any(name in detections for name in suppressed)
    for name, rest in {**FIELDS, **(suppressed if has_suppressed else {})}.items():
        if name not in detections:
            return "missing-output", f"{name} are missing"
        values = np.asarray(detections[name])
        size = len(values) if name in suppressed and values.ndim else count
        if values.shape != (size, *rest):
            return "wrong-shape", f"{name} have the shape {values.shape}, not {(size, *rest)}"
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            index = [int(i) for i in np.argwhere(~np.isfinite(values))[0]]
            return "not-finite", f"{name}{index} is {float(values[tuple(index)])}"
    return None


def _refused(code: str, why: str, subject: str) -> Verdict:
    return failed(
        "parity",
        code,
        what=f"{subject}: the detections cannot be compared",
        why=why,
        mend="look at the outputs and the model's postprocess=, which returns for each row a dict "
        "of boxes (n, 4), labels (n,) and scores (n,); no tolerance forgives it",
    )


def vacuous(why: str, subject: str) -> Verdict:
    """Return the failure of a comparison that would prove nothing."""
    return failed(
        "parity",
        "vacuous",
        what=f"{subject}: the comparison of detections would prove nothing",
        why=why,
        mend="give the model realistic weights and photographs with objects "
        "(--infer-weights, --infer-images)",
    )
