"""Accuracy on held-out rows: the mark, the suite, the sets, the counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

SUITE = Path(__file__).parents[2] / "suites" / "test_accuracy.py"

CONFTEST = """
import numpy as np

from pytest_infer import Evaluation

SPEC = {
    "task": "classification",
    "inputs": {"image": TensorSpec(("batch", 1, 8, 8), low=0, high=1)},
    "outputs": {"scores": TensorSpec(("batch", 4))},
}


def rows(seed, count=400):
    '''Return noise with one brighter quarter, and its number; of 5 % the number is another.'''
    random = np.random.default_rng(seed)
    images, quarters = random.random((count, 1, 8, 8)) / 2, random.integers(4, size=count)
    for image, quarter in zip(images, quarters):
        image[0, 4 * (quarter // 2):, 4 * (quarter % 2):][:4, :4] += 0.5
    wrong = random.random(count) < 0.05
    return images.astype(np.float32), np.where(wrong, (quarters + 1) % 4, quarters)


@model(**SPEC, calibration=lambda: rows(1, 50)[0], evaluation=lambda: rows(2))
def quarters():
    return built(0)


def built(turn):
    import torch

    convolution = torch.nn.Conv2d(1, 1, 4, stride=4, bias=False)
    linear = torch.nn.Linear(4, 4)
    with torch.no_grad():
        convolution.weight.fill_(1 / 16)
        linear.weight.copy_(torch.eye(4).roll(turn, 0))
        linear.bias.zero_()
    return torch.nn.Sequential(convolution, torch.nn.Flatten(), linear).eval()


@model(**SPEC, evaluation=Evaluation(lambda: rows(2), original="quarters"))
def turned():
    return built(1)


@model(**SPEC, calibration=lambda: rows(2)[0][:7], evaluation=lambda: rows(2))
def leaking():
    return built(0)


@model(**SPEC, evaluation=lambda: rows(2, 60))
def few():
    return built(0)
"""


@pytest.fixture
def judge(bare_run: Run, cache: Path, pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run the accuracy suite on models of `CONFTEST`."""
    (pytester.path / SUITE.name).write_text(SUITE.read_text())

    def call(models: str, *options: str) -> pytest.RunResult:
        named = (f"--infer-model={models}", f"--infer-cache={cache}", "--infer-device=cpu")
        return bare_run(SUITE.name, *named, *options, conftest=CONFTEST)

    return call


@pytest.mark.nightly
def test_engines_and_precisions(judge: Run) -> None:
    """Each engine has its rows right in fp32 and in int8, and a table says how many."""
    result = judge("quarters", "--engine=eager,ort", "--infer-precision=fp32,int8")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            " model * precision * accuracy * eager fp32 * drop * at most * rows * verdict",
            " quarters * ort * int8 * 9?.??% * +0.00% * 400 * accurate",
        ]
    )


def test_a_loss_fails(judge: Run) -> None:
    """A copy that answers otherwise is beside the model that it is a copy of."""
    result = judge("turned", "--engine=ort")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "turned-ort-fp32-b1 loses more than 1.00% of accuracy",
            "  why:  *% of 400 rows right, quarters in fp32 9*%; drop +*",
            "codes: pytest-infer explain accuracy-drop",
        ]
    )


def test_calibrated_rows_are_refused(judge: Run) -> None:
    """A row of both sets is an error, in whatever precision, by its content."""
    result = judge("leaking", "--engine=ort")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "cannot judge the accuracy of leaking-ort-fp32-b1",
            "  why:  7 of 400 rows of its evaluation set are in the calibration set too: 0, *",
        ]
    )


@pytest.mark.nightly
def test_few_rows(judge: Run) -> None:
    """They are inconclusive, which is no pass: with --infer-strict the test fails."""
    result = judge("few", "--engine=ort", "--infer-strict")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*a drop of 1.00% cannot be told, about 30? rows like these would*"]
    )
    result.stdout.fnmatch_lines(["1 of 1 checks ran, 0 narrowed * verdicts: 1 inconclusive"])


@pytest.mark.nightly
def test_models_without_a_set(judge: Run) -> None:
    """They are not in the suite, and nothing is counted as left out by marks."""
    result = judge("toy", "--engine=ort")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(
        ["1 test of accuracy not selected; no model of this run has an evaluation set (*)"]
    )
    result = judge("toy,quarters", "--engine=ort")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 of 1 checks ran, 0 narrowed away by marks; verdicts: 1 pass"])
    result.stdout.no_fnmatch_line("*not selected*")


def test_the_mark(judge: Run, pytester: pytest.Pytester) -> None:
    """It sets both limits, and an unknown keyword is an error."""
    test = "def test_own(engine, accuracy, enforce):\n    enforce(accuracy(engine))\n"
    mark = "import pytest\n\n@pytest.mark.accuracy({})\n"
    own = pytester.path / "test_own.py"
    own.write_text(mark.format("max_drop=0.1, at_least=0.99") + test)
    result = judge("quarters", "--engine=ort", "test_own.py", "--deselect", SUITE.name)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["quarters-ort-fp32-b1 has fewer than 99.00% right"])
    own.write_text(mark.format("drop=0.1") + test)
    result = judge("quarters", "--engine=ort", "test_own.py")
    result.stderr.fnmatch_lines(["*@pytest.mark.accuracy of *test_own*: unknown keyword * 'drop'*"])
