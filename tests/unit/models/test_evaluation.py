"""A user's held-out rows and calibration rows: what fits, what does not, and what is right."""

from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.errors import ModelError
from pytest_infer.graphs.quantization import calibration_feeds
from pytest_infer.models.evaluation import Evaluation, held_out, inputs_from, row_digests
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

IMAGES = np.arange(24, dtype=np.float64).reshape(6, 4)
LABELS = np.array([0, 1, 2, 0, 1, 0])


def spec_of(task="classification", **inputs):
    """Return a spec of the named inputs."""
    outputs = {"scores": TensorSpec(("batch", 3))}
    return ModelSpec("net", task, inputs or {"x": TensorSpec(("batch", 4))}, outputs, Source())


def net(evaluation=None, calibration=None, **spec):
    """Return a model as far as it matters here."""
    return SimpleNamespace(spec=spec_of(**spec), evaluation=evaluation, calibration=calibration)


def scores(*classes):
    """Return outputs whose greatest elements are at ``classes``."""
    return {"scores": np.eye(3, dtype=np.float32)[list(classes)]}


def test_rows_in_a_cycle():
    """The last batch is filled up from the first row on; types are the spec's."""
    found = held_out(net(lambda: (IMAGES, LABELS)))
    feeds = found.feeds(4, 4)
    assert feeds["x"].dtype == np.float32
    np.testing.assert_array_equal(feeds["x"], IMAGES[[4, 5, 0, 1]])
    assert found.guess == 0.5


def test_right_answers():
    """The greatest score is the class; rows beyond the last are not graded; NaN is wrong."""
    found = held_out(net(lambda: ({"x": IMAGES}, LABELS)))
    assert found.right(scores(0, 1, 1), 0).tolist() == [True, True, False]
    assert found.right(scores(1, 0, 2, 2), 4).tolist() == [True, True]
    broken = {"scores": np.full((2, 3), np.nan, np.float32)}
    assert found.right(broken, 0).tolist() == [False, False]


def test_own_grading():
    """Of any task: a function gets the named outputs and the labels."""
    given = Evaluation(lambda: (IMAGES, LABELS), lambda out, labels: out["scores"][:, 0] == labels)
    found = held_out(net(given, task="regression"))
    assert found.right(scores(0, 1, 2), 0).tolist() == [False, False, False]
    assert found.right(scores(1, 0), 0).tolist() == [True, True]
    assert found.guess == 0
    wrong = Evaluation(lambda: (IMAGES, LABELS), lambda *_: [1, 2])
    with pytest.raises(ModelError, match="return a bool for each row") as caught:
        held_out(net(wrong)).right(scores(0, 1), 0)
    assert caught.value.why == "correct returned int64 of shape (2,)"


@pytest.mark.parametrize(
    ("evaluation", "why"),
    [
        (lambda: IMAGES, "it returned a ndarray, not (inputs, labels)"),
        (lambda: (IMAGES, LABELS[:5]), "it has 6 rows and (5,) labels"),
        (lambda: (IMAGES, LABELS / 2), "its labels are float64 of shape (6,)"),
        (lambda: (IMAGES[:, :3], LABELS), "x is float64 [6, 3], not float32 ['batch', 4]"),
        (lambda: ({"y": IMAGES}, LABELS), "it gives y, not x"),
        (lambda: (IMAGES.astype(str), LABELS), "x is <U32 [6, 4], not float32 ['batch', 4]"),
        (lambda: (IMAGES[:0], LABELS[:0]), "it has 0 rows and (0,) labels"),
    ],
)
def test_unusable(evaluation, why):
    """What is no evaluation set is an error that says what it is."""
    with pytest.raises(ModelError) as caught:
        held_out(net(evaluation))
    assert caught.value.what == "cannot use the evaluation set of net"
    assert caught.value.why == why


def test_task_without_classes():
    """Nothing is known to be right there unless the user says it."""
    with pytest.raises(ModelError, match=r"Evaluation\(rows, correct=function\)"):
        held_out(net(lambda: (IMAGES, LABELS), task="regression"))


def test_no_evaluation():
    """A model without one says how to get one."""
    with pytest.raises(ModelError, match="pass evaluation= to it"):
        held_out(net())


def test_own_calibration():
    """A model's own rows take the place of photographs."""
    found = calibration_feeds(net(calibration=lambda: IMAGES), "")
    np.testing.assert_array_equal(found["x"], IMAGES)


def test_rows_are_known_by_content():
    """Wherever a row stands, and in whatever set: all of its inputs count."""
    spec = spec_of(x=TensorSpec(("batch", 4)), y=TensorSpec(("batch",)), z=TensorSpec((2,)))
    rest = {"y": np.arange(6), "z": np.ones(2)}
    digests = row_digests(inputs_from({"x": IMAGES, **rest}, spec, "evaluation"), spec)
    turned = {"x": IMAGES[::-1], "y": rest["y"][::-1], "z": np.zeros(2)}
    assert row_digests(inputs_from(turned, spec, "calibration"), spec) == digests[::-1]
    other = {**turned, "y": rest["y"]}
    assert not {*row_digests(inputs_from(other, spec, "calibration"), spec)} & {*digests}
