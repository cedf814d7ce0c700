"""int8 by NVIDIA's modelopt, as ONNX files with Q and DQ nodes: for CPUs, and for TensorRT.

TensorRT wants int8 around zero for inputs of layers too, which is modelopt's default. ONNX Runtime
then computes all in fp32 on a CPU: it removes a ReLU before int8 only where nothing below zero can
be written. So a CPU gets uint8 for the inputs, none of which is below zero in this network.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from infer_digits.digits import calibration
from infer_digits.onnx_file import EXAMPLE
from infer_digits.training import train

if TYPE_CHECKING:
    from pathlib import Path

OPSET = 17
"""The newest that TensorRT 8.6 reads."""


def calibrated(module: nn.Module, *, is_unsigned: bool) -> nn.Module:
    """Return a trained network with modelopt's int8 roundings, calibrated on digits apart.

    Weights are int8 with a scale per output channel. Inputs of layers have one scale per tensor,
    and are uint8 if ``is_unsigned``, else int8.
    """
    images = torch.from_numpy(calibration())
    return mtq.quantize(_folded(module), _settings(is_unsigned), lambda net: net(images))


def quantized_for_tensorrt(module: nn.Module, epochs: int = 4) -> nn.Module:
    """Return a trained network after more training with int8's roundings, in eval mode."""
    torch.manual_seed(1)
    found = calibrated(module, is_unsigned=False).train()
    train(found, epochs, rate=2e-4)
    return found.eval()


def write_calibrated(module: nn.Module, path: Path) -> None:
    """Write it by torch's older exporter: the newer one cannot follow modelopt's own code."""
    torch.onnx.export(
        module,
        EXAMPLE,
        path,
        dynamo=False,
        opset_version=OPSET,
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
    )


def _settings(is_unsigned: bool) -> dict[str, Any]:
    found = copy.deepcopy(mtq.INT8_DEFAULT_CFG)
    for each in found["quant_cfg"]:
        if each["quantizer_name"] == "*input_quantizer":
            each["cfg"]["unsigned"] = is_unsigned
    return found


def _folded(module: nn.Module) -> nn.Module:
    """Return a copy with each normalization in its convolution, from which it would part int8."""
    parts = list(copy.deepcopy(module).eval())
    for number, part in enumerate(parts):
        if isinstance(part, nn.BatchNorm2d):
            parts[number - 1] = fuse_conv_bn_eval(parts[number - 1], part)
    return nn.Sequential(*(part for part in parts if not isinstance(part, nn.BatchNorm2d)))
