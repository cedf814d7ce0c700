"""The table of answers to held-out rows."""

from pytest_infer.case import Case
from pytest_infer.reports.accuracy import accuracy_cells
from pytest_infer.reports.record import Record
from pytest_infer.reports.terminal import tables_of

FIGURES = {
    "accuracy": 0.994,
    "exact_accuracy": 0.995,
    "accuracy_drop": 0.001,
    "drop_most": 0.0049,
    "evaluation_rows": 1000,
}


def record(judge, code, model="digits", **figures):
    """Return what a judge said of a case."""
    return Record("t", Case(model, "ort", "int8", 1, "cpu"), judge, "pass", code, "…", figures)


RECORDS = [
    record("accuracy", "accurate", **FIGURES),
    record("truth", "as-asked", precision_share=0.75),
    record("parity", "match", model="other"),
]


def test_cells():
    """A judged case has its figures and those of its other tests; empty columns are left out."""
    headings, cells = accuracy_cells(RECORDS)
    assert headings == (
        *("model", "engine", "precision", "batch", "accuracy", "eager fp32", "drop", "at most"),
        *("rows", "in precision", "verdict"),
    )
    assert cells == [
        (
            *("digits", "ort", "int8", "1", "99.40%", "99.50%", "+0.10%", "+0.49%", "1000", "75%"),
            "accurate",
        )
    ]
    assert accuracy_cells(RECORDS[1:]) is None


def test_narrow_terminal():
    """In 80 columns it gives up the rows and the share first."""
    (table,) = tables_of(RECORDS, is_verbose=False, width=80)[1:]
    headers = [column.header for column in table.columns]
    assert {"accuracy", "drop", "verdict"} <= set(headers)
    assert len(headers) < 11
