"""TensorRT's own calibration, of 8.6 and 10: it finds scales of int8 from rows that it is fed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.engines.setting import EngineOption
from pytest_infer.errors import BuildError
from pytest_infer.graphs.calibration import calibration_calls

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.graphs.graph import Graph

NAME = "calibrator"
NONE = "none"

CLASSES: Mapping[str, str] = {
    "entropy": "IInt8EntropyCalibrator2",
    "minmax": "IInt8MinMaxCalibrator",
}

OPTION = EngineOption(
    default=NONE,
    help="in int8: who finds the scales. none: the graph has them, in Q/DQ nodes; entropy, minmax: "
    "TensorRT's calibrators, of 8.6 and 10",
    choices=(NONE, *CLASSES),
)


def has_calibrator(request: BuildRequest) -> bool:
    """Return whether TensorRT is to find the scales."""
    return request.precision == "int8" and request.options.get(NAME, NONE) != NONE


def require_calibrator(graph: Graph, request: BuildRequest) -> None:
    """Raise `BuildError` if the installed TensorRT lacks the calibrator that is asked for."""
    import tensorrt

    chosen = str(request.options.get(NAME, NONE))
    if graph.request.has_calibration and not hasattr(tensorrt, CLASSES[chosen]):
        raise BuildError(
            f"cannot build {graph.spec.name} for trt with calibrator={chosen}",
            why=f"TensorRT {tensorrt.__version__} has no {CLASSES[chosen]}: networks are strongly "
            "typed, and only Q/DQ nodes have scales",
            mend=f"leave out --infer-option=trt.{NAME}={chosen}, or use TensorRT 8.6 or 10",
        )


def use_calibrator(
    config: Any, profile: Any, graph: Graph, request: BuildRequest, folder: Path
) -> str:
    """Let ``config`` calibrate on the rows beside the graph; return the name of its cache.

    The cache has the scales of every tensor. It lies in ``folder`` under a name that says of what
    it is, so that another build of the same graph reads it and feeds nothing.
    """
    import tensorrt

    chosen = str(request.options[NAME])
    cache = folder / cache_name(chosen, tensorrt.__version__, graph)
    config.int8_calibrator = _made(chosen, cache, graph, request)
    config.set_calibration_profile(profile)
    return cache.name


def cache_name(chosen: str, version: str, graph: Graph) -> str:
    """Return the name of the file of scales: algorithm, version, model and its graph's digest."""
    name = "-".join(re.findall(r"[\w.]+", graph.spec.name))
    return f"calibration-{chosen}-{version}-{name}-{graph.digest[:16]}.bin"


def _made(chosen: str, file: Path, graph: Graph, request: BuildRequest) -> Any:
    """Return a calibrator, whose class TensorRT's bindings must see as their own."""
    import tensorrt

    base = getattr(tensorrt, CLASSES[chosen])
    batch = next(iter(request.shapes.values()))[0]
    calls = calibration_calls(graph, batch)

    class Calibrator(base):  # type: ignore[misc,valid-type]  # vendors' types are Any
        def __init__(self) -> None:
            base.__init__(self)  # the binding demands this spelling
            self.kept: list[Any] = []
            """The tensors of the latest call, whose memory TensorRT reads."""

        def get_batch_size(self) -> int:
            return int(batch)

        def get_batch(self, names: list[str]) -> list[int] | None:
            feeds = next(calls, None)
            if feeds is None:
                return None
            self.kept = [_on_device(feeds[name], request.device) for name in names]
            return [tensor.data_ptr() for tensor in self.kept]

        def read_calibration_cache(self) -> bytes | None:
            return file.read_bytes() if file.is_file() else None

        def write_calibration_cache(self, cache: Any) -> None:
            draft = file.with_suffix(".draft")
            draft.write_bytes(memoryview(cache))
            draft.replace(file)

        def __repr__(self) -> str:
            return f"Calibrator({file.stem})"

    return Calibrator()


def _on_device(values: Any, device: str) -> Any:
    import torch

    return torch.tensor(np.ascontiguousarray(values), device=device)
