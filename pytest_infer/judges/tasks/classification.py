"""Classification: the same top-1 and the same set of top-5 of the first output, the logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.judges.parity import noise_floor
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
    eager = {} if logits.eager is None else {"logits": logits.eager}
    noise = noise_floor(eager, dict.fromkeys(eager, logits.reference)).get("logits", 0.0)
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
