"""Quantize an exported graph to int8 after training, calibrated on photographs."""

from __future__ import annotations

import os
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.errors import ExportError
from pytest_infer.models.evaluation import calibration_rows
from pytest_infer.models.feeds import DRAWN_ROWS, make_feeds
from pytest_infer.models.photographs import photographs
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_infer.arrays import Arrays
    from pytest_infer.models.registry import Model

PRODUCTS = ("Conv", "MatMul", "Gemm")
"""Operators whose arithmetic is nearly all there is."""

QUANTIZED = (*PRODUCTS, "Add")
"""Operators that are computed in int8: products, and the sums that join residual branches."""

BYTE = 8

REMOVED = ("Relu", "Clip")
"""Operators that an unsigned range does by itself, and which then need no node."""


def calibration_feeds(model: Model, images: str) -> Arrays:
    """Return the named inputs on which ``model`` is calibrated: its own, or a row per photograph.

    Of a model without rows they are the inputs of as many calls, stacked.
    """
    if model.calibration is not None:
        return calibration_rows(model)
    folder = Path(images) if images else None
    rows = len(photographs(folder)) if model.preprocess else DRAWN_ROWS
    if model.spec.takes_rows:
        return make_feeds(model, rows, folder)
    batch = model.spec.onnx.rows if model.spec.onnx else 1
    calls = [make_feeds(model, batch, folder, start=number) for number in range(rows)]
    return {name: np.stack([call[name] for call in calls]) for name in calls[0]}


def quantize_onnx(
    source: Path,
    feeds: Arrays,
    target: Path,
    *,
    is_symmetric: bool,
    weight_bits: int = 8,
    rowed: Collection[str] | None = None,
    unquantized: Collection[str] = (),
    is_probe: bool = False,
) -> None:
    """Write the fp32 graph ``source`` to ``target`` with Q/DQ nodes around what runs in int8.

    Weights are int8 and symmetric, with a scale per channel; activations have one scale per
    tensor, whose range is the largest seen in ``feeds`` (Krishnamoorthi 2018, arXiv 1806.08342).
    ``is_symmetric`` is for TensorRT: activations are int8 around zero, biases fp32, weights fp32
    with Q and DQ, and only inputs of operators are quantized, so that an activation stays with its
    convolution. Otherwise activations are uint8 with a zero point and biases int32, without which
    CPU libraries compute in fp32 what they find. With 7 ``weight_bits`` weights lie within 64.
    ``rowed`` inputs have rows, None: all; without any, ``feeds`` are those of calls, stacked.
    Nodes whose names are in ``unquantized`` stay in fp32. A probe has Q/DQ on inputs only and fp32
    weights with Q and DQ, whatever the activations are, so that each pair can be taken out again.
    Raise `ExportError`.
    """
    if find_spec("onnxruntime") is None:
        raise ExportError(
            f"cannot quantize {source}",
            why="onnxruntime, whose tools do it, is not installed where the models are",
            mend="pip install 'pytest-infer[cpu]' in the environment of eager's host",
        )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    source, target = source.absolute(), target.absolute()
    try:
        with TemporaryDirectory() as folder:
            folded = Path(folder, "folded.onnx")  # batch norms go into the convolutions first
            # sizes that follow from a dynamic one, as BERT's min(512, length), count as that one
            with _working_in(folder):  # it leaves two files there if it cannot follow the sizes
                quant_pre_process(str(source), str(folded), auto_merge=True)
            _name_nodes(folded)
            _require_known(folded, unquantized)
            scheme = _symmetric() if is_symmetric else _asymmetric()
            if is_probe:
                scheme |= _inputs_only(scheme)
            reader = _reader(feeds, fixed_batch(folded), feeds if rowed is None else rowed)
            scheme |= {"reduce_range": weight_bits < BYTE}
            _quantize(folded, reader, target, scheme, unquantized)
            _require_nodes(target, source)
    except ExportError:
        raise
    except Exception as error:
        raise _failed(error, source) from error


@contextmanager
def _working_in(folder: str) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _failed(error: Exception, source: Path) -> ExportError:
    """Return what onnxruntime's tools raised, with the step: some of their errors are bare."""
    frames = [each for each in extract_tb(error.__traceback__) if "onnxruntime" in each.filename]
    place = f", in {Path(frames[-1].filename).name}: {frames[-1].name}" if frames else ""
    is_sizes = any(each.filename.endswith("symbolic_shape_infer.py") for each in frames)
    step = "could not follow the sizes through the graph" if is_sizes else "failed"
    return ExportError(
        f"cannot quantize {source}",
        why=f"onnxruntime's tools {step}: {type(error).__name__}: {error}{place}",
        mend=("state fixed sizes for the model's inputs, or " if is_sizes else "")
        + "leave out --infer-precision=int8 for this model, or bring an ONNX file with Q and DQ "
        "nodes",
    )


