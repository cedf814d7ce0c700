"""Classification: the same top-1 and the same set of top-5 of the first output, the logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.judges.metrics import metrics
from pytest_infer.judges.tasks.registry import task
from pytest_infer.judges.top_k import judge_top_k

if TYPE_CHECKING:
    from pytest_infer.judges.judged_rows import JudgedRows
    from pytest_infer.verdict import Verdict


@task()
def classification(rows: JudgedRows) -> Verdict:
    """Judge the classes of logits (rows, classes)."""
    return judge_classes(rows)


def judge_classes(rows: JudgedRows, k: int = 5) -> Verdict:
    """Judge top-1 and top-k, by `judge_top_k`."""
    logits = rows.first
    noise = 0.0 if logits.eager is None else metrics()["max_abs"](logits.eager, logits.reference)
    return judge_top_k(
        logits.actual,
        logits.reference,
        noise=noise,
        k=k,
        labels=rows.labels,
        rows=rows.rows,
        tolerance=rows.tolerance,
        subject=rows.subject,
    )
