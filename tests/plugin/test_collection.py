"""Every model of the run's conftest files is in the matrix, and no test is left out in silence."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[dict[str, str]], None]

MODEL = """
from pytest_infer import TensorSpec, model

@model(inputs={"x": TensorSpec(("batch", 4))}, outputs={"y": TensorSpec(("batch", 2))})
def mine():
    import torch; return torch.nn.Linear(4, 2)
"""
TESTS = """
import pytest

@pytest.mark.infer(models="mine")
def test_it(case):
    assert case.model == "mine"
"""
TREE = {
    "tests/engines/deep/conftest.py": MODEL,
    "tests/engines/deep/test_deep.py": TESTS,
    "tests/test_other.py": "def test_other(): pass\n",
}


@pytest.fixture
def write(pytester: pytest.Pytester) -> Write:
    """Write files beside an ini that asks for eager mode."""
    pytester.makeini("[pytest]\ninfer_engine = eager\ninfer_cache = off\n")

    def call(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return call


@pytest.mark.parametrize(
    "options",
    [(), ("--engine=eager",), ("--infer-model=mine",), ("--infer-model=mine", "-n", "2"), ("-n2",)],
    ids=" ".join,
)
def test_deep_model(pytester: pytest.Pytester, write: Write, options: tuple[str, ...]) -> None:
    """A model of a folder far below is tested from the root, named or not."""
    write(TREE)
    result = pytester.runpytest_subprocess(*options, "--infer-device=cpu")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["* of 1 checks ran*"])


def test_model_of_a_later_folder(pytester: pytest.Pytester, write: Write) -> None:
    """It is in the matrix of the tests that are collected before its folder."""
    write({**TREE, "tests/a/test_early.py": TESTS})
    pytester.runpytest_subprocess().assert_outcomes(passed=3)


def test_unknown_model(pytester: pytest.Pytester, write: Write) -> None:
    """The error is one, and names the files in which models were looked for."""
    write(TREE)
    result = pytester.runpytest_subprocess("--infer-model=min")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: unknown model 'min'",
            "  why:  valid choices: *mine*",
            "        conftest.py files loaded: */tests/engines/deep/conftest.py",
            "  mend: did you mean 'mine'?",
            "        or also name the folder of the conftest.py that registers it",
        ]
    )
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_conftest_elsewhere(
    pytester: pytest.Pytester, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conftest.py where pytest was started, but no test is, is named with what loads it."""
    write(
        {
            "clone/pytest.ini": "[pytest]\ninfer_engine = eager\ninfer_cache = off\n",
            "clone/suites/test_it.py": TESTS,
            "mine/conftest.py": MODEL,
        }
    )
    monkeypatch.chdir(pytester.path / "mine")
    options = ("../clone/suites", "--infer-model=mine", "--infer-device=cpu")
    result = pytester.runpytest_subprocess(*options, "-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    command = f"python -m pytest {' '.join(('-p', 'conftest'))}"
    result.stderr.fnmatch_lines(
        [
            "        conftest.py files loaded: none",
            "        */mine/conftest.py was not loaded: it is not above the tests that run",
            f"        or load it: {command} * {' '.join(options)} *",
        ]
    )
    again = pytester.run(sys.executable, "-m", "pytest", "-p", "conftest", *options)
    again.assert_outcomes(passed=1)


def test_conftest_with_an_error(pytester: pytest.Pytester, write: Write) -> None:
    """It is reported as pytest reports it, once."""
    write({**TREE, "tests/engines/conftest.py": "raise RuntimeError('broken')\n"})
    result = pytester.runpytest_subprocess("--engine=eager")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR collecting tests/engines*", "*RuntimeError: broken"])


@pytest.mark.parametrize("way", ["norecursedirs", "--ignore", "collect_ignore"])
def test_folder_that_is_left_out(pytester: pytest.Pytester, write: Write, way: str) -> None:
    """The conftest.py of a folder that pytest does not enter is not loaded."""
    write({**TREE, "tests/left/conftest.py": "raise SystemExit('loaded')\n"})
    options = {
        "norecursedirs": ("-o", "norecursedirs=left"),
        "--ignore": ("--ignore=tests/left",),
        "collect_ignore": (),
    }[way]
    if way == "collect_ignore":
        write({"tests/conftest.py": "collect_ignore = ['left']\n"})
    pytester.runpytest_subprocess("--engine=eager", *options).assert_outcomes(passed=2)


NEIGHBOUR = """
import conftest
import helper_{name}

def test_it(case, own):
    assert own == conftest.NAME == "{name}"
"""


def test_folders_see_their_own_conftest(pytester: pytest.Pytester, write: Write) -> None:
    """``import conftest`` and ``sys.path`` are in each folder what pytest makes of them alone."""
    write({"x/conftest.py": MODEL.replace("mine", "x"), "a/test_path.py": "import sys\nP = 1\n"})
    for name in ("b", "c"):
        fixture = f"import pytest\nNAME = '{name}'\n\n@pytest.fixture\ndef own(): return NAME\n"
        write({f"{name}/conftest.py": fixture, f"{name}/helper_{name}.py": ""})
        write({f"{name}/test_{name}.py": NEIGHBOUR.format(name=name)})
    write(
        {
            "a/test_a.py": "import sys\n\ndef test_it(case): pass\n\n"
            "assert 'conftest' not in sys.modules\n"
            "assert not [path for path in sys.path if path.endswith(('/b', '/c'))]\n"
        }
    )
    pytester.runpytest_subprocess("--infer-model=x").assert_outcomes(passed=3)


def test_without_a_matrix(pytester: pytest.Pytester) -> None:
    """Tests that need a case fail with the reason, and those beside them run."""
    pytester.makeini("[pytest]\ninfer_engine = ort\ninfer_precision = fp64\n")
    pytester.makepyfile("def test_needs(engine, feeds): pass\n\ndef test_beside(): pass\n")
    for workers in ((), ("-n", "1")):
        result = pytester.runpytest_subprocess(*workers)
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(
            ["*ERROR at setup of test_needs*", "no case is left to test", "  why:  ort in fp64: *"]
        )
        assert "Traceback" not in result.stderr.str() + result.stdout.str()


UNABLE = """
import unittest
import pytest

class TestOld(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _engine(self, engine):
        self.engine = engine

    def test_it(self):
        pass

def test_late(request):
    request.getfixturevalue("engine")

@pytest.fixture
def made_of_it(request):
    return request.getfixturevalue("engine")

def test_hidden(made_of_it):
    pass

def test_beside():
    pass
"""


def test_that_cannot_be_parametrized(pytester: pytest.Pytester) -> None:
    """A method of a TestCase, or a fixture asked for at run time, is told what to write."""
    pytester.makepyfile(UNABLE)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1, errors=2)
    text = (
        "\nthis test has no case: it was not parametrized\n"
        "  why:  pytest cannot parametrize a method of a unittest.TestCase, nor a test that gets "
        "its fixtures only by request.getfixturevalue\n"
        "  mend: make it a function, or a method of a class that is no TestCase, which has the "
        "fixture as an argument\n"
    )
    shown = result.stdout.str().partition("short test summary")[0]  # whole texts there in a CI
    assert shown.count(text) == 3


def test_marks_that_leave_no_case(pytester: pytest.Pytester, write: Write) -> None:
    """Such a test is deselected, and named below the table even if no other needs a case."""
    write({"conftest.py": MODEL, "test_it.py": TESTS + "\n\ndef test_beside(): pass\n"})
    result = pytester.runpytest_subprocess("--infer-model=resnet50")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["no case of this run fits the marks of: test_it.py::test_it"])
