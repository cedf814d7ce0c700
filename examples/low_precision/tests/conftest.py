"""The network in fp32, its sparse and its quantized copy, with what they are judged by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from infer_digits.digits import calibration, evaluation

from pytest_infer import Evaluation, TensorSpec, model, model_from

if TYPE_CHECKING:
    from torch import nn

BUILT = Path(__file__).parents[1] / "build"
"""What ``python -m infer_digits build`` has written."""


INPUTS = {"image": TensorSpec(("batch", 1, 8, 8), low=0, high=1)}
OUTPUTS = {"scores": TensorSpec(("batch", 10))}
COPY = Evaluation(evaluation, original="digits")


@model(
    task="classification",
    inputs=INPUTS,
    outputs=OUTPUTS,
    calibration=calibration,
    evaluation=evaluation,
)
def digits() -> nn.Module:
    """Return the trained network."""
    return _with_weights("digits.pt")


@model(
    task="classification", inputs=INPUTS, outputs=OUTPUTS, calibration=calibration, evaluation=COPY
)
def digits_sparse() -> nn.Module:
    """Return the network that was pruned to 2:4 and trained on."""
    return _with_weights("digits_sparse.pt")


for name in ("digits_qat", "digits_modelopt", "digits_trt", "digits_qat_trt"):
    model_from(
        str(BUILT / f"{name}.onnx"),
        task="classification",
        inputs=INPUTS,
        calibration=calibration,
        evaluation=COPY,
    )


def _with_weights(name: str) -> nn.Module:
    import torch
    from infer_digits.network import network

    found = network()
    found.load_state_dict(torch.load(BUILT / name))
    return found.eval()
