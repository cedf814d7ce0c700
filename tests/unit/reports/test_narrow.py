"""A table that is narrow enough, and says what it leaves out."""

import pytest

from pytest_infer.reports.columns import DISPENSABLE
from pytest_infer.reports.narrow import narrow
from pytest_infer.reports.summary import HEADINGS

MODELS = ("mobilenet_v2", "efficientnet_b0")


def row(model, engine, precision="fp32", batch="1", verdict="new: no-baseline"):
    """Return the cells of a case with every figure."""
    figures = ("9.595", "15.405", "31.159", "2.81x", "104.2", "6.2e-07", "8%")
    return (model, engine, precision, batch, *figures, verdict)


NOT_SHOWN = "not shown in {} columns: {} (a wider terminal or --infer-report has them)"

ROWS = [row(model, engine) for model in MODELS for engine in ("eager", "torchscript")]


def width_of(found):
    """Return how wide the table is drawn: as rich draws it, with three spaces between columns."""
    columns = list(
        zip(found.headings, *(r for _, rows in found.sections for r in rows), strict=True)
    )
    return sum(max(map(len, column)) for column in columns) + 3 * (len(columns) - 1) + 1


@pytest.mark.parametrize(
    ("width", "headings", "notes"),
    [
        (200, HEADINGS, ()),
        (
            132,
            (*HEADINGS[:2], *HEADINGS[4:]),
            ("all rows: precision fp32, batch 1",),
        ),
        (
            100,
            ("model", "engine", "p50 ms", "eager ms", "over eager", "of tolerance", "verdict"),
            (
                "all rows: precision fp32, batch 1",
                NOT_SHOWN.format(100, "p90 ms, relative L2, images/s"),
            ),
        ),
        (
            80,
            ("model", "engine", "p50 ms", "over eager", "verdict"),
            (
                "all rows: precision fp32, batch 1",
                NOT_SHOWN.format(80, "p90 ms, relative L2, images/s, eager ms, of tolerance"),
            ),
        ),
    ],
)
def test_columns_go_in_their_order(width, headings, notes):
    """Nothing is broken; what went is named, and the rows stay as they are."""
    found = narrow(HEADINGS, ROWS, width, DISPENSABLE)
    assert (found.headings, found.notes) == (headings, notes)
    ((title, rows),) = found.sections
    assert title == ""
    assert [line[-1] for line in rows] == ["new: no-baseline"] * 4
    assert width_of(found) <= width


def test_what_differs_is_not_told_once():
    """Two precisions keep their column."""
    found = narrow(HEADINGS, [row("a", "ort"), row("a", "ort", "fp16")], 100, DISPENSABLE)
    assert "precision" in found.headings
    assert found.notes[0] == "all rows: batch 1"


def test_long_names():
    """A verdict goes without its code, and then models become titles."""
    settings = "trt+cuda_graph+optimization_level=1"
    rows = [row("lraspp_mobilenet_v3_large", settings), row("other", settings)]
    found = narrow(HEADINGS, rows, 80, DISPENSABLE)
    assert found.headings == ("engine", "p50 ms", "over eager", "verdict")
    assert found.sections == (
        ("lraspp_mobilenet_v3_large", ((settings, "9.595", "2.81x", "new"),)),
        ("other", ((settings, "9.595", "2.81x", "new"),)),
    )
    assert width_of(found) <= 80


def test_an_empty_column_is_not_missed():
    """Nobody measured an error: its column goes without a word."""
    rows = [("m", "ort", "fp32", "1", "9.595", "", "", "", "", "", "", "pass")]
    found = narrow(HEADINGS, rows, 50, DISPENSABLE)
    assert found.notes == ("all rows: precision fp32, batch 1",)


def test_hostile_cells():
    """They are made plain before they are measured."""
    found = narrow(HEADINGS, [row("a\x1b[31m", "ort")], 80, DISPENSABLE)
    assert "\x1b" not in found.sections[0][1][0][0]
