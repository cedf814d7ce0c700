"""Nodes of a compiled OpenVINO model are counted by what they compute in."""

from pytest_infer.engines.adapters.openvino.nodes import node_precisions


def test_products_and_others_are_counted_and_moves_are_not():
    """A reorder in bf16 computes nothing; a softmax does."""
    counts = node_precisions(
        [
            ("Input", "f32"),
            ("Reorder", "bf16"),
            ("Convolution", "bf16"),
            ("MatMul", "f32"),
            ("Softmax", "f32"),
            ("Output", "f32"),
        ]
    )
    assert counts.as_dict() == {"products": {"bf16": 1, "fp32": 1}, "others": {"fp32": 1}}


def test_bytes_are_int8_in_products_only():
    """Both signs of int8 multiply; a comparison in u8 holds bools."""
    counts = node_precisions([("Convolution", "u8"), ("FullyConnected", "i8"), ("Eltwise", "u8")])
    assert counts.as_dict() == {"products": {"int8": 2}, "others": {}}


def test_precision_without_a_name_is_kept():
    """A type that this package does not know is reported as it is."""
    assert node_precisions([("MatMul", "f8e4m3")]).precision == "f8e4m3"
