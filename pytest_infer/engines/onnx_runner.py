"""Run an ONNX file by the code that references are made with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.engines.protocol import Evidence
from pytest_infer.models.onnx_file.evaluator import OnnxEvaluator

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.engines.protocol import BuiltEngine


class OnnxRunner:
    """The evaluator of a file in a request's precision; it computes on the CPU."""

    def __init__(self, built: BuiltEngine) -> None:
        spec, precision = built.graph.spec, built.request.precision
        is_exact = spec.onnx is not None and spec.onnx.precision == precision == "int8"
        # a quantized file rounds by itself
        self._evaluate = OnnxEvaluator(Path(built.graph.file), "fp32" if is_exact else precision)
        self._precision = precision

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs; fp16 and bf16 come as float32, which holds them exactly."""
        return self._evaluate(feeds)

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a synchronous call on the feeds."""
        return partial(self._evaluate, feeds)

    def evidence(self) -> Evidence:
        """Return the precision in which the evaluator rounds, on the CPU."""
        return Evidence(precision=self._precision, device="cpu")
