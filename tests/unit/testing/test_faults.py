"""Faults in what an engine puts out: each is caught by its code, on arrays alone."""

import numpy as np
import pytest

from pytest_infer.hosts.memory_layout import arranged
from pytest_infer.judges.parity import judge_outputs, noise_floor
from pytest_infer.judges.top_k import judge_top_k
from pytest_infer.testing import faults, feed_faults, memory_faults

DRAW = np.random.default_rng(0)
REFERENCE = {"logits": 3 * DRAW.standard_normal((4, 20))}
NOISE = 1e-6 * DRAW.standard_normal((2, 4, 20))
EAGER = {"logits": REFERENCE["logits"] + NOISE[0]}


def engine():
    """Return the outputs of an engine in fp32 that is as good as eager."""
    return {"logits": (REFERENCE["logits"] + NOISE[1]).astype(np.float32)}


def codes(outputs):
    """Return what the judges of outputs and of classes say."""
    whole = judge_outputs(outputs, REFERENCE, EAGER, precision="fp32")
    noise = noise_floor(EAGER, REFERENCE)["logits"]
    classes = judge_top_k(outputs["logits"], REFERENCE["logits"], noise=noise)
    return {whole.code, classes.code}


def test_an_honest_engine_matches():
    """Without a fault nothing fails."""
    assert codes(engine()) == {"match"}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.scale(1.001), "diverged"),
        (faults.shift(1e-3), "diverged"),
        (faults.scale_channel(1.01, 7), "diverged"),
        (faults.add(1e-3, (3, 5)), "diverged"),
        (faults.swap_rows(0, 1), "wrong-top-1"),
        (faults.copy_row(0, -1), "wrong-top-1"),
        (faults.fill(0.0, -1), "diverged"),
        (faults.roll(1), "wrong-top-1"),
        (faults.clip(-2.0, 2.0), "diverged"),
        (faults.softmax(), "diverged"),
        (faults.store_as("fp16"), "diverged"),
        (faults.store_as("bf16"), "diverged"),
        (faults.transpose(), "wrong-shape"),
        (faults.permute(range(19, -1, -1)), "wrong-top-1"),
        (faults.fill_nan((2, 10)), "not-finite"),
        (faults.scale_by_row(1e-3), "diverged"),
        (faults.mix_rows(1e-3), "diverged"),
        (faults.change(np.negative), "wrong-top-1"),
        (faults.after(faults.scale(2.0), faults.shift(1.0)), "diverged"),
    ],
)
def test_a_fault_is_caught(fault, code):
    """The expected code is among the verdicts, and the outputs given stay as they are."""
    outputs = engine()
    before = outputs["logits"].copy()
    assert code in codes(fault(outputs))
    np.testing.assert_array_equal(outputs["logits"], before)


@pytest.mark.parametrize(("kind", "digits"), [("fp16", 11), ("bf16", 8)])
def test_storing_rounds_to_the_nearest(kind, digits):
    """A stored value is off by at most half of its last digit, and sometimes nearly by that."""
    values = np.float32(1 + DRAW.uniform(0, 1, 1000))
    stored = faults.store_as(kind)({"a": values})["a"]
    assert stored.dtype == np.float32
    worst = np.max(np.abs(stored - values))
    assert 0.9 * 2.0**-digits < worst <= 2.0**-digits


def test_faults_with_a_memory():
    """A drift grows with each call, a stale output is of the call before, an old binding short."""
    first, second = ({"a": np.full((rows, 2), float(rows))} for rows in (1, 2))
    drift, stale, short = (
        memory_faults.drift(0.5),
        memory_faults.stale(),
        memory_faults.stale_shape(),
    )
    assert [drift(first)["a"][0, 0] for _ in range(3)] == [1, 1.5, 2]
    assert stale(first)["a"].tolist() == [[1, 1]]
    assert stale(second)["a"].tolist() == [[1, 1], [2, 2]]
    assert short(first)["a"].tolist() == [[1, 1]]
    assert short(second)["a"].tolist() == [[2, 2], [0, 0]]
    assert short(second)["a"].tolist() == [[2, 2], [2, 2]]


