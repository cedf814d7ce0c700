"""What pytest's JUnit file says of verdicts that are neither passes nor failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.plain_text import plain_text
from pytest_infer.plugin.reported import short_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_infer.reports.record import Record


def write_to_junit(
    config: pytest.Config, report: pytest.TestReport, records: Sequence[Record]
) -> None:
    """Add a line per such verdict to its test's ``system-out``, if a file was asked for.

    The format has no other status than passed, failed and skipped, and few readers show the
    properties of a test.
    """
    lines = short_lines(records)
    if not lines or not config.getoption("xmlpath", None):
        return
    from xml.etree.ElementTree import Element

    from _pytest.junitxml import bin_xml_escape, xml_key

    if xml := config.stash.get(xml_key, None):
        element = Element("system-out")
        element.text = bin_xml_escape(plain_text("\n".join(lines)))
        xml.node_reporter(report).append(element)
