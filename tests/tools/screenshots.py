"""Make the pictures of docs/guides/reports.md: ``python tests/tools/screenshots.py``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from browser import browser
from synthetic import synthetic_history, synthetic_result

from pytest_infer.models.photographs import pictures
from pytest_infer.models.thumbnail import thumbnail
from pytest_infer.reports.page import page_text
from pytest_infer.reports.result_file import read_result

if TYPE_CHECKING:
    from browser import Page

    from pytest_infer.reports.record import Record

DOCS = Path(__file__).parents[2] / "docs" / "guides"
H200 = DOCS.parent / "results" / "h200-run.json"
"""A run on a GPU; the other pictures are of made-up figures."""

ENGINES = {"eager", "torchscript", "compile", "ort", "openvino"}
MODELS = {"resnet50", "mobilenet_v2", "efficientnet_b0", "detr_resnet50"}
BATCHES = {1, 8}
SEEN = "mobilenet_v2-ort-int8-b1"
PRECISIONS = {"fp32", "int8"}


def wait(page: Page) -> None:
    """Wait until the case that is linked to has been opened."""
    page.run(
        "(async () => { while (!document.querySelector('.inside:not(:empty)'))"
        " await new Promise(done => setTimeout(done, 5)); })()"
    )
    page.settle()


def with_pictures(record: Record) -> Record:
    """Return a record with photographs in its made-up details."""
    shown = [
        {
            **each,
            **asdict(thumbnail({"image": picture.pixels()[None]})),
            "width": 1066,
            "height": 800,
        }
        for each, picture in zip(record.details.get("photographs", []), pictures(), strict=False)
    ]
    return replace(record, details={**record.details, "photographs": shown})


def main() -> None:
    """Write every picture: a run on an H200, and the rest of made-up figures."""
    result = synthetic_result(432, seed=6)
    records = [
        with_pictures(record)
        for record in result.records
        if record.case.engine in ENGINES
        and record.case.model in MODELS
        and record.case.batch in BATCHES
        and record.case.precision in PRECISIONS
    ]
    failed = next(r for r in records if r.status == "fail" and r.judge == "baseline")
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder) / "profile") as page,
    ):
        path = Path(folder) / "page.html"
        shown = replace(result, records=records)
        path.write_text(page_text(replace(shown, history=synthetic_history(shown))))
        page.open(path, width=1100, height=1180)
        page.screenshot(DOCS / "report-overview.png")
        page.open(path, width=1100, height=900, theme="dark", fragment=f"#case-{failed.case_id}")
        wait(page)
        page.screenshot(DOCS / "report-case.png")
        seen = next(each for each in records if each.case_id == SEEN)
        page.open(path, width=1100, height=500, fragment=f"#case-{seen.case_id}")
        wait(page)
        page.run("document.querySelector('.inside .photos').parentElement.scrollIntoView()")
        page.settle()
        page.screenshot(DOCS / "report-photographs.png")
        page.open(path, width=1100, height=760, fragment=f"#case-{SEEN}")
        wait(page)
        page.run("document.querySelector('.inside .drawing').open = true")
        page.run(
            "(async () => { while (!document.querySelector('.ribbon'))"
            " await new Promise(done => setTimeout(done, 5)); })()"
        )
        page.run("document.querySelector('.inside .drawing').scrollIntoView()")
        page.settle()
        page.screenshot(DOCS / "report-graph.png")
        page.open(path, width=1100, height=720, fragment=f"#case-{SEEN}")
        wait(page)
        page.run("document.querySelector('.inside .grown').scrollIntoView()")
        page.settle()
        page.screenshot(DOCS / "report-layers.png")
        page.open(path, width=1100, height=560)
        page.run("document.getElementById('int8').scrollIntoView()")
        page.settle()
        page.screenshot(DOCS / "report-int8.png")
        path.write_text(page_text(read_result(H200)))
        page.open(path, width=1100, height=1330)
        page.screenshot(DOCS / "report-h200.png")


if __name__ == "__main__":
    main()
