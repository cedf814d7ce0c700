"""What an ONNX file takes and gives, read off the file: names, dtypes, and its dynamic sizes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.onnx_file.file import opset_of, read_file
from pytest_infer.models.onnx_file.floats import nodes_of
from pytest_infer.models.onnx_file.known_operators import other_domains
from pytest_infer.models.onnx_file.ranges import index_ranges
from pytest_infer.models.spec import Dim, OnnxFacts, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_infer.case import Precision

BATCH = "batch"

IMAGE_RANK, CHANNELS = 4, (1, 3, 4)
IMAGE = Dim(64, 224, 448, multiple=32)
"""The bounds of an image's height and width, of which a file says nothing."""

_PRECISIONS: Mapping[str, Precision] = {"FLOAT16": "fp16", "BFLOAT16": "bf16", "DOUBLE": "fp64"}
"""The precision of a file whose fractions are of a type that is not fp32's."""

_QUANTIZED = re.compile(r"QLinear|QuantizeLinear|Integer$|^DynamicQuantize|^MatMulNBits$|^QGemm$")
"""Operators of a file that is in int8 already."""


@dataclass(frozen=True)
class Signature:
    """The named inputs and outputs of a file, and what its own types say."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    facts: OnnxFacts
    dims: Mapping[str, Dim]
    """The bounds of dimensions whose place says what they are: an image's height and width."""


def read_signature(path: Path, wished: Mapping[str, TensorSpec] | None = None) -> Signature:
    """Return what a file takes and gives; raise `ModelError` for a file that cannot be used.

    A dynamic dimension has the file's name for it, if that can be one. The first dimension is the
    batch if it is dynamic, the same for all inputs that have a dynamic one, and nowhere else.
    Integers have the range that `index_ranges` finds. Of
    outputs that are ``wished``, the file need not say how many dimensions they have.
    """
    model = read_file(path)
    stored = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in stored]
    shapes = {value.name: _shape(path, value, "input") for value in given}
    names = _Names(batch_of(shapes.values()))
    ranges = index_ranges(model)
    inputs = {
        value.name: _spec(
            value,
            names.named(value.name, shapes[value.name]),
            *ranges.get(value.name, (None, None)),
        )
        for value in given
    }
    known = _inferred(model)
    outputs = {}
    for value in model.graph.output:
        if value.name in (wished or {}) and not value.type.tensor_type.HasField("shape"):
            outputs[value.name] = _spec(value, (wished or {})[value.name].shape)
            continue
        shape = _shape(path, known.get(value.name, value), "output")
        outputs[value.name] = _spec(value, names.named(value.name, shape))
    rows = _fixed_rows([*inputs.values(), *outputs.values()])
    facts = OnnxFacts(opset_of(model), _own_precision(model), rows, other_domains(model))
    return Signature(inputs, outputs, facts, _image_dims(inputs.values()))


def _image_dims(inputs: Iterable[TensorSpec]) -> dict[str, Dim]:
    """Return the bounds of the last two dimensions of what looks like images."""
    return {
        size: IMAGE
        for tensor in inputs
        if len(tensor.shape) == IMAGE_RANK and tensor.is_floating and tensor.shape[1] in CHANNELS
        for size in tensor.shape[2:]
        if isinstance(size, str)
    }


def batch_of(shapes: Iterable[Sequence[int | str]]) -> str | None:
    """Return what inputs call their batch: a name, nothing if it has none; None without any."""
    shapes = list(shapes)
    firsts = {shape[0] for shape in shapes if shape and isinstance(shape[0], str)}
    if len(firsts) != 1:
        return None
    (name,) = firsts
    elsewhere = name and any(name in shape[1:] for shape in shapes)
    return None if elsewhere else name


class _Names:
    """The names of dimensions, as a spec may have them, each one the same throughout."""

    def __init__(self, batch: str | None) -> None:
        self._batch = batch
        self._found: dict[str, str] = {}

    def named(self, tensor: str, shape: Sequence[int | str]) -> tuple[int | str, ...]:
        """Return a shape whose dynamic dimensions have names; those without get the tensor's."""
        return tuple(
            size if isinstance(size, int) else self._name(tensor, axis, size)
            for axis, size in enumerate(shape)
        )

    def _name(self, tensor: str, axis: int, size: str) -> str:
        if axis == 0 and size == self._batch:
            return BATCH
        if size not in self._found or not size:
            word = re.sub(r"\W+", "_", size or f"{tensor}_{axis}").strip("_") or f"dim_{axis}"
            word = word if word.isidentifier() and word != BATCH else f"dim_{word}"
            if not size:
                return word
            self._found[size] = word
        return self._found[size]


def _inferred(model: Any) -> dict[str, Any]:
    """Return the outputs with the sizes that follow from the file's nodes, where it gives none."""
    import onnx

    if all(_is_complete(value) for value in model.graph.output):
        return {}
    try:
        found = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001 - what cannot be inferred is asked for below
        return {}
    return {value.name: value for value in found.graph.output}


def _is_complete(value: Any) -> bool:
    kind = value.type.tensor_type
    return kind.HasField("shape") and all(
        dim.HasField("dim_value") or dim.dim_param for dim in kind.shape.dim
    )


def _shape(path: Path, value: Any, kind: str) -> tuple[int | str, ...]:
    """Return sizes and names; an empty name where there is neither. Raise for what is no tensor."""
    held = value.type.WhichOneof("value")
    if held != "tensor_type":
        raise _unusable(
            path,
            f"its {kind} {value.name!r} is {_article(str(held).removesuffix('_type'))}",
            "give it tensors alone: of scikit-learn's classifiers, "
            "convert_sklearn(..., options={'zipmap': False})"
            if kind == "output"
            else "give it tensors alone",
        )
    if not value.type.tensor_type.HasField("shape"):
        raise _unusable(
            path,
            f"it does not say how many dimensions its {kind} {value.name!r} has",
            f"state it: {kind}s={{{value.name!r}: TensorSpec((...))}}, or export it with shapes",
        )
    return tuple(
        int(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param
        for dim in value.type.tensor_type.shape.dim
    )


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _spec(
    value: Any, shape: tuple[int | str, ...], low: int | None = None, high: int | None = None
) -> TensorSpec:
    from onnx import TensorProto

    name = TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
    dtype = {"float": "float32", "double": "float64"}.get(name, name)
    return TensorSpec(shape, dtype, low, high)


def _fixed_rows(tensors: Sequence[TensorSpec]) -> int:
    """Return the batch that the sizes of a file are fixed at; 1 if they are not of one batch."""
    firsts = {tensor.shape[0] if tensor.shape else None for tensor in tensors}
    first = firsts.pop() if len(firsts) == 1 else None
    return first if isinstance(first, int) and first > 0 else 1


def _own_precision(model: Any) -> Precision | None:
    """Return the precision that a file's own types have; None if they are fp32's."""
    from onnx import TensorProto

    if any(_QUANTIZED.search(node.op_type) for node in nodes_of(model)):
        return "int8"
    kinds = Counter(
        TensorProto.DataType.Name(each.data_type)
        for each in model.graph.initializer
        if len(each.dims) > 1
    ) or Counter(
        TensorProto.DataType.Name(value.type.tensor_type.elem_type) for value in model.graph.input
    )
    floats = {name: kinds[name] for name in ("FLOAT", *_PRECISIONS) if kinds[name]}
    return _PRECISIONS.get(max(floats, key=floats.__getitem__)) if floats else None


def _unusable(path: Path, why: str, mend: str) -> ModelError:
    return ModelError(f"cannot use the ONNX file {path}", why=why, mend=mend)
