"""The judge of one engine's outputs in two environments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.judges.metamorphic import judge_relation
from pytest_infer.judges.metrics import metrics
from pytest_infer.judges.relations import UPGRADED
from pytest_infer.verdict import Verdict

if TYPE_CHECKING:
    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Precision
    from pytest_infer.judges.metamorphic import References
    from pytest_infer.judges.tolerance import Tolerance


def judge_upgraded(
    new: Arrays,
    old: Arrays,
    references: References,
    *,
    precision: Precision,
    tolerance: Tolerance | None = None,
    subject: str = "engine",
) -> Verdict:
    """Judge whether two environments gave one result, for the same feeds.

    ``references`` are eager's outputs for these feeds. Pass: ``bit-equal``, ``within-noise``;
    fail: ``outputs-differ``, and what `judge_relation` finds wrong with outputs. Figures:
    ``outputs_max_abs``, and ``outputs_ratio``, the share of what is allowed.
    """
    verdict = judge_relation(
        new,
        old,
        UPGRADED,
        references=references,
        precision=precision,
        tolerance=tolerance,
        subject=subject,
    )
    figures = {}
    if "worst_ratio" in verdict.figures:
        figures["outputs_ratio"] = verdict.figures["worst_ratio"]
    if verdict.status == "pass" or verdict.code == UPGRADED.code:
        largest = metrics()["max_abs"]
        figures["outputs_max_abs"] = max(float(largest(new[name], old[name])) for name in old)
    if verdict.status != "pass":
        return replace(verdict, judge="against", figures=figures)
    if all(np.array_equal(new[name], old[name], equal_nan=False) for name in old):
        message = f"{subject}: both environments give the same bits"
        return Verdict("against", "pass", "bit-equal", message, figures)
    message = (
        f"{subject}: {UPGRADED.claim}, within the noise floor: max abs "
        f"{figures['outputs_max_abs']:.3g}"
    )
    return Verdict("against", "pass", "within-noise", message, figures)
