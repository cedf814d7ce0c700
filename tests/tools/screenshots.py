"""Make the pictures of docs/guides/reports.md: ``python tests/tools/screenshots.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from browser import browser
from synthetic import synthetic_history, synthetic_result

from pytest_infer.reports.page import page_text

DOCS = Path(__file__).parents[2] / "docs" / "guides"
ENGINES = {"eager", "torchscript", "compile", "ort", "openvino"}
MODELS = {"resnet50", "mobilenet_v2", "efficientnet_b0", "detr_resnet50"}
BATCHES = {1, 8}
PRECISIONS = {"fp32", "int8"}


def main() -> None:
    """Write the overview, and a case that failed."""
    result = synthetic_result(432, seed=6)
    records = [
        record
        for record in result.records
        if record.case.engine in ENGINES
        and record.case.model in MODELS
        and record.case.batch in BATCHES
        and record.case.precision in PRECISIONS
    ]
    failed = next(r for r in records if r.status == "fail" and r.judge == "baseline")
    with TemporaryDirectory() as folder, browser(Path(folder) / "profile") as page:
        path = Path(folder) / "page.html"
        shown = replace(result, records=records)
        path.write_text(page_text(replace(shown, history=synthetic_history(shown))))
        page.open(path, width=1100, height=1180)
        page.screenshot(DOCS / "report-overview.png")
        page.open(path, width=1100, height=900, theme="dark", fragment=f"#case-{failed.case_id}")
        page.run(
            "(async () => { while (!document.querySelector('.inside:not(:empty)'))"
            " await new Promise(done => setTimeout(done, 5)); })()"
        )
        page.settle()
        page.screenshot(DOCS / "report-case.png")


if __name__ == "__main__":
    main()
