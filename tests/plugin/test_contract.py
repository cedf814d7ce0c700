"""The contract as others use it, from a separate package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

CONFTEST = """
import os

from pytest_infer import register
from pytest_infer.testing import FakeEngine


def tell():
    if "THERE" in os.environ:
        raise RuntimeError("opened there")


register(FakeEngine("mine", process=tell, stage="open"))
"""
FILE = """
from pytest_infer.testing import EngineContract


class TestMine(EngineContract):
    engine_name = "mine"
"""


def test_its_engine_runs_where_it_is_told_to(pytester: pytest.Pytester) -> None:
    """The host is that of the command line."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(FILE)
    options = ("-p", "no:cacheprovider", "-k", "owns_its_outputs")
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1, deselected=8)
    result = pytester.runpytest_subprocess(*options, "--infer-host=mine=popen//env:THERE=1")
    result.assert_outcomes(failed=1, deselected=8)
    result.stdout.fnmatch_lines(["*opened there*"])
