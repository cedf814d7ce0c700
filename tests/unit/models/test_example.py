"""The outputs of a module are read off what it returns."""

import pytest
import torch

from pytest_infer.errors import ModelError
from pytest_infer.models.declaration import dims_of
from pytest_infer.models.example import read_outputs
from pytest_infer.models.spec import TensorSpec

ROWS = {"x": TensorSpec(("batch", "time", 3))}


class Net(torch.nn.Module):
    """Returns what a function makes of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        """Return anything."""
        return self.function(x)


def outputs(function, inputs=ROWS, **choice):
    """Return the outputs of a module that returns what ``function`` does."""
    return read_outputs(Net(function), "net", inputs, dims_of(inputs, None), **choice)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x, {"output": TensorSpec(("batch", "time", 3))}),
        (lambda x: x.argmax(-1), {"output": TensorSpec(("batch", "time"), "int64")}),
        (
            lambda x: (x.mean(1), [x[:, ::2], None]),
            {
                "output.0": TensorSpec(("batch", 3)),
                "output.1.0": TensorSpec(("batch", "output_1_0_1", 3)),
            },
        ),
        (
            lambda x: {"state": x.transpose(0, 1)[:1], "n": x.shape[1]},
            {"state": TensorSpec((1, "state_1", 3))},
        ),
        (lambda x: {"y": x.flatten()}, {"y": TensorSpec(("y_0",))}),
    ],
)
def test_names_dtypes_and_sizes(function, expected):
    """A size that follows an input's has its name; another that changes has one of its own."""
    assert outputs(function) == expected


def test_some_of_them():
    """A source chooses among outputs that have names; a tuple's are all."""
    assert list(outputs(lambda x: {"a": x, "b": x}, wanted=lambda names: names[1:])) == ["b"]
    assert len(outputs(lambda x: (x, x), wanted=lambda names: names[1:])) == 2


def test_a_name_of_an_input():
    """A tensor without a name never has an input's."""
    assert list(outputs(lambda x: x, {"output": TensorSpec((1, 2))})) == ["output_out"]


def test_no_tensor():
    """A forward that returns none is told with what it returned."""
    with pytest.raises(ModelError) as caught:
        outputs(lambda _: {"loss": None, "n": 3})
    assert caught.value.why == "it returned loss, n"


def test_a_module_that_fails():
    """The error has the sizes at which it fails, and the line."""

    def first(x):
        return x.reshape(2, -1)[:, :3] if x.shape[0] == 2 else torch.mm(x, x)

    with pytest.raises(ModelError) as caught:
        outputs(first)
    assert caught.value.what == "cannot run net at batch=3, time=16"
