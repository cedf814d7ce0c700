"""The table of engines in two environments."""

import pytest

from pytest_infer.case import Case
from pytest_infer.reports.against import HEADINGS, against_rows, changed_lines
from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.markdown import markdown_text
from pytest_infer.reports.record import Record
from pytest_infer.reports.result import Result
from pytest_infer.reports.table import rendered
from pytest_infer.reports.terminal import against_tables, tables_of

CASE = Case("net", "ort", "fp32", 1, "cpu")
DETAILS = {
    "against": {
        "host": "popen//python=/old",
        "old_runtime": {"onnxruntime": "1.23.0", "numpy": "2.4"},
        "new_runtime": {"onnxruntime": "1.32.0", "numpy": "2.4"},
    }
}


def record(code, status="pass", judge="against", **figures):
    """Return a record of a comparison."""
    return Record("t", CASE, judge, status, code, "…", figures=figures, details=DETAILS)


OUTPUTS = record("within-noise", outputs_max_abs=2.5e-6, outputs_ratio=0.1)
SPEED = record(
    "regressed",
    "fail",
    against_pairs=6.0,
    against_change=0.051,
    old_ms=4.0,
    new_ms=4.204,
    old_engine_bytes=14e6,
    new_engine_bytes=14e6,
    old_load_s=0.2,
    new_load_s=0.31,
    old_peak_host_bytes=100e6,
    new_peak_host_bytes=140e6,
)
PARITY = record("within-noise", judge="parity")


def test_rows():
    """A row per case: both codes, both sides of what differs, one value where they agree."""
    (row,) = against_rows([OUTPUTS, PARITY, SPEED])
    assert dict(zip(HEADINGS, row, strict=True)) == {
        "model": "net",
        "engine": "ort",
        "precision": "fp32",
        "batch": "1",
        "speed": "regressed",
        "change": "+5.1%",
        "outputs": "within-noise",
        "max abs": "2.5e-06",
        "ms": "4.000 -> 4.204",
        "engine MB": "14.0",
        "build s": "",
        "load s": "0.20 -> 0.31",
        "peak host MB": "100 -> 140",
        "device MB": "",
    }


def test_without_a_verdict():
    """Outputs alone, and a speed that nothing was measured of."""
    (row,) = against_rows([OUTPUTS])
    assert row[4:8] == ("", "", "within-noise", "2.5e-06")
    assert against_rows([PARITY]) == []
    assert against_tables([PARITY]) == []


def test_shown():
    """The terminal and Markdown have the table, and a line says what was compared with what."""
    records = [OUTPUTS, SPEED]
    assert len(tables_of(records, is_verbose=False)) == 2
    line = "ort against popen//python=/old: onnxruntime 1.23.0 -> 1.32.0"
    assert changed_lines([*records, PARITY]) == [line]
    text = markdown_text(Result(records, Coverage()))
    assert "| net | ort | fp32 | 1 | regressed | +5.1% | within-noise |" in text
    assert f"- {line}" in text
    assert "device MB" not in text  # nothing is known of it


@pytest.mark.parametrize("width", [80, 100, 200])
def test_fits(width):
    """A narrow terminal has the verdicts and both times, and is told what it does without."""
    (table,) = against_tables([OUTPUTS, SPEED], width)
    lines = rendered(table).splitlines()
    assert max(len(line) for line in lines if not line.startswith("not shown")) <= width
    text = "\n".join(lines)
    assert all(each in text for each in ("regressed", "+5.1%", "within-noise", "4.000 -> 4.204"))
    assert ("peak host MB" in lines[1]) == (width == 200)
    assert ("not shown in 80 columns: peak host MB, load s" in text) == (width == 80)


def test_same_versions():
    """Two environments of the same versions are said to be that."""
    same = {"host": "popen", "old_runtime": {"a": "1"}, "new_runtime": {"a": "1"}}
    found = Record("t", CASE, "against", "pass", "bit-equal", "…", details={"against": same})
    assert changed_lines([found]) == ["ort against popen: the same versions"]
