"""Count false failures of the parts of outputs that differ in scale, on honest random networks.

    python benchmarks/mixed_scales.py --first=1000 --seeds=15
    python benchmarks/mixed_scales.py --without=floor                  # or luck

Each network has one output of several scales: heads like those of YOLOv5, YOLOv8, FCOS and one with
binned distances, of three strides, channels first or last, with scores from 1 to 1e-6; one object's
box, depth and scores from pooled features; features behind a ReLU, some channels nearly dead;
classes of a segmentation. Weights and batch norms are random. They run in TorchScript, in eager
mode in another memory format, without oneDNN and row by row, in ONNX Runtime and in OpenVINO; none
of it is wrong, so that whatever fails is a false failure: `failed` counts comparisons in which a
part fails, `whole failed` those in which the whole output does. The ratio is to what is allowed.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pytest_infer import Precision
from pytest_infer.judges import allowance

if TYPE_CHECKING:
    from collections.abc import Iterator


DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
SIDE = 64
WIDTH = 16


class Backbone(nn.Module):
    """Features of three strides."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        wide = (3, WIDTH, 2 * WIDTH, 4 * WIDTH)
        self.stages = nn.ModuleList(
            nn.Sequential(block(a, b, 2, activation), block(b, b, 1, activation))
            for a, b in pairwise(wide)
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the features, the finest first."""
        found = [image]
        for stage in self.stages:
            found.append(stage(found[-1]))
        return found[1:]


def block(inputs: int, outputs: int, stride: int, activation: type[nn.Module]) -> nn.Module:
    """Return a convolution, a norm with random statistics and an activation."""
    layer, norm = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    nn.init.kaiming_normal_(layer.weight)
    nn.init.normal_(norm.running_mean, 0, 0.2)
    nn.init.uniform_(norm.running_var, 0.3, 1.5)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, 0, 0.3)
    return nn.Sequential(layer, norm, activation())


class Head(nn.Module):
    """Boxes in pixels, scores or their logits, masks' coefficients and depths of every anchor."""

    def __init__(self, draw: np.random.Generator) -> None:
        super().__init__()
        self.kind = str(draw.choice(["yolov5", "yolov8", "exponential", "bins", "corners"]))
        self.is_last, self.has_depth = bool(draw.integers(2)), bool(draw.integers(2))
        self.has_logits = draw.integers(4) == 0
        self.masks, self.classes = int(draw.choice([0, 0, 8])), int(draw.choice([1, 6, 20]))
        self.backbone = Backbone(nn.SiLU if draw.integers(2) else nn.ReLU)
        sides = 32 if self.kind == "bins" else 4
        self.parts = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, n, 1) for n in (sides, self.classes, self.masks + 1))
            for width in (WIDTH, 2 * WIDTH, 4 * WIDTH)
        )
        prior = draw.choice([-1, -4.6, -8, -12]) + draw.normal(0, 2, self.classes)
        for _, scores, _ in self.parts:  # type: ignore[misc]
            scores.bias.data = torch.tensor(prior, dtype=torch.float32)  # type: ignore[has-type]
        self.register_buffer("bins", torch.arange(8.0))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels, anchors), or the channels last."""
        levels = zip(self.backbone(image), self.parts, (2.0, 4.0, 8.0), strict=True)
        found = torch.cat([self.level(*each).flatten(2) for each in levels], 2)
        return found.transpose(1, 2) if self.is_last else found

    def level(self, features: torch.Tensor, parts: Any, stride: float) -> torch.Tensor:
        """Return what is found at one stride."""
        box, score, more = (part(features) for part in parts)
        return torch.cat(
            [
                self.boxes(box, stride),
                score if self.has_logits else score.sigmoid(),
                more[:, : self.masks],
                *([functional.softplus(more[:, self.masks :]) * 10] if self.has_depth else []),
            ],
            1,
        )

    def boxes(self, raw: torch.Tensor, stride: float) -> torch.Tensor:
        """Return boxes of an image of 256 pixels by one of the ways in use."""
        rows, columns = raw.shape[2:]
        lines = (torch.arange(n, dtype=raw.dtype) for n in (columns, rows))
        grid = torch.stack(torch.meshgrid(*lines, indexing="xy"))[None]
        if self.kind == "yolov5":
            near = raw.sigmoid()
            first, second = near[:, :2] * 2 - 0.5 + grid, (near[:, 2:] * 2) ** 2 * 4
        elif self.kind == "exponential":
            first, second = raw[:, :2] + grid, torch.exp(raw[:, 2:]) * 4
        elif self.kind == "yolov8":
            near, far = functional.softplus(raw[:, :2]), functional.softplus(raw[:, 2:])
            first, second = grid + 0.5 + (far - near) / 2, near + far
        elif self.kind == "bins":
            shares = raw.view(len(raw), 4, 8, rows, columns).softmax(2)
            sides = (shares * self.bins.view(1, 1, 8, 1, 1)).sum(2)
            first, second = grid + 0.5 - sides[:, :2], grid + 0.5 + sides[:, 2:]
        else:
            first, second = grid + 0.5 - raw[:, :2], grid + 0.5 + raw[:, 2:]
        return torch.cat([first, second], 1) * stride * 4


class One(nn.Module):
    """The box, depth and scores of one object, from pooled features: few elements."""

    def __init__(self, draw: np.random.Generator) -> None:
        super().__init__()
        self.backbone = Backbone(nn.SiLU if draw.integers(2) else nn.ReLU)
        self.is_softmax = bool(draw.integers(2))
        self.last = nn.Linear(4 * WIDTH, 5 + int(draw.choice([2, 5, 20])))
        nn.init.normal_(self.last.weight, 0, (4 * WIDTH) ** -0.5)
        nn.init.normal_(self.last.bias)
        self.last.bias.data[5:] += float(draw.choice([-1, -4, -8]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels)."""
        raw = self.last(self.backbone(image)[-1].mean((2, 3)))
        scores = raw[:, 5:].softmax(1) if self.is_softmax else raw[:, 5:].sigmoid()
        depth = 10 * functional.softplus(raw[:, 4:5])
        return torch.cat([640 * raw[:, :4].sigmoid(), depth, scores], 1)


