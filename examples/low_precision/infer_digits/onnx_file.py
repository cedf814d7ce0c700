"""Write a network as an ONNX file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

EXAMPLE = (torch.zeros(2, 1, 8, 8),)
DYNAMIC = ({0: torch.export.Dim("batch", min=1, max=1024)},)


def write_onnx(module: nn.Module, path: Path) -> None:
    """Write a network as an ONNX file; one with int8's roundings in it has Q and DQ nodes."""
    torch.onnx.export(
        module,
        EXAMPLE,
        path,
        dynamo=True,
        external_data=False,
        input_names=["image"],
        output_names=["scores"],
        dynamic_shapes=DYNAMIC,
    )
