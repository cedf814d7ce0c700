"""What can be registered as a model."""

from functools import partial

import pytest

from pytest_infer import ModelError, TensorSpec, model


class Net:
    """A class, which some decorate instead of a function."""


@pytest.mark.parametrize(
    ("create", "why"),
    [(partial(int, 1), "it has no name"), (Net, "a class is no function that creates a module")],
)
def test_no_function(create, why):
    """The error says what to decorate."""
    declare = model(inputs={"x": TensorSpec((1,))}, outputs={"y": TensorSpec((1,))})
    with pytest.raises(ModelError, match="decorate a function that returns the module") as caught:
        declare(create)
    assert caught.value.why == why
