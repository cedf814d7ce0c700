"""The network in fp32, and its quantization-aware copy, with what they are judged by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from infer_digits.digits import calibration, evaluation

from pytest_infer import Evaluation, TensorSpec, model, model_from

if TYPE_CHECKING:
    from torch import nn

BUILT = Path(__file__).parents[1] / "build"
"""What ``python -m infer_digits build`` has written."""


@model(
    task="classification",
    inputs={"image": TensorSpec(("batch", 1, 8, 8), low=0, high=1)},
    outputs={"scores": TensorSpec(("batch", 10))},
    calibration=calibration,
    evaluation=evaluation,
)
def digits() -> nn.Module:
    """Return the trained network."""
    import torch
    from infer_digits.network import network

    found = network()
    found.load_state_dict(torch.load(BUILT / "digits.pt"))
    return found.eval()


model_from(
    str(BUILT / "digits_qat.onnx"),
    task="classification",
    inputs={"image": TensorSpec(("batch", 1, 8, 8), low=0, high=1)},
    calibration=calibration,
    evaluation=Evaluation(evaluation, original="digits"),
)