def _quantize(
    source: Path,
    reader: Any,
    target: Path,
    scheme: dict[str, Any],
    unquantized: Collection[str],
) -> None:
    from onnxruntime import quantization

    quantization.quantize_static(
        str(source),
        str(target),
        reader,
        nodes_to_exclude=[*_products_of_activations(source), *unquantized],
        quant_format=quantization.QuantFormat.QDQ,
        calibrate_method=quantization.CalibrationMethod.MinMax,
        per_channel=True,
        weight_type=quantization.QuantType.QInt8,
        **scheme,
    )


def _asymmetric() -> dict[str, Any]:
    from onnxruntime.quantization import QuantType

    return {
        "op_types_to_quantize": [*QUANTIZED, *REMOVED],
        "activation_type": QuantType.QUInt8,
        "extra_options": {"WeightSymmetric": True},
    }


def _symmetric() -> dict[str, Any]:
    from onnxruntime.quantization import QuantType

    scheme = {
        "activation_type": QuantType.QInt8,
        "extra_options": {"ActivationSymmetric": True, "WeightSymmetric": True},
    }
    return scheme | _inputs_only(scheme)


def _inputs_only(scheme: dict[str, Any]) -> dict[str, Any]:
    """Return what of a scheme changes where outputs and biases are not quantized."""
    return {
        "op_types_to_quantize": list(QUANTIZED),
        "extra_options": scheme["extra_options"]
        | {
            "QuantizeBias": False,
            "AddQDQPairToWeight": True,
            "OpTypesToExcludeOutputQuantization": list(QUANTIZED),
        },
    }


def _name_nodes(path: Path) -> None:
    """Give each node without a name that of its output: nodes are left out by their names."""
    import onnx

    model = onnx.load(path)
    unnamed = [node for node in model.graph.node if not node.name]
    for node in unnamed:
        node.name = f"{node.op_type}_{node.output[0]}"
    if unnamed:
        onnx.save(model, path)


def _require_known(path: Path, unquantized: Collection[str]) -> None:
    """Raise `ExportError` for the name of a node that the graph does not have."""
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    names = [node.name for node in nodes if node.op_type in QUANTIZED]
    for name in unquantized:
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.5)
            raise ExportError(
                f"cannot leave {shown(name)!r} unquantized",
                why=f"the graph has no node of that name that is quantized; it has {len(names)}",
                mend=f"did you mean {near[0]!r}?" if near else "take a name from --infer-int8-loss",
            )


def _products_of_activations(path: Path) -> list[str]:
    """Return the names of matrix products without weights, which are attention: they stay fp32.

    In int8 they cost DETR half as much accuracy again, and OpenVINO 2026.4 cannot compile them.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    return [
        node.name
        for node in graph.node
        if node.op_type == "MatMul" and constants.isdisjoint(node.input)
    ]


def _require_nodes(path: Path, source: Path) -> None:
    """Raise `ExportError` if the tools have quantized nothing, of which they say nothing."""
    import onnx

    operators = {node.op_type for node in onnx.load(path, load_external_data=False).graph.node}
    if not {"QuantizeLinear", "DequantizeLinear"} <= operators:
        raise ExportError(
            f"cannot quantize {source}",
            why=f"the graph has none of the operators {', '.join(QUANTIZED)}",
            mend="leave out --infer-precision=int8 for this model",
        )


def fixed_batch(path: Path) -> int:
    """Return the batch size that is written into the graph, 1 if it is dynamic."""
    import onnx

    first = onnx.load(path, load_external_data=False).graph.input[0]
    return first.type.tensor_type.shape.dim[0].dim_value or 1


def calls_of(feeds: Arrays, batch: int, rowed: Collection[str]) -> Iterator[Arrays]:
    """Yield the inputs of one call after the other, of ``batch`` rows."""
    return _by_rows(feeds, batch, rowed) if rowed else _by_calls(feeds)


def _reader(feeds: Arrays, batch: int, rowed: Collection[str]) -> Any:
    """Return what gives the calibrator one call's inputs after the other."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # vendors' types are Any
        def __init__(self) -> None:
            self._calls = calls_of(feeds, batch, rowed)

        def get_next(self) -> Arrays | None:
            return next(self._calls, None)

    return Reader()


def _by_rows(feeds: Arrays, batch: int, rowed: Collection[str]) -> Iterator[Arrays]:
    """Yield ``batch`` rows after the other, cyclically."""
    total = len(next(values for name, values in feeds.items() if name in rowed))
    for start in range(0, total, batch):
        rows = [row % total for row in range(start, start + batch)]
        yield {name: value[rows] if name in rowed else value for name, value in feeds.items()}


def _by_calls(feeds: Arrays) -> Iterator[Arrays]:
    """Yield the inputs of one call after the other."""
    for number in range(len(next(iter(feeds.values())))):
        yield {name: value[number] for name, value in feeds.items()}
