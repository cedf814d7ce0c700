"""A whole run: its tests, its table, its counts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]


def test_every_engine(run: Run) -> None:
    """Each engine that can run here is judged; nothing is stored, so latencies are new."""
    result = run()
    result.assert_outcomes(passed=16)
    result.stdout.fnmatch_lines(
        [
            "*test_parity.py ..*",
            "* inference engines *",
            " model * engine * precision * batch * p50 ms * p90 ms * eager ms * over eager *",
            " toy * eager * fp32 * 1 * 1.00x * new: no-baseline",
            " toy * ort * fp32 * 1 *x * new: no-baseline",
            " toy * torchscript * fp32 * 1 *x * new: no-baseline",
            "19 of 19 checks ran, 2 narrowed away by marks; verdicts: 3 new, 25 pass",
            "* 16 passed, 3 new in *",
        ]
    )


def test_engines_are_built_once(run: Run, pytester: pytest.Pytester) -> None:
    """A second run finds every engine in the cache."""
    options = (f"--infer-cache={pytester.path / 'own'}", "-k", "outputs")
    run_twice = [run(*options) for _ in range(2)]
    run_twice[0].stdout.fnmatch_lines(["engines: 2 built, 0 found in the cache"])
    run_twice[1].stdout.fnmatch_lines(["engines: 0 built, 2 found in the cache"])


def test_damaged_entry_is_made_again(run: Run, pytester: pytest.Pytester) -> None:
    """An artefact that differs from what was stored is never used, and the run says so."""
    options = ("--engine=ort", f"--infer-cache={pytester.path / 'own'}", "-k", "outputs")
    run(*options)
    (file,) = (pytester.path / "own/engines").glob("*/optimized.onnx")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    result = run(*options)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "engines: 1 built, 0 found in the cache",
            "notice: optimized.onnx in * is not the file that was stored; it was made again",
        ]
    )


def test_exclusions_are_counted(run: Run) -> None:
    """A precision that an engine cannot do is named with its reason; the others run."""
    result = run("--infer-precision=fp32,bf16", "--infer-batch=1,2", "-k", "outputs")
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(
        ["could not run: ort in bf16 (2 cases): on cpu, ort runs fp32, int8; mend: *fp32"]
    )


def test_what_no_test_wants_is_not_counted(run: Run, pytester: pytest.Pytester) -> None:
    """Marks may leave out what cannot run: nothing is lacking then."""
    pytester.makepyfile(
        test_own="""
        import pytest

        @pytest.mark.infer(engines="eager")
        def test_it(case):
            pass
        """
    )
    result = run("test_own.py", "--infer-precision=fp32,bf16")
    result.assert_outcomes(passed=2)
    assert "could not run" not in result.stdout.str()


def test_workers_share_the_matrix(run: Run) -> None:
    """Under xdist every check runs once, a case's on one worker; the controller reports for all."""
    result = run("-n", "2", "-v")
    result.assert_outcomes(passed=16)
    places = re.findall(r"\[(gw\d)\].* PASSED .*\[(toy-\S+)\]", result.stdout.str())
    assert len(places) == 16
    workers = {case: {at for at, of in places if of == case} for _, case in places}
    assert all(len(on) == 1 for on in workers.values()), workers
    assert len(set.union(*workers.values())) == 2
    result.stdout.fnmatch_lines(
        ["19 of 19 checks ran, 2 narrowed away by marks; verdicts: 3 new, 25 pass"]
    )


def test_reports(run: Run, pytester: pytest.Pytester) -> None:
    """The same records become JSON, Markdown, HTML and a history, with how the run was made."""
    result = run(
        "--engine=ort",
        "-k",
        "outputs",
        "--infer-report=json:out/r.json,md:out/r.md",
        "--infer-report=html:out/r.html,history:out/r.jsonl",
    )
    result.assert_outcomes(passed=1)
    content = json.loads((pytester.path / "out/r.json").read_text())
    (record,) = content["records"]
    assert record["case_id"] == "toy-ort-fp32-b1"
    assert record["code"] == "match"
    assert record["runtime"]["onnxruntime"]
    assert content["coverage"]["ran"] == content["coverage"]["expected"] == 1
    assert "| toy | ort | fp32 | 1 |" in (pytester.path / "out/r.md").read_text()
    page = (pytester.path / "out/r.html").read_text()
    assert 'id="case-toy-ort-fp32-b1"' in page
    assert "Over runs" not in page  # there is one run only
    history = json.loads((pytester.path / "out/r.jsonl").read_text())
    assert history["case_id"] == "toy-ort-fp32-b1"
    assert (record["file"], record["line"]) == ("test_parity.py", 16)
    assert record["details"]["checks"]
    assert content["schema"] == 2
    made = content["run"]
    assert made["command"].startswith("pytest ")
    assert " --infer-model=toy " in made["command"]
    assert made["started"].endswith("+00:00")
    assert made["duration_s"] > 0
    assert made["options"]["engines"] == ["ort"]
    assert made["versions"]["pytest"]
    assert made["dirty"] is None  # it is no repository


def test_test_stopped_early_is_seen(run: Run, pytester: pytest.Pytester) -> None:
    """What a stopped run left out shows in the counts, and at the head of each report.

    A history that cannot be read is kept as it is, and takes no page with it.
    """
    (pytester.path / "broken.jsonl").write_text("{}\n")
    result = run(
        *("-x", "-k", "outputs", "--engine=a-fake,eager,ort,torchscript"),
        *("--infer-report=md:r.md", "--infer-report=html:r.html,history:broken.jsonl"),
        conftest='register(FakeEngine("a-fake", outputs=scale(1.01)))',
    )
    result.stdout.fnmatch_lines(
        [
            "1 of 4 checks ran, 3 narrowed away by marks; verdicts: 1 fail",
            "report: r.html, without the history",
            "cannot use broken.jsonl",
        ]
    )
    told = "Stopped (stopping after 1 failures): 1 of 4 checks ran"
    assert (pytester.path / "r.md").read_text().startswith(f"### ❌ pytest-infer: {told}; 1 fail")
    assert told in (pytester.path / "r.html").read_text()
    assert (pytester.path / "broken.jsonl").read_text() == "{}\n"


