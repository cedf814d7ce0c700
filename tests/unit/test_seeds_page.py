"""What the page of the articles is made of, with plain numbers, and that it is the one kept."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import seeds_page
from seeds_parts import charts, data, markdown, tables

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def elements(chart: str, kind: str) -> list[ET.Element]:
    """Return a chart's elements of a kind."""
    return list(ET.fromstring(chart).iter(SVG + kind))  # noqa: S314 - our own file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of what the page is made of."""
    shutil.copytree(ROOT / "baselines", tmp_path / "baselines")
    shutil.copytree(ROOT / data.DATA, tmp_path / data.DATA)
    return tmp_path


def change(root: Path, name: str, edit: Callable[[dict], None]) -> None:
    """Change one of the JSON files."""
    path = root / name
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_the_kept_page_is_what_the_command_makes() -> None:
    """No figure of the page or its charts was changed by hand, or is out of date."""
    made = seeds_page.made_files(ROOT)
    assert seeds_page.stale_files(ROOT / seeds_page.FOLDER, made) == []
    assert seeds_page.main(["--check"]) == 0


def test_every_kept_report_is_on_the_page() -> None:
    """Each has a row with its command and when it began."""
    page = seeds_page.made_files(ROOT)[seeds_page.PAGE]
    reports = sorted((ROOT / data.DATA).glob("*.json"))
    assert len(reports) >= 4
    for path in reports:
        run = json.loads(path.read_text())["run"]
        row = next(line for line in page.splitlines() if f"/{path.name})" in line)
        assert f"`{run['command']}`" in row
        assert run["started"][:10] in row


def test_a_measurement_changes_the_page(root: Path) -> None:
    """Another mean is another page and another chart, and the kept ones are out of date."""

    def slower(report: dict) -> None:
        for record in report["records"]:
            if {"round_trip_mean_ms", "mean_ms"} <= record["figures"].keys():
                record["figures"]["round_trip_mean_ms"] *= 2
                record["figures"]["mean_ms"] *= 2

    change(root, f"{data.DATA}/seeds-004-cpu.json", slower)
    made = seeds_page.made_files(root)
    stale = seeds_page.stale_files(ROOT / seeds_page.FOLDER, made)
    assert stale == ["seeds.md", "seeds-004.svg"]


def test_a_published_figure_changes_the_page(root: Path) -> None:
    """The article's figures are those of the baseline."""

    def faster(file: dict) -> None:
        file["entries"]["resnet50-trt-fp16-b1"]["figures"]["round_trip_mean_ms"] = 1.25

    change(root, "baselines/unstated-gpu/resnet50.json", faster)
    page = seeds_page.made_files(root)[seeds_page.PAGE]
    assert "1.25 ms with copies" in page


def test_a_run_that_was_ended_early(root: Path) -> None:
    """The page says how many of its checks ran."""

    def ended(report: dict) -> None:
        report["run"]["stopped"] = "interrupted"
        report["coverage"] |= {"ran": 3, "expected": 11}

    change(root, f"{data.DATA}/seeds-004-cpu.json", ended)
    page = seeds_page.made_files(root)[seeds_page.PAGE]
    row = next(line for line in page.splitlines() if "/seeds-004-cpu.json)" in line)
    assert " UTC; ended early, after 3 of 11 checks |" in row


def test_what_could_not_run(root: Path) -> None:
    """It is told by its reasons, each once for a device."""

    def lacking(report: dict) -> None:
        lack = {"why": "it rains", "mend": ""}
        report["coverage"]["exclusions"] = [
            {"what": what, "cases": 2, "lack": lack} for what in ("a on b", "c on d", "a on b")
        ]

    change(root, f"{data.DATA}/seeds-004-h200.json", lacking)
    page = seeds_page.made_files(root)[seeds_page.PAGE]
    _, _, told = page.partition("Could not run on NVIDIA H200:")
    assert told.split("\n\n")[1].splitlines()[-1] == "- it rains: a on b, c on d"


def test_speedups() -> None:
    """The fastest engine whose outputs pass is in bold, and a device has its own table."""

    def record(engine: str, judge: str, **figures: float) -> dict:
        return {
            "test": f"suites/seeds/test_speedup.py::test_int8[resnet50-{engine}-b1]",
            "case": {"model": "resnet50"},
            "case_id": f"resnet50-{engine}-b1",
            "judge": judge,
            "figures": figures,
            "details": {},
        }

    times = {"p50_ms": 2.0, "eager_p50_ms": 6.0}
    records = (
        record("ort-int8", "latency", **times, speedup=3.0),
        record("ort-int8", "parity", worst_ratio=0.5),
        record("trt-int8", "latency", **times, speedup=9.0, speedup_over_replay=4.0),
        record("trt-int8", "parity", worst_ratio=1.1),
    )
    run = data.Run("f", "c", "t", "", "a GPU", 2, {}, "", records, ())
    told, _, headings, _, first, second = tables.speedup_tables([run]).splitlines()
    assert told == "a GPU:"
    assert headings == (
        "| network | engine | p50 ms | eager's | over eager | over its CUDA graph | "
        "error, of tolerance |"
    )
    assert first == "| ResNet-50 | **ort-int8** | 2 | 6 | 3.00x |  | 50% |"
    assert second == "| ResNet-50 | trt-int8 | 2 | 6 | 9.00x | 4.00x | 110% |"
    assert tables.speedup_tables([]) == tables.NOT_MEASURED


def test_nothing_measured(root: Path) -> None:
    """Without a report there is no page."""
    shutil.rmtree(root / data.DATA)
    with pytest.raises(ValueError, match=r"has no seeds-\*\.json: nothing was measured"):
        seeds_page.made_files(root)


