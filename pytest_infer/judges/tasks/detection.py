"""Detection: boxes, classes and scores, as the model's own postprocessing finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.judges.detection_form import malformed
from pytest_infer.judges.detection_noise import detection_noise
from pytest_infer.judges.detections import judge_detections
from pytest_infer.judges.tasks.registry import task

if TYPE_CHECKING:
    from pytest_infer.judges.judged_rows import JudgedRows
    from pytest_infer.verdict import Verdict


@task(needs_postprocess=True)
def detection(rows: JudgedRows) -> Verdict:
    """Judge detections that are matched one to one, by `judge_detections`."""
    found = rows.postprocessed
    if flaw := malformed(found.actual, found.reference, rows.subject):
        return flaw
    return judge_detections(
        found.actual,
        found.reference,
        eager=found.eager,
        noise=detection_noise(found.eager, found.reference),
        labels=rows.labels,
        images=rows.rows,
        tolerance=rows.tolerance,
        subject=rows.subject,
    )
