"""Feeds that an engine cannot have been built for are refused by name, with what it takes."""

import numpy as np
import pytest

from pytest_infer.engines.feed_check import check_feeds
from pytest_infer.engines.protocol import BuildRequest
from pytest_infer.errors import RunError
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec

SPEC = ModelSpec(
    name="reader",
    task="tensor",
    inputs={
        "tokens": TensorSpec(("batch", "length"), "int64"),
        "image": TensorSpec(("batch", 3, "height")),
    },
    outputs={"scores": TensorSpec(("batch", 2))},
    source=Source(module="reader"),
    dims={
        "batch": Dim(1, 2, 4),
        "length": Dim(1, 5, 9),
        "height": Dim(8, 16, 32, multiple=8),
    },
)
REQUEST = BuildRequest("fp32", "cpu", SPEC.input_shapes(2))


def feeds(batch=2, length=5, height=16, **others):
    """Return right feeds of these sizes; ``others`` replace them."""
    made = {
        "tokens": np.zeros((batch, length), np.int64),
        "image": np.zeros((batch, 3, height), np.float32),
    }
    return made | others


@pytest.mark.parametrize(
    "sizes", [{}, {"batch": 1, "length": 1, "height": 8}, {"batch": 4, "length": 9, "height": 32}]
)
def test_within_the_bounds(sizes):
    """The bounds belong to what may be fed."""
    check_feeds(SPEC, REQUEST, feeds(**sizes))


def test_what_was_asked_for():
    """The shapes that an engine was built for may be fed, even beyond the spec's bounds."""
    request = BuildRequest("fp32", "cpu", SPEC.input_shapes(20))
    check_feeds(SPEC, request, feeds(batch=20))


def test_zero_where_the_bounds_say_so():
    """Nothing at all may be fed to a dimension whose bounds begin at zero."""
    spec = ModelSpec(
        "any", "tensor", {"x": TensorSpec(("n",))}, {}, Source(module="any"), {"n": Dim(0, 1, 2)}
    )
    request = BuildRequest("fp32", "cpu", spec.input_shapes(1))
    check_feeds(spec, request, {"x": np.zeros(0, np.float32)})


TAKES_TOKENS = "shapes from (1, 1) to (4, 9)"
TAKES_IMAGE = "shapes from (1, 3, 8) to (4, 3, 32)"


@pytest.mark.parametrize(
    ("fed", "what", "why", "mend"),
    [
        (
            {},
            "reader",
            "its inputs are tokens, image, and the feeds are none",
            "feed one array to each input, by its name",
        ),
        (
            feeds(picture=np.zeros(1)),
            "reader",
            "its inputs are tokens, image, and the feeds are image, picture, tokens",
            "feed one array to each input, by its name",
        ),
        (
            feeds(image=np.zeros((2, 3, 16))),
            "image",
            "its spec names float32, and the feed is float64",
            "feed image as float32",
        ),
        (
            feeds(tokens=np.zeros((2, 5), np.float32)),
            "tokens",
            "its spec names int64, and the feed is float32",
            "feed tokens as int64",
        ),
        *(
            (
                fed,
                name,
                f"the engine was built for {takes}, and the feed has shape {shape}",
                f"feed {name} in {takes}, or build the engine for another batch",
            )
            for fed, name, takes, shape in (
                (feeds(batch=0), "tokens", TAKES_TOKENS, (0, 5)),
                (feeds(batch=5), "tokens", TAKES_TOKENS, (5, 5)),
                (feeds(length=0), "tokens", TAKES_TOKENS, (2, 0)),
                (feeds(height=33), "image", TAKES_IMAGE, (2, 3, 33)),
                (feeds(height=7), "image", TAKES_IMAGE, (2, 3, 7)),
                (
                    feeds(image=np.zeros((2, 4, 16), np.float32)),
                    "image",
                    TAKES_IMAGE,
                    (2, 4, 16),
                ),
                (
                    feeds(tokens=np.zeros((2, 5, 1), np.int64)),
                    "tokens",
                    TAKES_TOKENS,
                    (2, 5, 1),
                ),
                (feeds(tokens=np.zeros(5, np.int64)), "tokens", TAKES_TOKENS, (5,)),
            )
        ),
        (
            feeds(height=12),
            "reader",
            "its height is a multiple of 8, and the feeds have 12",
            "feed a height of 8",
        ),
        (
            feeds(tokens=np.zeros((3, 5), np.int64)),
            "reader",
            "its inputs have a batch of 2, 3",
            "feed the same batch to every input",
        ),
    ],
)
def test_refused(fed, what, why, mend):
    """Names, types, ranks, sizes, multiples, and sizes that inputs must share."""
    with pytest.raises(RunError) as caught:
        check_feeds(SPEC, REQUEST, fed)
    assert str(caught.value) == f"cannot feed {what}\n  why:  {why}\n  mend: {mend}"
