"""Records, rows, the table and the files of a report, hostile texts included."""

import json
from dataclasses import replace
from html import unescape

import pytest

from pytest_infer.case import Case
from pytest_infer.errors import OptionError, RunError
from pytest_infer.reports.caveats import busy_line, launch_bound_line, replay_line
from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.markdown import markdown_text
from pytest_infer.reports.page import page_text
from pytest_infer.reports.record import (
    record_from_dict,
    record_from_error,
    record_from_verdict,
)
from pytest_infer.reports.report_file import WRITERS, write_report
from pytest_infer.reports.result import Result
from pytest_infer.reports.result_file import json_text
from pytest_infer.reports.run_info import RunInfo
from pytest_infer.reports.summary import HEADINGS, counts_of, resource_rows, rows_from_records
from pytest_infer.reports.sweep import sweeps_from_records
from pytest_infer.reports.table import rendered
from pytest_infer.reports.terminal import (
    case_tables,
    coverage_lines,
    origin_line,
    tables_of,
)
from pytest_infer.stored_gate import Gate, StoredMeasurement
from pytest_infer.verdict import ToStore, Verdict

CASE = Case("toy", "ort", "fp32", 1, "cpu")
LATENCY = Verdict("latency", "pass", "measured", "fine", {"p50_ms": 1.25, "p90_ms": 2.5})
PARITY = Verdict("parity", "pass", "match", "fine", {"relative_l2": 1e-7, "worst_ratio": 0.25})
TOP_K = Verdict("parity", "fail", "class-changed", "wrong", {"worst_ratio": 3.0})
HOSTILE = ("[red]x[/red]", "[/]", "[bold", "<script>alert(1)</script>", "a|b", "\\", "a\nb", "&lt;")


def records(*verdicts, case=CASE, test="test_it"):
    """Return the records of verdicts as they cross from a worker."""
    found = [record_from_verdict(each, case, test).as_dict() for each in verdicts]
    return [record_from_dict(each) for each in json.loads(json.dumps(found))]


def test_record_of_an_error():
    """An error is a failure whose code is the stage's name."""
    error = RunError("cannot run", why="it died", mend="look")
    record = record_from_error(error, CASE, "test_it").as_dict()
    assert (record["judge"], record["status"], record["code"]) == ("engine", "fail", "run-error")
    assert record["message"] == "cannot run\n  why:  it died\n  mend: look"
    assert record["case"] == CASE.as_dict()


def test_what_is_to_be_stored_crosses_as_json():
    """What judges say in types is among the details of a report file, and typed again after it."""
    gate = Gate(1, "monotonic", 1, [StoredMeasurement(0.5, 3.0, 7.5, 100)], gpu="GPU-1")
    verdict = Verdict(
        *("baseline", "new", "to-be-stored", "text"),
        details={"mine": 1},
        bounds={"mae": 0.01},
        to_store=ToStore(gate, renews=True),
        artefact="",
    )
    record = record_from_verdict(verdict, CASE, "test_it", device={"kind": "cpu"})
    fields = json.loads(json.dumps(record.as_dict()))
    assert fields["case_id"] == CASE.id
    assert fields["details"] == {
        "mine": 1,
        "bounds": {"mae": 0.01},
        "gate": {
            "protocol": 1,
            "clock": "monotonic",
            "threads": 1,
            "measurements": [{"theta": 0.5, "rho": 3.0, "engine_ms": 7.5, "rounds": 100}],
            "gpu": "GPU-1",
        },
        "renews": True,
        "artefact": "",
    }
    assert record_from_dict(fields) == record
    assert records(PARITY)[0].as_dict()["details"] == {}