class Features(nn.Module):
    """Features behind a ReLU whose channels' scales are lognormal."""

    def __init__(self, draw: np.random.Generator) -> None:
        super().__init__()
        self.backbone = Backbone(nn.ReLU)
        norm: Any = self.backbone.stages[-1][1][1]  # type: ignore[index]
        width = len(norm.weight)
        norm.weight.data = torch.tensor(np.exp(draw.normal(-1, 1.5, width)), dtype=torch.float32)
        norm.bias.data = torch.tensor(draw.normal(-1, 1.5, width), dtype=torch.float32)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels, rows, columns)."""
        found: torch.Tensor = self.backbone(image)[-1]
        return found


class Segments(nn.Module):
    """The probabilities of each pixel's class."""

    def __init__(self, draw: np.random.Generator) -> None:
        super().__init__()
        self.backbone = Backbone(nn.SiLU if draw.integers(2) else nn.ReLU)
        self.last = nn.Conv2d(2 * WIDTH, int(draw.choice([5, 21])), 1)
        self.sharpness = float(draw.choice([1, 4]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (batch, classes, rows, columns)."""
        return (self.sharpness * self.last(self.backbone(image)[1])).softmax(1)


NETWORKS: dict[str, type[Any]] = {
    "heads": Head,
    "one object": One,
    "features": Features,
    "segments": Segments,
}


def images(seed: int, batch: int) -> torch.Tensor:
    """Return noise whose power falls with the frequency, as photographs' does."""
    source = torch.Generator().manual_seed(seed)
    octaves = [
        functional.interpolate(
            torch.randn(batch, 3, side, side, generator=source), (SIDE, SIDE), mode="bilinear"
        )
        * (8 / side) ** 0.5
        for side in (4, 8, 16, 32, 64)
    ]
    return torch.stack(octaves).sum(0)


@dataclass(frozen=True)
class Run:
    """What an honest engine put out, beside eager's."""

    engine: str
    precision: Precision
    actual: Any
    reference: Any
    eager: Any


def runs(network: nn.Module, image: torch.Tensor, folder: Path) -> Iterator[Run]:
    """Yield every engine's outputs in every precision that it has."""
    reference = deepcopy(network).double()(image.double()).numpy()
    for precision, dtype in DTYPES.items():
        module, feed = deepcopy(network).to(dtype), image.to(dtype)
        eager = module(feed).float().numpy()
        engines = {
            "eager, channels last": _channels_last(module, feed),
            "eager, without oneDNN": _without_onednn(module, feed),
            "eager, row by row": torch.cat([module(row[None]) for row in feed]),
            "torchscript": _traced(module, feed),
        }
        for engine, actual in engines.items():
            yield Run(engine, precision, actual.float().numpy(), reference, eager)
        if precision != "fp16":
            for engine, found in _from_graph(network, image, folder, precision):
                yield Run(engine, precision, found, reference, eager)


def _channels_last(module: nn.Module, feed: torch.Tensor) -> Any:
    copy: Any = deepcopy(module).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return copy(feed.contiguous(memory_format=torch.channels_last))


def _without_onednn(module: nn.Module, feed: torch.Tensor) -> Any:
    with torch.backends.mkldnn.flags(enabled=False):
        return module(feed)


def _traced(module: nn.Module, feed: torch.Tensor) -> Any:
    traced: Any = torch.jit.freeze(torch.jit.trace(module, feed, check_trace=False))
    if feed.dtype == torch.float32:
        traced = torch.jit.optimize_for_inference(traced)
    return [traced(feed) for _ in range(3)][-1]  # fused from the second call on


def _from_graph(
    network: nn.Module, image: torch.Tensor, folder: Path, precision: Precision
) -> Iterator[tuple[str, Any]]:
    import onnxruntime
    import openvino

    path = folder / "network.onnx"
    torch.onnx.export(
        network, (image,), str(path), dynamo=False, opset_version=17, input_names=["image"]
    )
    if precision == "fp32":
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        yield "ort", session.run(None, {"image": image.numpy()})[0]
    hint = {"INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision]}
    compiled = openvino.Core().compile_model(str(path), "CPU", hint)
    yield "openvino", np.array(compiled(image.numpy())[0], np.float32)


def ratios(run: Run) -> Iterator[tuple[bool, float]]:
    """Yield whether a part was judged, and how many times its bound the figure is."""
    for each in allowance.allowances(run.eager, run.reference, run.precision):
        judged = each.of(run.actual)
        for name in allowance.DERIVED:
            value = allowance.metrics()[name](judged, each.noise.reference)
            yield each.part is not None, value / each.bound(name)


def leave_out(what: str) -> None:
    """Take one term of the rule away, to see what it is for."""
    rule: Any = allowance
    if what == "floor":
        rule.part_floor = lambda *_: 0.0
    elif what == "luck":
        rule.luck_of = lambda _: 1.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="how many networks of a kind")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--network", choices=NETWORKS, help="only this kind")
    parser.add_argument("--without", choices=("floor", "luck"), default="")
    options = parser.parse_args()
    leave_out(options.without)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    print("| network | precision | compared | parts | failed | worst | whole failed | worst |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind in [options.network] if options.network else NETWORKS:
        found: dict[Precision, list[tuple[bool, float]]] = defaultdict(list)
        counts: dict[Precision, list[int]] = defaultdict(lambda: [0, 0, 0])
        with TemporaryDirectory() as folder, torch.no_grad():
            for seed in range(options.first, options.first + options.seeds):
                torch.manual_seed(seed)
                network = NETWORKS[kind](np.random.default_rng(seed)).eval()
                image = images(seed, 8 if kind == "one object" else 2)
                for run in runs(network, image, Path(folder)):
                    if not np.isfinite(run.actual).all():
                        continue  # boxes of an exponential end in fp16: no matter of scales
                    judged = list(ratios(run))
                    found[run.precision] += judged
                    counts[run.precision][0] += 1
                    for at, is_part in enumerate((True, False), 1):
                        counts[run.precision][at] += any(
                            part == is_part and not ratio <= 1 for part, ratio in judged
                        )
        for precision, judged in found.items():
            whole, parts = ([r for part, r in judged if part == is_part] for is_part in (0, 1))
            compared, failed, whole_failed = counts[precision]
            of_parts = len(parts) // len(allowance.DERIVED)
            cells = (
                *(kind, precision, compared, of_parts, failed),
                *(f"{max(parts, default=0):.2f}", whole_failed, f"{max(whole):.2f}"),
            )
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
