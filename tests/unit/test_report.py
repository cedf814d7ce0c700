"""Records, rows, the table and the files of a report, hostile texts included."""

import json
from html import unescape

import pytest

from pytest_infer.coverage import Coverage
from pytest_infer.errors import OptionError, RunError
from pytest_infer.record import record_from_error, record_from_verdict
from pytest_infer.report_file import html_text, json_text, markdown_text, write_report
from pytest_infer.spec import Case
from pytest_infer.summary import HEADINGS, counts_of, rows_from_records
from pytest_infer.terminal import coverage_lines, rendered, table_of
from pytest_infer.verdict import Verdict

CASE = Case("toy", "ort", "fp32", 1, "cpu")
LATENCY = Verdict("latency", "pass", "measured", "fine", {"p50_ms": 1.25, "p99_ms": 2.5})
PARITY = Verdict("parity", "pass", "match", "fine", {"relative_l2": 1e-7, "worst_ratio": 0.25})
TOP_K = Verdict("parity", "fail", "class-changed", "wrong", {"worst_ratio": 3.0})
HOSTILE = ("[red]x[/red]", "[/]", "[bold", "<script>alert(1)</script>", "a|b", "\\", "a\nb", "&lt;")


def records(*verdicts, case=CASE, test="test_it"):
    """Return the records of verdicts as they cross from a worker."""
    found = [record_from_verdict(each, case, test).as_dict() for each in verdicts]
    return json.loads(json.dumps(found))


def test_record_of_an_error():
    """An error is a failure whose code is the stage's name."""
    error = RunError("cannot run", why="it died", mend="look")
    record = record_from_error(error, CASE, "test_it").as_dict()
    assert (record["judge"], record["status"], record["code"]) == ("engine", "fail", "run-error")
    assert record["message"] == "cannot run\n  why:  it died\n  mend: look"
    assert record["case"] == CASE.as_dict()


def test_row():
    """A row has the figures of all tests of its case, and their worst verdict."""
    (row,) = rows_from_records(records(LATENCY, PARITY, TOP_K))
    assert dict(zip(HEADINGS, row.cells(), strict=True)) == {
        "model": "toy",
        "engine": "ort",
        "precision": "fp32",
        "batch": "1",
        "p50 ms": "1.250",
        "p99 ms": "2.500",
        "images/s": "",
        "speed-up": "",
        "relative L2": "1.0e-07",
        "of tolerance": "3x",
        "verdict": "fail: class-changed",
    }


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        (("pass", "new"), "new"),
        (("new", "inconclusive"), "inconclusive"),
        (("fail", "inconclusive", "pass"), "fail"),
        (("pass", "pass"), "pass"),
    ],
)
def test_worst_verdict(statuses, worst):
    """A row shows the worst of its verdicts, whatever their order."""
    verdicts = [Verdict("parity", status, "code", "text") for status in statuses]
    for order in (verdicts, verdicts[::-1]):
        assert rows_from_records(records(*order))[0].status == worst


def test_counts():
    """Verdicts are counted by status, the worst first."""
    assert list(counts_of(records(PARITY, TOP_K, LATENCY)).items()) == [("fail", 1), ("pass", 2)]


def test_lines():
    """What ran, was built and could not run is told, with reasons and mends."""
    lack = {"why": "on cpu, ort runs fp32", "mend": "--infer-precision=fp32"}
    coverage = Coverage(
        expected=5,
        ran=3,
        narrowed=2,
        built=1,
        reused=4,
        notices=("x is not what was stored",),
        exclusions=({"what": "ort in bf16", "cases": 2, "lack": lack},),
        sent_bytes={"jetson-1f2e3d4c": 102_440_000, "a-server-00000000": 0},
    )
    assert coverage_lines(coverage, records(PARITY, TOP_K)) == [
        "3 of 5 checks ran, 2 narrowed away by marks; verdicts: 1 fail, 1 pass",
        "engines: 1 built, 4 found in the cache",
        "files: 0.0 MB sent to a-server-00000000",
        "files: 102.4 MB sent to jetson-1f2e3d4c",
        "notice: x is not what was stored; it was made again",
        "could not run: ort in bf16 (2 cases): on cpu, ort runs fp32; mend: --infer-precision=fp32",
    ]
    assert coverage_lines(Coverage(), [])[0].endswith("; verdicts: none")


@pytest.mark.parametrize("name", [text for text in HOSTILE if "\n" not in text])
def test_table_shows_names_as_they_are(name):
    """Brackets in a name are not markup."""
    found = records(TOP_K, case=Case(name, name, "fp32", 1, "cpu"))
    text = rendered(table_of(found), color=False)
    assert text.count(name) == 2
    assert "fail: class-changed" in text


def test_table_has_the_colour_of_the_verdict():
    """A failure is red, and only where colour is wanted."""
    table = table_of(records(TOP_K))
    assert "\x1b[31mfail: class-changed\x1b[0m" in rendered(table, color=True)
    assert "\x1b" not in rendered(table, color=False)


def test_table_is_as_wide_as_it_needs():
    """A long name is never cut."""
    name = "m" * 200
    found = records(PARITY, case=Case(name, "e", "fp32", 1, "cpu"))
    assert name in rendered(table_of(found), color=False)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_html_escapes(hostile):
    """Whatever a test or message is called, the page shows it as text."""
    verdict = Verdict("parity", "fail", "diverged", f"message {hostile}")
    case = Case(hostile.replace("\n", ""), "e", "fp32", 1, "cpu")
    found = records(verdict, case=case, test=hostile)
    page = html_text(found, Coverage(notices=(hostile,)))
    assert "<script" not in page
    assert f"message {hostile}" in unescape(page)
    assert f"{hostile}: fail" in unescape(page)


def test_html_keeps_long_names():
    """A long name is not cut in a page either."""
    name = "m" * 200
    assert name in html_text(records(PARITY, case=Case(name, "e", "fp32", 1, "cpu")), Coverage())


@pytest.mark.parametrize(
    ("hostile", "cell"),
    [
        ("a|b", r"a\|b"),
        (r"a\|b", r"a\\\|b"),
        ("<script>", "&lt;script>"),
        ("[x](http://y)", r"\[x](http://y)"),
        ("a\nb", "a b"),
    ],
)
def test_markdown_escapes(hostile, cell):
    """A name neither ends a cell nor becomes HTML or a link."""
    text = markdown_text(records(PARITY, case=Case(hostile, "e", "fp32", 1, "cpu")), Coverage())
    row = text.splitlines()[2]
    assert row.startswith(f"| {cell} | e | fp32 | 1 |")
    assert row.endswith(" | pass |")


def test_json():
    """Programs get every record and count."""
    content = json.loads(json_text(records(PARITY), Coverage(expected=1, ran=1)))
    assert set(content) == {"schema", "coverage", "records"}
    assert content["records"] == records(PARITY)
    assert content["coverage"]["ran"] == 1


def test_written_to_a_new_folder(tmp_path):
    """A report makes its folder."""
    write_report("md", tmp_path / "a/b/r.md", records(PARITY), Coverage())
    assert (tmp_path / "a/b/r.md").read_text().startswith("| model | engine |")


def test_unwritable(tmp_path):
    """A path that cannot be written is told with the option."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file/r.md"
    with pytest.raises(OptionError) as caught:
        write_report("md", path, [], Coverage())
    assert str(caught.value).startswith(f"cannot write the report {path}\n  why:  [Errno ")
    assert str(caught.value).endswith("mend: name another file with --infer-report=md:PATH")
