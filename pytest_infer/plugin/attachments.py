"""What pytest-html and Allure show of a test, where they are active."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_infer.plain_text import encodable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_infer.reports.record import Record

PYTEST_HTML, ALLURE = "htmlpath", "allure_report_dir"
"""Where pytest keeps the paths of their reports."""

EXTRAS = "extras"
"""The attribute of a report that pytest-html reads."""


def are_wanted(config: pytest.Config) -> bool:
    """Return whether one of them is active."""
    return bool(config.getoption(PYTEST_HTML, None) or config.getoption(ALLURE, None))


def attach_to_pytest_html(
    config: pytest.Config, report: pytest.TestReport, records: Sequence[Record]
) -> None:
    """Add a test's verdicts, figures and picture to its row in pytest-html's table."""
    if not records or not config.getoption(PYTEST_HTML, None):
        return
    from pytest_html import extras

    from pytest_infer.reports.page.attachment import attachment_html

    found: list[Any] = [*getattr(report, EXTRAS, [])]
    setattr(report, EXTRAS, [*found, extras.html(encodable(attachment_html(records), "utf-8"))])


def attach_to_allure(config: pytest.Config, records: Sequence[Record]) -> None:
    """Attach a test's verdicts, figures and picture to the test that Allure has under way."""
    if not records or not config.getoption(ALLURE, None):
        return
    import allure

    from pytest_infer.reports.page.attachment import attachment_html, attachment_svg

    kinds = allure.attachment_type
    figures = [
        {"judge": each.judge, "code": each.code, "figures": dict(each.figures)} for each in records
    ]
    text = encodable(attachment_html(records), "utf-8")
    allure.attach(text, name="verdicts", attachment_type=kinds.HTML)
    allure.attach(json.dumps(figures, indent=2), name="figures", attachment_type=kinds.JSON)
    if svg := attachment_svg(records):
        allure.attach(encodable(svg, "utf-8"), name="graph", attachment_type=kinds.SVG)
