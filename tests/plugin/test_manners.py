"""The plugin among pytest's own options, other plugins and a user's own fixtures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

JUDGED = """
import pytest
from pytest_infer import RunError, Verdict


def verdict(status, figures=None):
    return Verdict("parity", status, "code-of-it", f"the message of {status}", figures or {})
"""


def _write(pytester: pytest.Pytester, tests: str) -> str:
    """Write a file of tests that judge without running an engine; return its name."""
    (pytester.path / "test_own.py").write_text(JUDGED + tests)
    return "test_own.py"


def _junit(pytester: pytest.Pytester) -> ElementTree.Element:
    """Return what ``--junitxml=junit.xml`` wrote."""
    return ElementTree.parse(pytester.path / "junit.xml").getroot()  # noqa: S314 - our own


def test_missing_weights(run: Run, pytester: pytest.Pytester) -> None:
    """A folder without the model's file fails its cases with the names that are there."""
    weights = pytester.mkdir("weights")
    (weights / "toi.safetensors").write_bytes(b"")
    result = run(
        "--engine=ort",
        f"--infer-weights={weights}",
        "-k",
        "outputs and other",
        "--infer-model=other",
        conftest="""

@model(inputs={"x": TensorSpec(("batch", 3))}, outputs={"y": TensorSpec(("batch", 3))})
def other(pretrained):
    import torch

    return torch.nn.Linear(3, 3)
""",
    )
    result.assert_outcomes(errors=1, deselected=12)
    text = result.stdout.str()
    assert (
        f"cannot find weights of other in {str(weights)!r}\n"
        "  why:  it has toi.safetensors, but not other.safetensors or other.pt or other.pth\n"
        "  mend: " in text
    )
    assert "weights.py" not in text


def test_own_model_in_three_lines(run: Run) -> None:
    """A decorated function in a ``conftest.py`` is a model like any other."""
    result = run(
        "--engine=ort",
        "--infer-model=mine",
        "-k",
        "outputs and mine",
        conftest="""

@model(inputs={"x": TensorSpec(("batch", 4))}, outputs={"y": TensorSpec(("batch", 2))})
def mine():
    import torch; return torch.nn.Linear(4, 2)
""",
    )
    result.assert_outcomes(passed=1, deselected=12)
    result.stdout.fnmatch_lines([" mine * ort * fp32 * 1 * pass"])


def test_unused_under_other_options(pytester: pytest.Pytester) -> None:
    """A suite that uses nothing of ours runs with the terminal, or xdist, switched off."""
    pytester.makepyfile("def test_ok(): pass")
    for options in (["-p", "no:terminal"], ["-p", "no:xdist", "-p", "no:junitxml"], ["-n", "1"]):
        assert pytester.runpytest_subprocess(*options).ret == 0


def test_without_terminal(run: Run, pytester: pytest.Pytester) -> None:
    """Reports are written even if nothing is shown."""
    name = _write(pytester, "def test_it(case, enforce): enforce(verdict('pass'))")
    result = run(name, "--engine=ort", "-p", "no:terminal", "--infer-report=json:r.json")
    assert result.ret == 0
    assert json.loads((pytester.path / "r.json").read_text())["coverage"]["ran"] == 1


def test_error_in_a_fixture(run: Run, pytester: pytest.Pytester) -> None:
    """An error of ours in a fixture is shown as its three lines, and counted as a failed check."""
    name = _write(
        pytester,
        """
@pytest.fixture
def broken(case):
    raise RunError("cannot do it", why="it is broken", mend="repair it")

def test_it(broken): pass
""",
    )
    result = run(name, "--engine=ort", "--junitxml=junit.xml")
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "cannot do it\n  why:  it is broken\n  mend: repair it\n" in text
    assert "def broken" not in text
    assert "1 of 1 checks ran, 0 narrowed away by marks; verdicts: 1 fail" in text
    (error,) = _junit(pytester).iter("error")
    assert "cannot do it\n  why:  it is broken\n  mend: repair it" in error.text


def test_check_is_counted_once(run: Run, pytester: pytest.Pytester) -> None:
    """A test that is judged and then fails in its teardown is one check with two records."""
    name = _write(
        pytester,
        """
@pytest.fixture
def late(case):
    yield
    raise RunError("cannot end", why="it is late", mend="hurry")

def test_it(late, enforce): enforce(verdict("pass"))
""",
    )
    result = run(name, "--engine=ort")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["1 of 1 checks ran, 0 narrowed away by marks; verdicts: 1 fail, 1 pass"]
    )


