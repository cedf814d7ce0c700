"""Quantize an exported graph to int8 after training, calibrated on photographs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ExportError
from pytest_infer.feeds import make_feeds
from pytest_infer.photographs import photographs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.engine import Arrays
    from pytest_infer.models import Model

QUANTIZED = ("Conv", "MatMul", "Gemm", "Add", "GlobalAveragePool")
"""Operators that are computed in int8: products, and the sums that join residual branches."""

_ROWS = 8  # of drawn feeds, for a model that takes no photographs


def calibration_feeds(model: Model, images: str) -> Arrays:
    """Return the named inputs on which ``model`` is calibrated, one row per photograph."""
    folder = Path(images) if images else None
    rows = len(photographs(folder)) if model.preprocess else _ROWS
    return make_feeds(model, rows, folder)


def quantize_onnx(source: Path, feeds: Arrays, target: Path) -> None:
    """Write the fp32 graph ``source`` to ``target`` with Q/DQ nodes around what runs in int8.

    Scales are symmetric, per channel for weights and per tensor for activations, whose range is
    the largest seen in ``feeds``: the scheme that ONNX Runtime, OpenVINO and TensorRT all read
    (Krishnamoorthi 2018, arXiv 1806.08342). Biases stay in fp32, and so do weights in front of
    their Q/DQ nodes, as TensorRT 8 wants them. Raise `ExportError`.
    """
    if find_spec("onnxruntime") is None:
        raise ExportError(
            f"cannot quantize {source}",
            why="onnxruntime, whose tools do it, is not installed where the models are",
            mend="pip install 'pytest-infer[cpu]' in the environment of eager's host",
        )
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    try:
        with TemporaryDirectory() as folder:
            folded = Path(folder, "folded.onnx")  # batch norms go into the convolutions first
            quant_pre_process(str(source), str(folded))
            quantization.quantize_static(
                str(folded),
                str(target),
                _rows(feeds),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTIZED),
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
                extra_options={
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    "AddQDQPairToWeight": True,
                },
            )
    except Exception as error:
        raise ExportError(
            f"cannot quantize {source}",
            why=f"{type(error).__name__}: {error}",
            mend="leave out --infer-precision=int8 for this model",
        ) from error


def _rows(feeds: Arrays) -> Any:
    """Return a reader of one row after the other, as the calibrator wants it."""
    from onnxruntime.quantization import CalibrationDataReader

    class Rows(CalibrationDataReader):  # type: ignore[misc]  # vendors' types are Any
        def __init__(self) -> None:
            self._left: Iterator[Arrays] = (
                {name: value[row : row + 1] for name, value in feeds.items()}
                for row in range(len(next(iter(feeds.values()))))
            )

        def get_next(self) -> Arrays | None:
            return next(self._left, None)

    return Rows()