def test_a_report_without_records(root: Path) -> None:
    """A run that measured nothing is refused, with its file."""
    change(root, f"{data.DATA}/seeds-004-cpu.json", lambda report: report["records"].clear())
    with pytest.raises(ValueError, match=r"seeds-004-cpu\.json has no records"):
        seeds_page.made_files(root)


def test_kept_reports_name_no_machine(root: Path, tmp_path: Path) -> None:
    """A report is kept with its figures; the machine's name and its folders are not."""
    report = json.loads((root / data.DATA / "seeds-004-cpu.json").read_text())
    report["run"] |= {
        "machine": "mine",
        "options": {"baselines": "/home/me/b", "calls": 5},
        "command": "pytest suites/seeds --infer-report=json:/home/me/r/a.json,html:/tmp/b.html "
        "--infer-cache /home/me/c --infer-host=trt=popen//python=/opt/trt8/bin/python -q",
    }
    (tmp_path / "seeds-004-other.json").write_text(json.dumps(report))
    data.keep(tmp_path / "seeds-004-other.json", root)
    kept = json.loads((root / data.DATA / "seeds-004-other.json").read_text())
    assert kept["records"] == report["records"]
    assert kept["run"]["machine"] == ""
    assert kept["run"]["options"] == {"baselines": "b", "calls": 5}
    assert kept["run"]["command"] == (
        "pytest suites/seeds --infer-report=json:a.json,html:b.html "
        "--infer-cache c --infer-host=trt=popen//python=/opt/trt8/bin/python -q"
    )


def test_no_kept_report_names_a_machine() -> None:
    """Those of this repository went through that."""
    for path in (ROOT / data.DATA).glob("*.json"):
        run = json.loads(path.read_text())["run"]
        assert run["machine"] == ""
        assert not [each for each in run["options"].values() if str(each).startswith("/")]
        assert not data.FOLDER.search(run["command"])


def test_an_experiment_that_was_not_measured(root: Path) -> None:
    """Its section says so, and keeps the article's figures."""
    for path in (root / data.DATA).glob("seeds-000-*.json"):
        path.unlink()
    made = seeds_page.made_files(root)
    assert tables.NOT_MEASURED in made[seeds_page.PAGE]
    assert "11.22 images/s" in made[seeds_page.PAGE]
    assert "12.08 /s" in made["seeds-000.svg"]


def test_rows_of_two_runs() -> None:
    """Rows are found by model, test and judge, of every run."""
    record = {
        "test": "suites/seeds/test_x.py::test_article[net-ort-fp32-b4+threads=2]",
        "case": {"model": "net"},
        "case_id": "net-ort-fp32-b4+threads=2",
        "judge": "latency",
        "figures": {"mean_ms": 2.0},
        "details": {},
    }
    others = [record | {"judge": "parity"}, record | {"test": "t.py::test_in_turns[x]"}]
    run = data.Run("f", "c", "t", "", "d", 2, {}, "", (record, *others), ())
    (row,) = data.rows_of([run], "net", "test_article")
    assert (row.engine, row.batch, row.figures) == ("ort-fp32+threads=2", 4, {"mean_ms": 2.0})


def test_factors() -> None:
    """A rate over eager's; nothing without one of them."""
    rows = [
        data.Row("eager-fp32", 1, {"mean_rate_per_s": 4.0}),
        data.Row("eager-fp32", 8, {"mean_rate_per_s": 5.0}),
    ]
    assert markdown.factor(6.0, tables.eager_rate(rows, 1)) == "1.50x"
    assert markdown.factor(6.0, tables.eager_rate(rows, 4)) == ""


def test_bars() -> None:
    """In a group widths are as values, each with its name; the next group has another scale."""
    groups = {"a GPU": [("one", 2.0), ("<two>", 1.0)], "a CPU": [("three", 0.01)]}
    chart = charts.bars("rates", groups, "/s")
    ground, first, second, other = elements(chart, "rect")
    assert other.get("width") == first.get("width")
    assert ground.get("width") == "100%"
    assert float(first.get("width")) == pytest.approx(2 * float(second.get("width")), abs=0.2)
    texts = [each.text for each in elements(chart, "text")]
    assert texts == [
        *("rates", "a GPU", "one", "2 /s", "<two>", "1 /s"),
        *("a CPU", "three", "0.01 /s"),
    ]


def test_lines() -> None:
    """A series is a line with a point per call, on a logarithmic scale."""
    chart = charts.lines("calls", {"a": [1.0, 10.0, 100.0], "b": [1.0]}, "ms")
    first, second = elements(chart, "polyline")
    points = [tuple(map(float, each.split(","))) for each in first.get("points").split()]
    assert len(points) == 3
    assert points[0][1] - points[1][1] == pytest.approx(points[1][1] - points[2][1], abs=0.2)
    assert len(second.get("points").split()) == 1


def test_graph() -> None:
    """A row for each block, with a box for each operation in its order."""
    rows = [
        {"name": "stem", "operations": [{"kind": "Conv2d", "told": "3-32 3x3 /2"}]},
        {
            "name": "blocks.0",
            "operations": [{"kind": "add", "told": ""}, {"kind": "X", "told": ""}],
        },
    ]
    chart = charts.graph("net", rows)
    assert len(elements(chart, "rect")) == 1 + 3
    texts = [each.text or "" for each in elements(chart, "text")]
    assert texts == ["net", "stem", "conv", "3-32 3x3 /2", "blocks.0", "+", "", "X", ""]