def test_strict(run: Run, pytester: pytest.Pytester) -> None:
    """Inconclusive is neither passed nor failed, and fails where that is asked for."""
    name = _write(
        pytester,
        "@pytest.mark.parametrize('status', ['pass', 'new', 'inconclusive'])\n"
        "def test_it(case, enforce, status): enforce(verdict(status))",
    )
    lenient = run(name, "--engine=ort", "-v")
    lenient.assert_outcomes(passed=1)
    lenient.stdout.fnmatch_lines(["*INCONCLUSIVE*", "* 1 passed, 1 new, 1 inconclusive in *"])
    strict = run(name, "--engine=ort", "--infer-strict")
    strict.assert_outcomes(passed=1, failed=1)
    strict.stdout.fnmatch_lines(["the message of inconclusive"])


def test_hostile_texts(run: Run, pytester: pytest.Pytester) -> None:
    """Markup, control characters, HTML and commands of a CI reach every report as text."""
    name = _write(
        pytester,
        r"""
@pytest.mark.parametrize("text", [
    "[red]x[/red]", "[/]", "<script>", "a|b", "x\n  ::error file=a::b\n##vso[task.complete]"
], ids=range(5))
def test_it(case, enforce, text):
    enforce(Verdict("parity", "fail", "code", f"{text} \x1b[31m \x00 \ud800 end", {}))
""",
    )
    result = run(
        *(name, "--engine=ort", "--junitxml=junit.xml"),
        "--infer-report=html:r.html,md:r.md,json:r.json",
    )
    result.assert_outcomes(failed=5)
    assert "INTERNALERROR" not in result.stdout.str()
    result.stdout.fnmatch_lines(["  : :error file=a::b", r"# #vso[[]task.complete]*x1b[[]31m*"])
    assert not [line for line in result.outlines if line.lstrip().startswith("::")]
    assert "##vso" not in result.stdout.str()
    page = (pytester.path / "r.html").read_text()
    assert page.count("<script>") == 1  # the page's own
    assert "&lt;script&gt; \\x1b[31m" in page
    assert len(list(_junit(pytester).iter("failure"))) == 5


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_report_that_cannot_be_written(
    run: Run, pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """The run ends as a usage error that is reported, and the other reports are written."""
    name = _write(pytester, "def test_it(case, enforce): enforce(verdict('pass'))")
    result = run(name, "--engine=ort", "--infer-report=md:test_own.py/r.md,json:r.json", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "report: r.json",
            "cannot write the report test_own.py/r.md",
            "  why:  *",
            "  mend: name another file with --infer-report=md:PATH",
        ]
    )
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


MEASURED = """
def test_it(case, enforce):
    enforce(Verdict("latency", "pass", "measured", "", {"p50_ms": 1.0}))
"""


def test_baselines_of_another_device(run: Run, pytester: pytest.Pytester) -> None:
    """They are left alone: nothing is measured that could not be stored."""
    folder = pytester.path / "baselines/mine"
    folder.mkdir(parents=True)
    device = '{"schema": 1, "holds": "measured", "fingerprint": {"name": "another"}}'
    (folder / "device.json").write_text(device)
    name = _write(pytester, MEASURED)
    result = run(name, "--engine=ort", "--update-baselines", "--gpu-baseline=mine")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: cannot store baselines in {folder}", "  why:  it belongs to *", "  mend: *"]
    )
    assert [path.name for path in folder.iterdir() if path.suffix] == ["device.json"]


def test_baselines_that_cannot_be_stored(run: Run, pytester: pytest.Pytester) -> None:
    """What goes wrong in the end is reported, and the figures still reach the report."""
    name = _write(
        pytester,
        "import pathlib\n\n"
        "@pytest.fixture(autouse=True)\n"
        "def in_the_way(pytestconfig):\n"
        "    pathlib.Path(pytestconfig.rootpath, 'baselines').write_text('')\n" + MEASURED,
    )
    result = run(name, "--engine=ort", "--update-baselines", "--infer-report=json:r.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        ["report: r.json", "cannot read */baselines", "  why:  *", "  mend: *"]
    )


def test_workers_store_every_baseline(run: Run, pytester: pytest.Pytester) -> None:
    """The controller stores what all workers measured, and loses none."""
    name = _write(
        pytester,
        "def test_it(case, enforce):\n"
        "    enforce(Verdict('latency', 'pass', 'measured', '', {'p50_ms': 1.0 * case.batch}))",
    )
    result = run(
        *(name, "--engine=ort", "--infer-batch=1,2,3,4,5,6", "--update-baselines", "-n", "2"),
        "--gpu-baseline=mine",
    )
    result.assert_outcomes(passed=6)
    stored = json.loads((pytester.path / "baselines/mine/toy.json").read_text())["entries"]
    assert {key: entry["figures"]["p50_ms"] for key, entry in stored.items()} == {
        f"toy-ort-fp32-b{batch}": batch for batch in range(1, 7)
    }


