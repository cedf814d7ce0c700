"""An engine in another environment is as right, and as fast.

    pytest suites/test_against.py --engine=ort --infer-against=ort=popen//python=/opt/old/bin/python

Without ``--infer-against`` this test is counted and reported, and does not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer import Against, Answers, Arrays, Enforce, EngineUnderTest


def test_against(
    engine: EngineUnderTest, answers: Answers, feeds: Arrays, against: Against, enforce: Enforce
) -> None:
    """The outputs of both environments, and pairs of processes that are timed in turns."""
    enforce(against.outputs(answers), against.speed(engine, feeds))