def test_faults_of_some_calls():
    """Every third call is faulty, or late; another runner counts for itself."""
    nan, late = memory_faults.every(3, faults.fill_nan((0, 0))), memory_faults.stale_every(3)
    fault, other = nan(), nan()
    outputs = [{"a": np.full((1, 2), float(number))} for number in range(6)]
    found = [np.isnan(fault({}, each)["a"]).any() for each in outputs]
    assert found == [False, False, True, False, False, True]
    assert not np.isnan(other({}, outputs[0])["a"]).any()
    fault = late()
    assert [fault({}, each)["a"][0, 0] for each in outputs] == [0, 1, 1, 3, 4, 4]


def test_fault_of_one_input():
    """The n-th different row is changed wherever it is in a batch, and nothing else."""
    fault = memory_faults.in_nth_row(2, faults.best_swapped)()
    feeds = {"x": np.arange(3.0).reshape(3, 1)}
    logits = np.array([[1.0, 3, 2]] * 3)
    assert fault(feeds, {"a": logits})["a"].tolist() == [[1, 3, 2], [1, 2, 3], [1, 3, 2]]
    again = fault({"x": feeds["x"][::-1]}, {"a": logits})["a"]
    assert again.tolist() == [[1, 3, 2], [1, 2, 3], [1, 3, 2]]
    alone = fault({"x": feeds["x"][1:2]}, {"a": logits[:1]})["a"]
    assert alone.tolist() == [[1, 2, 3]]
    assert logits.tolist() == [[1, 3, 2]] * 3


def test_another_dtype():
    """The values stay."""
    found = faults.return_as("float64")({"a": np.ones(2, np.float32)})["a"]
    assert (found.dtype, found.tolist()) == (np.float64, [1, 1])


def fed(*shape):
    """Return feeds of a shape."""
    return {"image": np.ones(shape, np.float32)}


def test_fault_of_some_shapes():
    """Only the feeds of which the condition is true get wrong outputs."""
    fault = feed_faults.where(feed_faults.size(2, lambda height: height % 2), faults.scale(2))
    outputs = engine()
    assert fault(fed(1, 3, 4), outputs) is outputs
    assert (fault(fed(1, 3, 5), outputs)["logits"] == 2 * outputs["logits"]).all()


def test_late_copy():
    """The first row is the call's before, if that was smaller."""
    fault = memory_faults.kept(lambda before, now: before < now)
    first, second = ({"y": np.full((2, 2), value)} for value in (1, 2))
    assert fault(fed(1, 2), first)["y"].tolist() == [[1, 1], [1, 1]]
    assert fault(fed(1, 3), second)["y"].tolist() == [[1, 1], [2, 2]]
    assert fault(fed(1, 2), first)["y"].tolist() == [[1, 1], [1, 1]]


def test_buffer_of_two_runners():
    """After the other runner's call the first row is that one's."""
    make = memory_faults.shared_buffer()
    left, right = make(), make()
    first, second = ({"y": np.full((2, 2), value)} for value in (1, 2))
    assert left({}, first)["y"].tolist() == [[1, 1], [1, 1]]
    assert left({}, second)["y"].tolist() == [[2, 2], [2, 2]]
    assert right({}, first)["y"].tolist() == [[2, 2], [1, 1]]


def test_strides_ignored():
    """A contiguous feed is read right, any other from its memory's start."""
    feed = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    for layout, is_right in (("contiguous", True), ("channels_last", False), ("offset", False)):
        found = feed_faults.ignore_strides(arranged({"x": feed}, layout))["x"]
        assert np.array_equal(found, feed) == is_right


def test_limits():
    """What is too large becomes infinite with its sign, what is too small zero."""
    feeds = {"x": np.array([-1e6, -1, 1e-6, 1e6], np.float32)}
    assert feed_faults.saturate(65504)(feeds)["x"][[0, 3]].tolist() == [-np.inf, np.inf]
    assert feed_faults.flush(1e-3)(feeds)["x"].tolist() == [-1e6, -1, 0, 1e6]


@pytest.mark.parametrize("axis", [1, 2])
def test_boxes_as_corners(axis):
    """The first four values become corners, on either axis; what follows them stays."""
    boxes = np.array([[[10.0, 20, 4, 6, 0.5], [0, 0, 2, 2, 0.9]]])
    corners = np.array([[[8.0, 17, 12, 23, 0.5], [-1, -1, 1, 1, 0.9]]])
    given = boxes if axis == 2 else boxes.swapaxes(1, 2)
    found = faults.as_corners(axis=axis)({"y": given})["y"]
    np.testing.assert_array_equal(found, corners if axis == 2 else corners.swapaxes(1, 2))
