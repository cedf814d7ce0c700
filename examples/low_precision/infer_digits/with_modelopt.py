"""int8 after training by NVIDIA's modelopt, as an ONNX file with Q and DQ nodes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from infer_digits.digits import calibration
from infer_digits.onnx_file import EXAMPLE

if TYPE_CHECKING:
    from pathlib import Path


def calibrated(module: nn.Module) -> nn.Module:
    """Return a trained network with modelopt's int8 roundings, calibrated on digits apart.

    Weights are int8 with a scale per output channel, inputs of layers uint8 with one per tensor.
    """
    images = torch.from_numpy(calibration())
    return mtq.quantize(_folded(module), _settings(), lambda net: net(images))


def _settings() -> dict[str, Any]:
    """Return modelopt's default for int8 with inputs without a sign, which none of them has here.

    The default is for TensorRT, which wants int8. ONNX Runtime then computes all in fp32 on a CPU:
    it removes a ReLU before int8 only where nothing below zero can be written.
    """
    found = copy.deepcopy(mtq.INT8_DEFAULT_CFG)
    for each in found["quant_cfg"]:
        if each["quantizer_name"] == "*input_quantizer":
            each["cfg"]["unsigned"] = True
    return found


def write_calibrated(module: nn.Module, path: Path) -> None:
    """Write it by torch's older exporter: the newer one cannot follow modelopt's own code."""
    torch.onnx.export(
        module,
        EXAMPLE,
        path,
        dynamo=False,
        opset_version=18,
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
    )


def _folded(module: nn.Module) -> nn.Module:
    """Return a copy with each normalization in its convolution, from which it would part int8."""
    parts = list(copy.deepcopy(module).eval())
    for number, part in enumerate(parts):
        if isinstance(part, nn.BatchNorm2d):
            parts[number - 1] = fuse_conv_bn_eval(parts[number - 1], part)
    return nn.Sequential(*(part for part in parts if not isinstance(part, nn.BatchNorm2d)))
