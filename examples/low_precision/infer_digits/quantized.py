"""Quantization-aware training: the trained network with int8's roundings in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torchao.quantization.pt2e import move_exported_model_to_eval, move_exported_model_to_train
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)

from infer_digits.onnx_file import DYNAMIC, EXAMPLE
from infer_digits.training import train

if TYPE_CHECKING:
    from torch import nn


def quantized(module: nn.Module, epochs: int = 4) -> nn.Module:
    """Return a trained network after more training with int8's roundings, which stay in it.

    Weights are int8 with a scale per output channel, activations uint8 with one per tensor.
    """
    torch.manual_seed(1)
    config = get_default_x86_inductor_quantization_config(is_qat=True)
    quantizer = X86InductorQuantizer().set_global(config)
    exported = torch.export.export(module, EXAMPLE, dynamic_shapes=DYNAMIC).module()
    prepared = prepare_qat_pt2e(exported, quantizer)
    move_exported_model_to_train(prepared)
    train(prepared, epochs, rate=2e-4)
    move_exported_model_to_eval(prepared)
    return convert_pt2e(prepared)