def test_worker_that_crashes(run: Run, pytester: pytest.Pytester) -> None:
    """The check on which a worker died is missed in the counts, and no other."""
    name = _write(
        pytester,
        """
import os

def test_it(case, enforce):
    if case.batch == 2:
        os._exit(1)
    enforce(verdict("pass"))
""",
    )
    result = run(name, "--engine=ort", "--infer-batch=1,2,3,4", "-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["3 of 4 checks ran, 0 narrowed away by marks; verdicts: 3 pass"])


@pytest.mark.parametrize(
    ("mode", "runs"),
    [
        (("-n", "2", "--dist", "worksteal"), 1),
        (("-n", "2", "--dist", "each"), 2),
        (("-p", "no:xdist"), 1),
    ],
)
def test_counts_under_every_distribution(
    run: Run, pytester: pytest.Pytester, mode: tuple[str, ...], runs: int
) -> None:
    """A check counts once, however often it ran; a failure is one in every count."""
    name = _write(
        pytester,
        "def test_it(case, enforce):\n    enforce(verdict('fail' if case.batch == 2 else 'pass'))",
    )
    result = run(name, "--engine=ort", "--infer-batch=1,2,3,4", *mode)
    result.assert_outcomes(passed=3 * runs, failed=runs)
    result.stdout.fnmatch_lines(
        [f"4 of 4 checks ran, 0 narrowed away by marks; verdicts: {runs} fail, {3 * runs} pass"]
    )


def test_counts_of_the_last_failures(run: Run, pytester: pytest.Pytester) -> None:
    """``--lf`` expects what it runs."""
    name = _write(
        pytester,
        "def test_it(case, enforce):\n    enforce(verdict('fail' if case.batch == 2 else 'pass'))",
    )
    cached = (name, "--engine=ort", "--infer-batch=1,2,3,4", "-o", "addopts=")
    run(*cached)
    result = run(*cached, "--lf")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["1 of 1 checks ran, 0 narrowed away by marks; verdicts: 1 fail"])


def test_own_fixtures(pytester: pytest.Pytester) -> None:
    """A user's fixtures called as ours are theirs, and no matrix is made for them."""
    pytester.makepyfile(
        """
        import sys
        import pytest

        @pytest.fixture
        def engine(): return "engine"

        @pytest.fixture(params=[1, 2])
        def model(request): return request.param

        @pytest.fixture
        def case(model): return model

        @pytest.fixture
        def feeds(): return 3

        @pytest.mark.parametrize("reference", [5])
        def test_it(engine, model, case, feeds, reference):
            assert (engine, case, feeds, reference) == ("engine", model, 3, 5)
            assert "pytest_infer.session" not in sys.modules
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=2)
    assert "inference engines" not in result.stdout.str()


def test_own_engine_fixture_beside_our_case(run: Run, pytester: pytest.Pytester) -> None:
    """A user may replace one fixture and keep the others."""
    name = _write(
        pytester,
        """
@pytest.fixture
def engine(case): return f"my own {case.engine}"

def test_it(engine, enforce):
    assert engine == "my own ort"
    enforce(verdict("pass"))
""",
    )
    result = run(name, "--engine=ort")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 of 1 checks ran, *; verdicts: 1 pass"])


def test_keyword_that_deselects_all(run: Run, pytester: pytest.Pytester) -> None:
    """Nothing ran and nothing was expected: pytest's own exit code for no tests."""
    name = _write(pytester, "def test_it(case): pass")
    result = run(name, "--engine=ort", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_collect_only(run: Run, tmp_path: Path) -> None:
    """Listing the tests starts no host and builds nothing."""
    cache = tmp_path / "cache"
    result = run("--engine=ort", "--collect-only", "-q", f"--infer-cache={cache}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_parity.py::test_outputs?toy-ort-fp32-b1?"])
    assert not list(cache.rglob("manifest.json"))
    assert run("--engine=ort", "-k", "outputs", f"--infer-cache={cache}").ret == 0
    assert list(cache.rglob("manifest.json"))  # they are where it was looked


def test_records_of_a_case_of_ones_own(run: Run, pytester: pytest.Pytester) -> None:
    """A test that makes its `infer_case` itself is judged, and stands in the table."""
    own = _write(
        pytester,
        """
from pytest_infer import Case


@pytest.fixture(scope="session")
def infer_case():
    return Case("toy", "eager", "fp32", 1, "cpu")


def test_it(enforce):
    enforce(verdict("new"))
""",
    )
    result = run(own)
    result.stdout.fnmatch_lines([" toy * eager * new: code-of-it", "*1 new in*"])