def test_row():
    """A row has the figures of all tests of its case, and their worst verdict."""
    (row,) = rows_from_records(records(LATENCY, PARITY, TOP_K))
    assert dict(zip(HEADINGS, row.cells(), strict=True)) == {
        "model": "toy",
        "engine": "ort",
        "precision": "fp32",
        "batch": "1",
        "p50 ms": "1.250",
        "p90 ms": "2.500",
        "eager ms": "",
        "over eager": "none",
        "images/s": "",
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
    """What ran, was built and could not run is reported, with reasons and mends."""
    lack = {"why": "on cpu, ort runs fp32\nand 11 lines more", "mend": "--infer-precision=fp32"}
    coverage = Coverage(
        expected=5,
        ran=3,
        narrowed=2,
        built=1,
        reused=4,
        notices=("x is not what was stored; it was made again",),
        probe_s={"toy": 0.25, "net": 1.0},
        exclusions=({"what": "ort in bf16", "cases": 2, "lack": lack},),
        sent_bytes={"jetson-1f2e3d4c": 102_440_000, "a-server-00000000": 0},
    )
    assert coverage_lines(coverage, records(PARITY, TOP_K)) == [
        "3 of 5 checks ran, 2 narrowed away by marks; verdicts: 1 fail, 1 pass",
        "engines: 1 built, 4 found in the cache",
        "2 models called once to see whether code or data has changed: 1.2 s",
        "files: 0.0 MB sent to a-server-00000000",
        "files: 102.4 MB sent to jetson-1f2e3d4c",
        "notice: x is not what was stored; it was made again",
        "could not run: ort in bf16 (2 cases): on cpu, ort runs fp32; mend: --infer-precision=fp32",
    ]
    assert coverage_lines(Coverage(), [])[0].endswith("; verdicts: none")
    mute = {"what": "x", "cases": 1, "lack": {"why": "", "mend": "ask it"}}
    assert coverage_lines(Coverage(exclusions=(mute,)), [])[-1] == (
        "could not run: x (1 case): ; mend: ask it"
    )


@pytest.mark.parametrize("name", [text for text in HOSTILE if "\n" not in text])
def test_table_shows_names_as_they_are(name):
    """Brackets in a name are not markup."""
    found = records(TOP_K, case=Case(name, name, "fp32", 1, "cpu"))
    text = rendered(case_tables(found)[0], color=False)
    assert text.count(name) == 2
    assert "fail: class-changed" in text


def test_table_has_the_colour_of_the_verdict():
    """A failure is red, and only where colour is wanted."""
    table = case_tables(records(TOP_K))[0]
    assert "\x1b[31mfail: class-changed\x1b[0m" in rendered(table, color=True)
    assert "\x1b" not in rendered(table, color=False)


def test_table_is_as_wide_as_it_needs():
    """A long name is never cut."""
    name = "m" * 200
    found = records(PARITY, case=Case(name, "e", "fp32", 1, "cpu"))
    assert name in rendered(case_tables(found)[0], color=False)


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
    text = markdown_text(
        Result(records(PARITY, case=Case(hostile, "e", "fp32", 1, "cpu")), Coverage())
    )
    row = next(line for line in text.splitlines() if line.endswith(" | pass |"))
    assert row.startswith(f"| {cell} | e | fp32 | 1 |")


def test_json():
    """Programs get every record and count."""
    content = json.loads(json_text(Result(records(PARITY), Coverage(expected=1, ran=1))))
    assert set(content) == {
        *("schema", "run", "coverage", "records", "earlier_attempts", "sweeps", "pictures"),
        "drawings",
    }
    assert content["records"] == [each.as_dict() for each in records(PARITY)]
    assert content["coverage"]["ran"] == 1


def test_written_to_a_new_folder(tmp_path):
    """A report makes its folder."""
    write_report("md", tmp_path / "a/b/r.md", Result(records(PARITY), Coverage()))
    assert (tmp_path / "a/b/r.md").read_text().startswith("### ✅ pytest-infer: 1 pass")


def test_added_to_a_step_summary(tmp_path, monkeypatch):
    """The file that GitHub names is added to, below a blank line; any other is replaced."""
    summary, other = tmp_path / "summary.md", tmp_path / "other.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    text = markdown_text(Result(records(LATENCY), Coverage()))
    write_report("md", summary, Result(records(LATENCY), Coverage()))
    assert summary.read_text() == text
    summary.write_text("# Build\n")
    for path in (summary, summary, other, other):
        write_report("md", path, Result(records(LATENCY), Coverage()))
    assert summary.read_text() == f"# Build\n\n{text}\n{text}"
    assert other.read_text() == text
    write_report("json", summary, Result(records(LATENCY), Coverage()))
    assert json.loads(summary.read_text())["schema"] == 2


ACTING = "\x1b[31m\n::error::x\n##vso[task.complete]\u202e\u2028\ud800"


def test_reports_hold_nothing_that_acts():
    """Neither a record's message, nor a notice, nor a name in the table."""
    message = Verdict("parity", "inconclusive", "code", ACTING)
    coverage = Coverage(notices=(ACTING,), sent_bytes={ACTING: 1})
    case = Case(ACTING, "ort", "fp32", 1, "cpu")
    result = Result(records(message, case=case), coverage)
    for kind in ("md", "html", "gitlab"):
        text = unescape(WRITERS[kind](result))
        assert all(each.isprintable() or each == "\n" for each in text)
        assert not [line for line in text.splitlines() if line.strip().startswith("::")]
        assert "##vso" not in text
    content = json_text(result)
    assert content.isascii()
    assert "\x1b" not in content


def test_unwritable(tmp_path):
    """A path that cannot be written is reported with the option."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file/r.md"
    with pytest.raises(OptionError) as caught:
        write_report("md", path, Result([], Coverage()))
    assert str(caught.value).startswith(f"cannot write the report {path}\n  why:  [Errno ")
    assert str(caught.value).endswith("mend: name another file with --infer-report=md:PATH")


def timed(batch, rate, status="pass", engine="eager", **figures):
    """Return the record of one batch that was timed."""
    figures = {"p50_ms": batch * 1000 / rate, "throughput_per_s": rate, **figures}
    verdict = Verdict("latency", status, "code", "text", figures)
    return records(verdict, case=Case("detr", engine, "fp32", batch, "cpu"))[0]


def article():
    """Return the figures of an article: eager mode on a GTX 1070 at four batches."""
    rates = {1: 11.22, 4: 12.02, 8: 11.87, 16: 12.08}
    return [timed(batch, rate, speedup=1.0) for batch, rate in rates.items()]


def test_sweep():
    """Batches of one engine stand together, each with its share of the best one's rate."""
    (sweep,) = sweeps_from_records(article())
    assert (sweep.model, sweep.engine, sweep.precision, sweep.device) == (
        *("detr", "eager", "fp32", "cpu"),
    )
    assert sweep.cells() == [
        ("detr", "eager", "fp32", "1", "89.127", "11.2", "93%", "1.00x", ""),
        ("", "", "", "4", "332.779", "12.0", "100%", "1.00x", ""),
        ("", "", "", "8", "673.968", "11.9", "98%", "1.00x", ""),
        ("", "", "", "16", "1324.503", "12.1", "100%", "1.00x", "best"),
    ]


def test_one_batch_is_no_sweep():
    """What was timed at one batch, or only judged by its outputs, is not swept."""
    other = records(PARITY, case=Case("detr", "ort", "fp32", 2, "cpu"))
    assert sweeps_from_records([timed(1, 9.0, engine="ort"), *other]) == []


def test_sweeps_are_apart():
    """Engines, precisions and settings are swept each for itself."""
    found = [timed(batch, 9.0, engine=name) for batch in (2, 1) for name in ("ort", "eager")]
    options = {"threads": 1}
    found += [replace(each, case=replace(each.case, options=(*options.items(),))) for each in found]
    assert [
        (s.engine, dict(s.settings), [p.batch for p in s.points])
        for s in sweeps_from_records(found)
    ] == [
        ("eager", {}, [1, 2]),
        ("eager", options, [1, 2]),
        ("ort", {}, [1, 2]),
        ("ort", options, [1, 2]),
    ]


@pytest.mark.parametrize("status", ["fail", "inconclusive"])
def test_wrong_engine_is_never_the_best(status):
    """The speed of a batch that failed is shown, and the best is another one."""
    (sweep,) = sweeps_from_records([timed(1, 10.0), timed(2, 40.0, status), timed(4, 20.0)])
    assert [(point.of_best, point.is_best) for point in sweep.points] == [
        (0.5, False),
        (2.0, False),
        (1.0, True),
    ]
    assert sweep.cells()[1] == ("", "", "", "2", "50.000", "40.0", "200%", "none", status)
    (failed,) = sweeps_from_records([timed(1, 10.0, status), timed(2, 40.0, status)])
    assert not any(point.is_best or point.of_best for point in failed.points)


def test_sweep_in_every_report():
    """Programs get a sweep's numbers, people its table; one batch makes no table."""
    content = json.loads(json_text(Result(article(), Coverage())))
    assert [point["batch"] for point in content["sweeps"][0]["points"]] == [1, 4, 8, 16]
    assert "|  |  |  | 16 | 1324.503 | 12.1 | 100% | 1.00x | best |" in markdown_text(
        Result(article(), Coverage())
    )
    assert [len(tables_of(found)) for found in ([], article()[:1], article())] == [0, 1, 2]


def test_resources():
    """Sizes are in MB, times in s, the unknown stays empty; a terminal shows it if asked."""
    figures = {"engine_bytes": 102_400_000, "build_s": 12.345, "peak_host_bytes": 512_000_000}
    found = [timed(1, 10.0, **figures)]
    assert resource_rows(found) == [
        ("detr", "eager", "fp32", "1", "102.4", "12.35", "", "512.0", ""),
    ]
    assert "| 102.4 | 12.35 |  | 512.0 |  |" in markdown_text(Result(found, Coverage()))
    assert [len(tables_of(found, is_verbose=verbose)) for verbose in (False, True)] == [1, 2]


def speed(**figures):
    """Return the records of one timed case."""
    return records(Verdict("latency", "pass", "measured", "", {"p50_ms": 1.0, **figures}))


def test_what_a_speedup_is_worth():
    """A line says whose eager waits for its launches, and what was timed on a busy machine."""
    assert launch_bound_line(speed()) == busy_line(speed(waited_share=0.19)) == ""
    assert launch_bound_line(speed(eager_launch_bound=1)).endswith(
        "the speed-up of toy-ort-fp32-b1"
    )
    line = busy_line(speed(waited_share=0.02, eager_waited_share=3.0))
    assert "waited for a core for up to 300% of the calls' time" in line
    assert line.endswith("in toy-ort-fp32-b1")
    assert replay_line(speed()) == ""
    fair = speed(eager_launch_bound=1, speedup_over_replay=5.957)
    assert replay_line(fair) == "over eager as a CUDA graph: toy-ort-fp32-b1 5.96x"
    result = Result(fair, Coverage())
    for text in (markdown_text(result), page_text(result)):
        assert "launch-bound eager" in text
        assert "toy-ort-fp32-b1 5.96x" in text


def test_a_run_that_was_stopped():
    """Neither the page nor Markdown has a tick at the head, and both say how much ran."""
    info = RunInfo(stopped="interrupted")
    run = Result(records(LATENCY), Coverage(expected=12, ran=6), run=info)
    told = "Stopped (interrupted): 6 of 12 checks ran"
    assert markdown_text(run).startswith(f"### ❔ pytest-infer: {told}; 1 pass\n")
    page = page_text(run)
    assert f"<title>{told}. The case is timed, and no answer was judged</title>" in page
    assert '<h1><span class="badge pass' not in page
    assert "Stopped" not in markdown_text(replace(run, run=RunInfo()))
    assert markdown_text(Result([], Coverage())).startswith("### 🆕 pytest-infer: no case")


def test_nobody_is_told_by_a_name():
    """A name after an at sign, and a number after a hash, are no links in a pull request."""
    found = records(Verdict("parity", "fail", "wrong", "thanks to @somebody in #12"))
    text = markdown_text(Result(found, Coverage()))
    assert "@somebody" not in text
    assert "#12" not in text


def test_where_figures_come_from():
    """Device, versions, commit and time, as far as they are known."""
    record = replace(
        records(PARITY)[0], device={"name": "A CPU"}, runtime={"python": "3", "onnxruntime": "1.2"}
    )
    run = RunInfo(started="2026-01-02T03:04:05+00:00", commit="0123456789abcdef", dirty=True)
    assert origin_line([record], run) == (
        "A CPU; onnxruntime 1.2; commit 0123456789ab+changes; 2026-01-02 03:04 UTC"
    )
    assert origin_line([replace(record, device={}, runtime={})], RunInfo()) == ""
