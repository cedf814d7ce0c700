"""Installed and unused, the plugin changes nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

HEAVY = (
    "torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "hypothesis",
    "msgspec",
    "rich",
    "execnet",
    "pynvml",
)

UNUSED = f"""
import sys

def test_nothing_heavy_is_loaded():
    assert not [name for name in {HEAVY} if name in sys.modules]

def test_own_case_fixture(case, model):
    assert (case, model) == (1, 2)

import pytest

@pytest.fixture(params=[1])
def case(request):
    return request.param

@pytest.fixture
def model():
    return 2
"""

OTHERS_OFF = (
    "-p",
    "no:hypothesispytest",
    "-p",
    "no:xdist",
    "-p",
    "no:xdist.looponfail",
    "-p",
    "no:benchmark",
    "-p",
    "no:anyio",
    "-p",
    "no:rerunfailures",
    "-p",
    "no:html",
    "-p",
    "no:metadata",
)


def _shown(result: pytest.RunResult) -> str:
    text = re.sub(r"in \d+\.\d+s", "in 0s", result.stdout.str())
    return "\n".join(line for line in text.splitlines() if not line.startswith("plugins:"))


def test_start_is_light_and_silent(pytester: pytest.Pytester) -> None:
    """No inference library is imported, and the output is that of pytest without the plugin."""
    pytester.makepyfile(UNUSED)
    with_plugin = pytester.runpytest_subprocess(*OTHERS_OFF, "-v")
    with_plugin.assert_outcomes(passed=2)
    without = pytester.runpytest_subprocess(*OTHERS_OFF, "-v", "-p", "no:pytest_infer.plugin")
    assert _shown(with_plugin) == _shown(without)


def test_plugin_can_be_named(pytester: pytest.Pytester) -> None:
    """``-p pytest_infer.plugin`` loads the same plugin once."""
    pytester.makepyfile("def test_ok(): pass")
    pytester.runpytest_subprocess("-p", "pytest_infer.plugin").assert_outcomes(passed=1)


def test_parametrized_case_is_left_alone(pytester: pytest.Pytester) -> None:
    """A user's own parameter called ``case`` is not ours."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("case", [1, 2])
        def test_it(case):
            assert case in (1, 2)
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
