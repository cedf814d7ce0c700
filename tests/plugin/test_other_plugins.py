"""A fixture's plain name is anybody else's who has it; the prefixed names are always ours."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

THEIRS = """
import pytest

@pytest.fixture
def truth(tmp_path):
    return "theirs"

@pytest.fixture(scope="session")
def case():
    return "theirs"
"""

USE = """
import sys

def test_it(truth, case):
    assert (truth, case) == ("theirs", "theirs")
    assert "pytest_infer.session" not in sys.modules
"""


@pytest.mark.parametrize(
    "order",
    [
        ("-p", "theirs"),
        ("-p", "theirs", "-p", "pytest_infer.plugin"),
        ("-p", "pytest_infer.plugin", "-p", "theirs"),
        ("-p", "no:xdist", "-p", "theirs"),
    ],
    ids=["default", "theirs-first", "ours-first", "without-xdist"],
)
def test_plugin_with_a_fixture(pytester: pytest.Pytester, order: tuple[str, ...]) -> None:
    """The other plugin's fixture wins, whichever was loaded first."""
    pytester.makepyfile(theirs=THEIRS, test_it=USE)
    pytester.syspathinsert()
    pytester.runpytest_subprocess(*order).assert_outcomes(passed=1)


def test_plugin_of_a_conftest(pytester: pytest.Pytester) -> None:
    """So does that of a plugin which a conftest asks for."""
    pytester.makepyfile(theirs=THEIRS, test_it=USE)
    pytester.makeconftest("pytest_plugins = ['theirs']")
    pytester.syspathinsert()
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("place", ["conftest.py", "deep/conftest.py", "deep/test_it.py"])
def test_fixture_of_a_suite(pytester: pytest.Pytester, place: str) -> None:
    """So do a conftest's fixtures, at any depth, and a test file's own."""
    pytester.mkdir("deep")
    (pytester.path / "deep/test_it.py").write_text(USE)
    file = pytester.path / place
    file.write_text(THEIRS + (file.read_text() if file.exists() else ""))
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_arguments_of_others(pytester: pytest.Pytester) -> None:
    """What hypothesis, a mark or a hook gives to an argument is not asked of our fixtures."""
    pytester.makeconftest(
        """
        def pytest_generate_tests(metafunc):
            if "model" in metafunc.fixturenames:
                metafunc.parametrize("model", ["a", "b"])
        """
    )
    pytester.makepyfile(
        """
        import sys
        import pytest
        from hypothesis import given, strategies

        @given(case=strategies.just(1), feeds=strategies.just(2))
        def test_given(case, feeds):
            assert (case, feeds) == (1, 2)

        @pytest.mark.parametrize("engine", [3, 4])
        @pytest.mark.parametrize("variants", [5])
        def test_marked(engine, variants):
            assert engine in (3, 4) and variants == 5

        def test_hook(model):
            assert model in ("a", "b")

        def test_unused():
            assert "pytest_infer.session" not in sys.modules
        """
    )
    pytester.runpytest_subprocess("-v").assert_outcomes(passed=6)


COLLECTOR = """
import functools
import pytest

class Theirs(pytest.Collector):
    def __init__(self, function, **given):
        super().__init__(**given)
        self.function = function

    def collect(self):
        def test(request):
            return self.function(case="theirs", own=request.getfixturevalue("own"))
        self.parent.obj.made_of_it = test
        yield pytest.Function.from_parent(self.parent, name="made_of_it", callobj=test)

def pytest_pycollect_makeitem(collector, name, obj):
    if hasattr(obj, "is_theirs"):
        return Theirs.from_parent(collector, name=name, function=obj)
"""


def test_collector_of_others(pytester: pytest.Pytester) -> None:
    """A plugin that collects functions itself, and calls them with an argument called ``case``."""
    pytester.makepyfile(
        theirs=COLLECTOR,
        test_it="""
        import sys
        import pytest

        @pytest.fixture
        def own():
            return 7

        def test_api(case, own):
            assert (case, own) == ("theirs", 7)
            assert "pytest_infer.session" not in sys.modules

        test_api.is_theirs = True
        """,
    )
    pytester.syspathinsert()
    pytester.runpytest_subprocess("-p", "theirs").assert_outcomes(passed=1)


EVERY = """
from pytest_infer import Verdict

def test_it(infer_case, infer_feeds, infer_engine, infer_enforce, infer_model, engine, case, feeds):
    assert (infer_case, infer_feeds, infer_engine) == (case, feeds, engine)
    assert infer_model.spec.name == "toy"
    infer_enforce(Verdict("parity", "pass", "match", "", {}))

def test_plain_name_is_theirs(truth, infer_case, infer_truth):
    assert truth == "theirs"
    assert type(infer_truth).__name__ == "Truth"
"""


def test_prefixed_names(run: Run, pytester: pytest.Pytester) -> None:
    """They are ours beside a plugin that has a plain one, and the same objects as the others."""
    pytester.makepyfile(theirs=THEIRS.partition("@pytest.fixture(scope")[0], test_own=EVERY)
    pytester.syspathinsert()
    result = run("test_own.py", "--engine=eager", "-p", "theirs")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["1 of 2 checks ran, *; verdicts: 1 pass"])


def test_plain_name_extended(run: Run, pytester: pytest.Pytester) -> None:
    """A conftest's fixture may be made of ours of the same name."""
    pytester.makepyfile(test_own="def test_it(engine, case): assert engine == (case, 'wrapped')")
    result = run(
        *("test_own.py", "--engine=eager"),
        conftest="import pytest\n\n@pytest.fixture\ndef engine(engine):\n"
        "    return engine.case, 'wrapped'\n",
    )
    result.assert_outcomes(passed=1)


def test_every_fixture_has_a_prefix(pytester: pytest.Pytester) -> None:
    """Each plain name is listed beside the prefixed one that it stands for."""
    text = pytester.runpytest_subprocess("--fixtures", "-q").stdout.str()
    for name in ("baseline", "case", "eager", "enforce", "engine", "feeds", "fuzz", "latency"):
        assert f"Short for ``infer_{name}``. " in text


@pytest.mark.skipif(find_spec("pytest_torch") is None, reason="pytest-torch is not installed")
def test_pytest_torch(pytester: pytest.Pytester) -> None:
    """The real one: ``latency`` is its function that times another."""
    pytester.makepyfile("def test_it(latency): assert latency(lambda: None, iters=2) >= 0")
    pytester.runpytest_subprocess("--torch-device=cpu").assert_outcomes(passed=1)


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_schemathesis(pytester: pytest.Pytester) -> None:
    """The real one: ``case`` is a request that it generates."""
    pytester.makepyfile(
        """
        import schemathesis

        API = {
            "openapi": "3.0.2",
            "info": {"title": "t", "version": "1"},
            "paths": {"/x": {"get": {"responses": {"200": {"description": "ok"}}}}},
        }

        @schemathesis.openapi.from_dict(API).parametrize()
        def test_api(case):
            assert type(case).__module__.startswith("schemathesis")
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