def test_nothing_selected(bare_run: Run, pytester: pytest.Pytester) -> None:
    """A page of an earlier run is not taken for one of this."""
    result = bare_run("-k", "nothing_like_that", "--infer-report=html:r.html")
    result.stdout.fnmatch_lines(["no report was written: no test was selected"])
    assert not (pytester.path / "r.html").exists()


def test_engines_are_listed(bare_run: Run) -> None:
    """``--infer-engines`` says what can run, and runs nothing."""
    result = bare_run("--infer-engines", "--infer-device=cpu")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*ort * on cpu * fp32*",
            "*--infer-option=ort.intra_op_threads=N (0): threads of one operator*",
            "*torchscript * on cpu * fp16*",
            "Libraries that exclude each other each get a separate environment, which",
        ]
    )
    assert "test_outputs" not in result.stdout.str()


def test_budget(run: Run, pytester: pytest.Pytester) -> None:
    """A budget that is set by hand fails with the figure, the limit and the mend."""
    pytester.makepyfile(
        test_own="""
        import pytest

        @pytest.mark.infer(engines="slow-fake")
        @pytest.mark.latency_budget(p50_ms=20)
        def test_it(engine, feeds, gpu_timer, latency, enforce):
            enforce(latency(gpu_timer(engine, feeds)))
        """
    )
    result = run(
        *("test_own.py", "--engine=slow-fake"),
        conftest='register(FakeEngine("slow-fake", delay_s=0.05))',
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["toy-slow-fake-fp32-b1 is over budget", "  why:  p50_ms * > 20 (*"]
    )


@pytest.mark.nightly
def test_budget_over_the_baseline(run: Run, pytester: pytest.Pytester) -> None:
    """A budget over the stored median is new without one, and is judged when there is one."""
    pytester.makepyfile(
        test_own="""
        import pytest

        @pytest.mark.latency_budget(p50_over_baseline=3)
        def test_it(engine, feeds, gpu_timer, latency, enforce):
            enforce(latency(gpu_timer(engine, feeds)))
        """
    )
    fake = 'register(FakeEngine("fake", delay_s={}))'
    stored = run(
        *("test_own.py", "--engine=fake", "--update-baselines"), conftest=fake.format(0.02)
    )
    stored.stdout.fnmatch_lines(["*new: to-be-stored", "stored in * 1 entries"])
    slower = run("test_own.py", "--engine=fake,eager", conftest=fake.format(0.5))
    slower.assert_outcomes(failed=1)
    slower.stdout.fnmatch_lines(
        [
            "  why:  p50_over_baseline * > 3 (*",
            "new: toy-eager-fp32-b1: cannot judge p50_over_baseline: *",
        ]
    )


@pytest.mark.nightly
def test_resources(run: Run, pytester: pytest.Pytester) -> None:
    """Memory beyond the stored one is reported as grown, and fails where a mark limits it."""
    pytester.makepyfile(
        test_own="""
        import pytest

        def test_told(engine, feeds, gpu_timer, latency, enforce):
            enforce(latency(gpu_timer(engine, feeds)))

        @pytest.mark.resource_budget(growth=0.1)
        def test_limited(engine, feeds, gpu_timer, latency, enforce):
            enforce(latency(gpu_timer(engine, feeds)))
        """
    )
    asked = ("test_own.py", "--engine=ort")
    stored = run(*asked, "-k", "told", "--update-baselines")
    stored.stdout.fnmatch_lines(["stored in * 1 entries"])
    (file,) = pytester.path.glob("baselines/*/toy.json")
    content = json.loads(file.read_text())
    figures = content["entries"]["toy-ort-fp32-b1"]["figures"]
    assert {"engine_bytes", "build_s", "load_s", "peak_host_bytes"} <= figures.keys()
    figures["peak_host_bytes"] /= 2
    file.write_text(json.dumps(content))
    result = run(*asked)
    assert result.parseoutcomes() == {"inconclusive": 1, "failed": 1}
    result.stdout.fnmatch_lines(
        [
            "toy-ort-fp32-b1 takes more than its resource budget",
            "  why:  peak_host_bytes *, stored * (+*%), +10.0% is allowed",
            "inconclusive: toy-ort-fp32-b1 takes more than when it was stored: peak_host_bytes *",
        ]
    )


def test_sweep(run: Run, pytester: pytest.Pytester) -> None:
    """A run over several batches has a table of them, in the terminal and in the reports."""
    result = run(
        *("--engine=ort", "--infer-batch=1,2", "-k", "latency", "-v"),
        "--infer-report=json:r.json",
    )
    result.stdout.fnmatch_lines(
        [
            " model * engine * precision * batch * p50 ms * images/s * of best * over eager*",
            " toy * ort * fp32 * 1 *%*x*",
            " * 2 *%*x*",
            " model * engine * engine MB * build s * load s * peak host MB * device MB",
        ]
    )
    content = json.loads((pytester.path / "r.json").read_text())
    (sweep,) = content["sweeps"]
    assert [point["batch"] for point in sweep["points"]] == [1, 2]
    assert sum(point["is_best"] for point in sweep["points"]) == 1
    figures = next(each["figures"] for each in content["records"] if each["judge"] == "latency")
    assert {"engine_bytes", "build_s", "load_s", "peak_host_bytes"} <= figures.keys()
