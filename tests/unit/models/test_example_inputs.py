"""The inputs of a model are read off an example."""

import numpy as np
import pytest
import torch

from pytest_infer.errors import ModelError
from pytest_infer.models.example_inputs import inputs_from_example
from pytest_infer.models.spec import Dim, TensorSpec


def forward(ids, mask=None, *more):
    """Take inputs as any forward."""


def read(example, **dynamic):
    """Return what is read off an example."""
    return inputs_from_example(example, forward, dynamic, "net")


IDS = torch.tensor([[3, 7, 4]] * 2)
MASK = np.zeros((2, 3), np.float32)
SPEC_IDS = TensorSpec(("batch", 3), "int64", 3, 7)
SPEC_MASK = TensorSpec(("batch", 3))


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        (IDS, {"ids": SPEC_IDS}),
        (lambda: IDS, {"ids": SPEC_IDS}),
        ((IDS, MASK), {"ids": SPEC_IDS, "mask": SPEC_MASK}),
        ({"mask": MASK, "ids": IDS}, {"mask": SPEC_MASK, "ids": SPEC_IDS}),
        ((IDS, None), {"ids": SPEC_IDS}),
        ((MASK, MASK, MASK), {"ids": SPEC_MASK, "mask": SPEC_MASK, "input_2": SPEC_MASK}),
        (np.float32(1), {"ids": TensorSpec(())}),
        ((MASK, MASK[0]), {"ids": TensorSpec((2, 3)), "mask": TensorSpec((3,))}),
    ],
)
def test_names_shapes_and_ranges(example, expected):
    """By name or in order; the first axis is the batch if all agree; integers have their range."""
    assert read(example) == (expected, {})


def test_other_dynamic_axes():
    """They have names, and bounds around the example's size; from the end too."""
    inputs, dims = read((IDS, MASK), ids={1: "time"}, mask={-1: "time"})
    assert inputs["ids"].shape == inputs["mask"].shape == ("batch", "time")
    assert dims == {"time": Dim(1, 3, 6)}


def test_a_batch_elsewhere():
    """Naming it says where it is."""
    assert read((MASK, MASK[0]), ids={0: "batch"})[0]["ids"].shape == ("batch", 3)


@pytest.mark.parametrize(
    ("example", "dynamic", "what"),
    [
        (object(), {}, "cannot use the example of net"),
        (([MASK, MASK[0]],), {}, "cannot use the example of net"),
        (MASK, {"ids": {2: "time"}}, "the example of net has no axis 2 of an input 'ids'"),
        (MASK, {"mask": {0: "time"}}, "the example of net has no axis 0 of an input 'mask'"),
    ],
)
def test_what_is_no_example(example, dynamic, what):
    """What is no tensor, and an axis that is not there."""
    with pytest.raises(ModelError) as caught:
        read(example, **dynamic)
    assert caught.value.what == what
