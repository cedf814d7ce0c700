"""The first wrong layer among plain errors."""

import pytest

from pytest_infer.graphs.layer import Layer
from pytest_infer.judges.divergence import first_divergence, layer_errors, told


def chain(*operators):
    """Return layers in a row, called a, b, c, …."""
    names = "abcdefgh"
    return [
        Layer(names[place], f"node_{names[place]}", operator, (names[place - 1],) if place else ())
        for place, operator in enumerate(operators)
    ]


LAYERS = chain("Conv", "Relu", "Conv", "Relu", "Gemm")


def found(**errors):
    """Return the layers with these errors."""
    return layer_errors(LAYERS, errors)


def test_the_jump_is_named_not_the_largest_error():
    """A layer that passes a large error on, and makes it larger, is not the first."""
    errors = found(a=1e-7, b=1e-7, c=1e-2, d=2e-2, e=5e-2)
    worst = first_divergence(errors, "fp32")
    assert worst.layer == LAYERS[2]
    assert told(errors, worst) == (
        "  tensor  relative L2  operator\n"
        "  a          1.00e-07  Conv node_a\n"
        "  b          1.00e-07  Relu node_b\n"
        "> c          1.00e-02  Conv node_c\n"
        "  d          2.00e-02  Relu node_d\n"
        "  e          5.00e-02  Gemm node_e"
    )


def test_rounding_that_grows_is_no_divergence():
    """An error that doubles in each layer is rounding."""
    assert first_divergence(found(a=1e-7, b=2e-7, c=4e-7, d=8e-7, e=2e-6), "fp32") is None
    assert first_divergence([], "fp32") is None


@pytest.mark.parametrize(("precision", "name"), [("fp32", "c"), ("bf16", None)])
def test_rounding_is_that_of_the_precision(precision, name):
    """What no fp32 layer loses, any bf16 layer does."""
    worst = first_divergence(found(a=1e-7, b=1e-7, c=4e-3, d=4e-3, e=4e-3), precision)
    assert (worst.layer.tensor if worst else None) == name


def test_a_layer_that_was_not_looked_at_passes_on():
    """The inputs of an unknown input count."""
    (_, late) = found(a=1e-3, e=2e-3)
    assert late.before == 1e-3


def test_nan_diverges():
    """A tensor that is not finite has an infinite error."""
    assert first_divergence(found(a=0.0, b=float("inf")), "fp32").layer == LAYERS[1]
