"""How long evaluators of ONNX files take for whole networks, and how far off they are.

    python benchmarks/onnx_networks.py FOLDER own onnx onnx2torch

The networks are exported here, with random weights: torchvision's ResNet-50, a BERT of four layers
and a YOLOS of four, each with one row. The truth is torch's own module in fp64.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import onnx_references
import torch
from torch import nn


def main() -> None:
    """Export what is not in the folder yet, then print a line per network and evaluator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("evaluators", nargs="+", choices=sorted(onnx_references.RUNS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("network    evaluator     precision   CPU s     relative L2 against torch in fp64")
    for name, make in NETWORKS.items():
        module, feeds = make()
        path = options.folder / f"{name}.onnx"
        if not path.exists():
            _export(module, feeds, path)
        given = tuple(torch.tensor(value) for value in feeds.values())
        wide = tuple(each.double() if each.is_floating_point() else each for each in given)
        with torch.inference_mode():
            truth = module.double()(*wide).numpy()
        for evaluator in options.evaluators:
            for precision in ("fp64", "fp32"):
                _line(name, evaluator, precision, path=path, feeds=feeds, truth=truth)


def _line(
    name: str, evaluator: str, precision: Any, *, path: Path, feeds: dict[str, Any], truth: Any
) -> None:
    began = process_time()
    try:
        found = onnx_references.RUNS[evaluator](path, feeds, precision)[0]
        error = f"{np.linalg.norm(found - truth) / np.linalg.norm(truth):.1e}"
    except Exception as error_:  # noqa: BLE001 - whatever an evaluator raises is shown
        error = f"{type(error_).__name__}: {' '.join(str(error_).split())[:90]}"
    took = process_time() - began
    print(f"{name:10} {evaluator:13} {precision:9}{took:10.2f}   {error}", flush=True)


def _export(module: nn.Module, feeds: dict[str, Any], path: Path) -> None:
    given = tuple(torch.tensor(value) for value in feeds.values())
    torch.onnx.export(
        module, given, path, dynamo=True, input_names=list(feeds), output_names=["output"]
    )


def _resnet50() -> tuple[nn.Module, dict[str, Any]]:
    import torchvision

    torch.manual_seed(0)
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    return torchvision.models.resnet50(weights=None).eval(), {"image": image}


class _First(nn.Module):
    """The first tensor of what a Hugging Face model returns, from inputs by name."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *values: torch.Tensor) -> Any:
        return self.model(**dict(zip(self.names, values, strict=True)), return_dict=False)[0]


def _bert() -> tuple[nn.Module, dict[str, Any]]:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024,
        attn_implementation="eager",
    )  # fmt: skip
    ids = np.random.default_rng(0).integers(0, 30522, (1, 64))
    names = ("input_ids", "attention_mask")
    module = _First(BertModel(config).eval(), names).eval()
    return module, dict(zip(names, (ids, np.ones_like(ids)), strict=True))


def _yolos() -> tuple[nn.Module, dict[str, Any]]:
    from transformers import YolosConfig, YolosForObjectDetection

    torch.manual_seed(0)
    config = YolosConfig(
        hidden_size=192, num_hidden_layers=4, num_attention_heads=3, intermediate_size=768,
        image_size=[320, 320], attn_implementation="eager",
    )  # fmt: skip
    pixels = np.random.default_rng(0).standard_normal((1, 3, 320, 320)).astype(np.float32)
    module = _First(YolosForObjectDetection(config).eval(), ("pixel_values",)).eval()
    return module, {"pixel_values": pixels}


NETWORKS = {"resnet50": _resnet50, "bert": _bert, "yolos": _yolos}

if __name__ == "__main__":
    sys.exit(main())
