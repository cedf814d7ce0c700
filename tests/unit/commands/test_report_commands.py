"""``pytest-infer report``, ``compare`` and ``history``: what they write and print."""

import json
from dataclasses import replace

import pytest
from hostile import HOSTILE, hostile_result
from synthetic import synthetic_result

from pytest_infer.__main__ import main
from pytest_infer.reports.history import history_text
from pytest_infer.reports.report_file import WRITERS, write_report


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A JSON report in the folder in which the commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "40")
    write_report("json", tmp_path / "run.json", synthetic_result(12))
    return synthetic_result(12)


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_any_report_of_a_json_report(run, tmp_path, kind, capsys):
    """It is what the run itself would have written."""
    assert main(["report", "run.json", f"--{kind}", "made"]) == 0
    assert capsys.readouterr().out == "report: made\n"
    write_report(kind, tmp_path / "own", run)
    assert (tmp_path / "made").read_text() == (tmp_path / "own").read_text()


def test_several_reports(run, tmp_path, capsys):
    """One call makes as many as are named."""
    del run
    assert main(["report", "run.json", "--html", "a/page.html", "--md", "b.md"]) == 0
    assert capsys.readouterr().out == "report: a/page.html\nreport: b.md\n"
    assert (tmp_path / "a/page.html").read_text().startswith("<!doctype html>")


def test_schema(capsys):
    """The schema is JSON on standard output."""
    assert main(["report", "--schema"]) == 0
    assert "ResultFields" in json.loads(capsys.readouterr().out)["$defs"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "no JSON report is named"),
        (["run.json"], "no report is named"),
        (["none.json", "--md", "x"], "FileNotFoundError: No such file or directory"),
    ],
)
def test_nothing_to_do(run, arguments, why, capsys):
    """What cannot be made is an error with its reason."""
    del run
    assert main(["report", *arguments]) == 2
    assert f"\n  why:  {why}\n" in capsys.readouterr().err


@pytest.mark.usefixtures("run")
def test_not_over_what_is_read(tmp_path, capsys):
    """The JSON is kept, under whatever name the other report is to be written."""
    before = (tmp_path / "run.json").read_text()
    assert main(["report", "run.json", "--md", "fine.md", "--html", "./run.json"]) == 2
    assert "run.json is the report that is read" in capsys.readouterr().err
    assert (tmp_path / "run.json").read_text() == before
    assert not (tmp_path / "fine.md").exists()


@pytest.mark.usefixtures("run")
def test_damaged_details(tmp_path, capsys):
    """They are no part of the schema; nothing is written, a history neither."""
    content = json.loads((tmp_path / "run.json").read_text())
    checked = next(each for each in content["records"] if each["details"].get("checks"))
    del checked["details"]["checks"][0]["value"]
    (tmp_path / "run.json").write_text(json.dumps(content))
    assert main(["report", "run.json", "--html", "a.html", "--history", "h.jsonl"]) == 2
    assert "cannot use run.json\n  why:  what its details hold" in capsys.readouterr().err
    assert not list(tmp_path.glob("[ah].*"))


def test_compare(run, tmp_path, capsys):
    """What differs stands first; the exit status is 1 only where a verdict became worse."""
    worse = [
        replace(record, status="fail", code="diverged") if number == 5 else record
        for number, record in enumerate(run.records)
    ]
    other = replace(run, records=worse, run=replace(run.run, commit="f" * 40))
    write_report("json", tmp_path / "worse.json", other)
    assert main(["compare", "run.json", "worse.json"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 of 12 cases are worse"
    assert lines[1].startswith("run: 2026-11-29T20:15:00+00:00, commit 0123456789ab -> 2026-")
    (first, *_) = [line for line in lines if "-eager-" in line]
    assert "pass → fail: diverged" in first
    assert first.split()[0] == run.records[5].case_id
    assert first.endswith("worse verdict")
    assert main(["compare", "worse.json", "run.json"]) == 0
    capsys.readouterr()
    assert main(["compare", "run.json", "worse.json", "--html", "a/page.html"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == lines[0]
    assert "1 of 12 cases are worse" in (tmp_path / "a/page.html").read_text()
    assert main(["compare", "run.json", "run.json", "--md"]) == 0
    assert capsys.readouterr().out.count("\n| ") == 14


def history(tmp_path, growth):
    """Write a history of ten runs, each slower than the last by a share."""
    result = synthetic_result(2)
    text = ""
    for week in range(10):
        moment = replace(result, run=replace(result.run, started=f"2026-{week + 1:02}-01"))
        for line in history_text(moment).splitlines():
            fields = json.loads(line)
            figures = {"p50_ms": 8.0 * (1 + growth) ** week}
            text += json.dumps({**fields, "figures": figures}) + "\n"
    (tmp_path / "history.jsonl").write_text(text)


def test_history(tmp_path, monkeypatch, capsys):
    """A creep of 1 % a run is told, and ends the command with 1."""
    monkeypatch.chdir(tmp_path)
    history(tmp_path, 0.01)
    assert main(["history", "history.jsonl"]) == 1
    out = capsys.readouterr().out
    assert out.count("creeps: 9.4% slower over 10 runs") == 2
    assert "▁▂▃▃▄▅▆▆▇█" in out
    assert main(["history", "history.jsonl", "resnet50-eager-fp32-b1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "resnet50-eager-fp32-b1 on Example CPU, 8 cores: creeps: 9.4% slower over 10 runs"
    )
    assert sum("0123456789ab" in line for line in lines) == 10


def test_history_without_a_change(tmp_path, monkeypatch, capsys):
    """Equal runs are no news; a case that is not there is an error with its likeness."""
    monkeypatch.chdir(tmp_path)
    history(tmp_path, 0.0)
    assert main(["history", "history.jsonl"]) == 0
    assert "slower" not in capsys.readouterr().out
    assert main(["history", "history.jsonl", "resnet50-eager-fp32-b2"]) == 2
    assert "did you mean 'resnet50-eager-fp32-b" in capsys.readouterr().err


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("command", ["compare", "history"])
def test_hostile_texts_reach_the_terminal_as_text(tmp_path, monkeypatch, capsys, name, command):
    """Names from a file neither move a cursor nor command a CI."""
    monkeypatch.chdir(tmp_path)
    for kind in ("json", "history"):
        write_report(kind, tmp_path / kind, hostile_result(HOSTILE[name]))
    write_report("json", tmp_path / "other", synthetic_result(1))
    main({"compare": ["compare", "json", "other"], "history": ["history", "history"]}[command])
    out = capsys.readouterr().out
    assert all(each.isprintable() or each == "\n" for each in out)
    assert not [line for line in out.splitlines() if line.lstrip().startswith("::")]
    assert "##vso" not in out


def test_page_with_its_past(run, tmp_path, capsys):
    """A history that is named is in the page."""
    del run
    history(tmp_path, 0.01)
    assert main(["report", "run.json", "--past", "history.jsonl", "--html", "page.html"]) == 0
    capsys.readouterr()
    assert "creeps: 9.4% slower over 10 runs" in (tmp_path / "page.html").read_text()
