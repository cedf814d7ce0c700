"""A graph's precision follows from counts of its nodes, and a mixture is not called by one."""

import pytest

from pytest_infer.graphs.node_precisions import NodePrecisions


@pytest.mark.parametrize(
    ("products", "others", "precision", "share"),
    [
        ({"fp32": 53}, {"fp32": 20}, "fp32", 1.0),
        ({"bf16": 53}, {"fp32": 20}, "bf16", 1.0),
        ({"int8": 50, "fp32": 50}, {}, "int8", 0.5),
        ({"int8": 33, "fp32": 21}, {}, "int8", 33 / 54),
        ({"fp64": 2}, {}, "fp64", 1.0),
        ({}, {"bf16": 3, "fp32": 1}, "bf16", 0.75),
    ],
)
def test_most_products_decide(products, others, precision, share):
    """Half of the products make a reduced precision; a graph without any has its other nodes."""
    counts = NodePrecisions(products, others)
    assert counts.precision == precision
    assert counts.share(precision) == share


@pytest.mark.parametrize(
    ("products", "others", "told"),
    [
        ({"fp32": 47, "bf16": 3}, {}, "fp32 with bf16 in 3 of 50 nodes"),
        ({"fp32": 8}, {"fp32": 1, "bf16": 1}, "fp32 with bf16 in 1 of 10 nodes"),
        ({"bf16": 4, "fp16": 4, "fp32": 4}, {}, "fp32 with bf16 in 4, fp16 in 4 of 12 nodes"),
        ({"fp32": 1, "fp64": 1}, {}, "fp32, fp64"),
        ({}, {}, "no fractions"),
    ],
)
def test_mixture_is_no_precision(products, others, told):
    """One reduced node is enough for a graph not to be fp32, and its share is nothing."""
    counts = NodePrecisions(products, others)
    assert counts.precision == told
    assert counts.share(told) == 0.0


def test_nodes_of_unknown_types_are_not_integers():
    """Nothing is said of the precision of a graph whose types are not known."""
    assert NodePrecisions({}, {}, unknown=2).precision == "unknown, in 2 nodes"
    assert NodePrecisions({"fp32": 1}, {}, unknown=2).precision == "fp32"
