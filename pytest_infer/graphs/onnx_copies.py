"""A model's ONNX file as an engine wants it: itself, or a copy with other sizes or types."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ExportError
from pytest_infer.graphs.graph import OPSET
from pytest_infer.models.onnx_file.file import external_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_infer.graphs.graph import GraphRequest
    from pytest_infer.models.spec import ModelSpec

WEIGHTS = "weights.bin"
"""Where a copy in other types keeps its weights, if the file does not hold them itself."""


def request_of_file(wanted: GraphRequest, spec: ModelSpec) -> GraphRequest:
    """Return what an engine is given of a model that is a file: its own operator set and types.

    Raise `ExportError` for what only a module can be made into: another operator set, pruned
    weights.
    """
    if spec.onnx is None or wanted.format != "onnx":
        return wanted
    if wanted.opset < OPSET and spec.onnx.opset > wanted.opset:
        raise ExportError(
            f"cannot give {spec.name} to this engine",
            why=f"the file has the operator set {spec.onnx.opset}, and this version of the engine "
            f"reads {wanted.opset} at most",
            mend=f"export the model at {wanted.opset}, or convert a copy: "
            f"onnx.version_converter.convert_version(model, {wanted.opset})",
        )
    if wanted.is_pruned:
        raise ExportError(
            f"cannot prune {spec.name}",
            why="weights are pruned in a module, and an ONNX file has none",
            mend="prune the model before it is exported; leave the engine's setting sparse out",
        )
    precision = spec.onnx.precision or wanted.precision
    is_fp32 = spec.onnx.precision is None  # one with Q and DQ nodes has its scales
    return replace(
        wanted,
        opset=spec.onnx.opset,
        precision=precision,
        has_calibration=wanted.has_calibration and is_fp32,
    )


def is_file_itself(request: GraphRequest, spec: ModelSpec) -> bool:
    """Return whether the user's own file is what ``request`` describes."""
    if spec.onnx is None or request.is_static:
        return False
    return request.precision == (spec.onnx.precision or "fp32")


def write_copy(
    source: Path,
    target: Path,
    request: GraphRequest,
    spec: ModelSpec,
    shapes: Mapping[str, Sequence[int]],
) -> None:
    """Write a file as ``request`` describes it: with the ``shapes`` if static, in its precision.

    Weights that lie beside the file are copied, and are not read unless their types change. Raise
    `ExportError` for a type that no converter makes.
    """
    import onnx

    model = onnx.load(source, load_external_data=False)
    names = external_files(source, model)
    if request.is_static:
        model = _with_sizes(model, shapes)
    if request.precision == ((spec.onnx and spec.onnx.precision) or "fp32"):
        for name in names:
            (target.parent / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.parent / name, target.parent / name)
        onnx.save(model, target)
        return
    onnx.external_data_helper.load_external_data_for_model(model, str(source.parent))
    onnx.save(
        _in_half(model, request, spec, is_large=bool(names)),
        target,
        save_as_external_data=bool(names),
        location=WEIGHTS,
    )


def _with_sizes(model: Any, shapes: Mapping[str, Sequence[int]]) -> Any:
    """Return a loaded model whose inputs have ``shapes``, and what follows from them."""
    from onnx.shape_inference import infer_shapes

    for value in model.graph.input:
        for dim, size in zip(
            value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False
        ):
            dim.dim_value = size
    del model.graph.value_info[:]  # they have the sizes of before
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if not dim.HasField("dim_value"):
                dim.Clear()
    return infer_shapes(model, data_prop=True)


def _in_half(model: Any, request: GraphRequest, spec: ModelSpec, *, is_large: bool) -> Any:
    """Return a loaded model in fp16, its inputs and outputs too."""
    what = f"cannot make a copy of {spec.name} in {request.precision}"
    if request.precision != "fp16":
        raise ExportError(
            what,
            why="there is a converter of ONNX files to fp16, and to no other type",
            mend=f"leave out --infer-precision={request.precision} for this model, or bring the "
            "module that the file was exported from",
        )
    if find_spec("onnxruntime") is None:
        raise ExportError(
            what,
            why="onnxruntime, whose tools do it, is not installed where the models are",
            mend="pip install 'pytest-infer[cpu]' in the environment of eager's host",
        )
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        return convert_float_to_float16(model, disable_shape_infer=is_large)
    except Exception as error:
        raise ExportError(
            what,
            why=f"{type(error).__name__}: {error}",
            mend=f"leave out --infer-precision={request.precision} for this model",
        ) from error
