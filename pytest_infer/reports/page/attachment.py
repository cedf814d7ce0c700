"""What other reporters show of a test: its verdicts, figures and the picture of its graph."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from pytest_infer.graphs.drawing import Drawing
from pytest_infer.reports.page.cases import SIGNS
from pytest_infer.reports.page.environment import template_environment
from pytest_infer.reports.page.ribbon import drawing_in, ribbon_of, told_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.reports.record import Record


def attachment_html(records: Sequence[Record]) -> str:
    """Return the verdicts, figures and picture of a test's records as a part of an HTML page.

    The picture is an image, in which no script runs and whose styles stay inside.
    """
    svg, told = _picture(records)
    return (
        template_environment()
        .get_template("attachment.html")
        .render(
            records=records,
            signs=SIGNS,
            told=told,
            svg=b64encode(svg.encode()).decode(),
        )
    )


def attachment_svg(records: Sequence[Record]) -> str:
    """Return the picture of the graph as an SVG file; empty if the records have none."""
    return _picture(records)[0]


def _picture(records: Sequence[Record]) -> tuple[str, str]:
    found = (drawing_in(record.details) for record in records)
    drawing = next((each for each in found if isinstance(each, Drawing)), None)
    if drawing is None:
        return "", ""
    template = template_environment().get_template("drawing.svg")
    return template.render(drawn=ribbon_of(drawing)), told_of(drawing)
