"""Which arithmetic a TensorRT engine's layers use, from its inspector's JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_infer.graphs.node_precisions import LEAST_SHARE, NO_FRACTIONS, REDUCED

MOVES = frozenset({"reformat", "noop", "constant", "shuffle", "slice", "shape", "signal", "wait"})
"""Types of layers that compute nothing."""

_TYPES = (
    ("bf16", re.compile(r"bf16|bfloat16", re.IGNORECASE)),
    ("fp16", re.compile(r"fp16|half|float16", re.IGNORECASE)),
    ("int8", re.compile(r"int8", re.IGNORECASE)),
    ("fp32", re.compile(r"fp32|float", re.IGNORECASE)),
    ("integer", re.compile(r"int32|int64|bool", re.IGNORECASE)),
)
_PRODUCTS = re.compile(r"conv|gemm|matmul|matrix|fullyconnected|myelin|foreign", re.IGNORECASE)
_SPARSE = re.compile(r"sparse|sptensor", re.IGNORECASE)
_TF32 = re.compile(r"tf32|s1688gemm")  # CUTLASS's s1688 is the tensor cores' TF32 instruction
_TELLING = re.compile(r"f32|s1688|sgemm|scudnn|simt")


@dataclass(frozen=True)
class LayerPrecisions:
    """How many computing layers an engine has of each precision."""

    counts: Mapping[str, int]
    kernels_tell_tf32: bool
    """Some kernel's name says whether it multiplies in TF32."""
    products: Mapping[str, int]
    """How many of the layers multiply weights or matrices, of each precision."""
    sparse_kernels: int
    """How many layers' kernels use the sparse tensor cores, by their names."""
    sparse_weights: int
    """How many layers the inspector marks with ``HasSparseWeights``."""
    integers: int = 0
    """How many layers compute integers or bools."""

    @property
    def total(self) -> int:
        """Return the number of layers that compute with fractions, or with int8 scales."""
        return sum(self.counts.values())

    def share(self, precision: str) -> float:
        """Return the share of layers of ``precision``.

        For int8 it is a share of the products: convolutions, matrix products and whole blocks that
        may hold some. Quantization is of products; what lies between two of them (an activation, a
        pooling) stays in floating point by intent.
        """
        counts = self.products if precision == "int8" else self.counts
        return counts.get(precision, 0) / sum(counts.values()) if counts else 0.0

    def share_in(self, precision: str) -> float:
        """Return the share of layers that ran in what `precision` has returned."""
        if precision in REDUCED or (precision == "tf32" and self.kernels_tell_tf32):
            return self.share(precision)
        return self.share("fp32") + self.share("tf32")

    def precision(self, *, allows_tf32: bool) -> str:
        """Return the engine's precision; a mixture's name is no precision's.

        Whether fp32 layers multiply in TF32 is read from kernels' names. If none of them shows it,
        it is taken from ``allows_tf32``, the flag with which the engine was built.
        """
        if not self.total:
            return NO_FRACTIONS if self.integers else "unknown: the inspector names no layer's type"
        for name in REDUCED:
            if self.share(name) >= LEAST_SHARE:
                return name
        reduced = {name: self.counts[name] for name in REDUCED if self.counts.get(name)}
        if reduced:
            parts = ", ".join(f"{name} in {count}" for name, count in reduced.items())
            return f"fp32 with {parts} of {self.total} layers"
        uses_tf32 = bool(self.counts.get("tf32")) if self.kernels_tell_tf32 else allows_tf32
        return "tf32" if uses_tf32 else "fp32"


def layers_in(information: str) -> list[dict[str, Any]]:
    """Return the layers in an inspector's JSON, without those of which it has only the names.

    TensorRT 8.6 writes control characters into names (seen on an H200), which strict JSON forbids.
    """
    layers = json.loads(information, strict=False).get("Layers", [])
    return [layer for layer in layers if isinstance(layer, dict)]


def layer_precisions(information: str) -> LayerPrecisions:
    """Return the precisions of the layers in an inspector's JSON.

    A layer's precision is its weights' type, or else its first output's. An engine that was built
    without detailed profiling gives names instead of layers, which count as nothing.
    """
    layers = [layer for layer in layers_in(information) if not moves_only(layer)]
    tactics = [_tactic(layer) for layer in layers if precision_of(layer) in {"fp32", "tf32"}]
    return LayerPrecisions(
        counts=_counts(layers),
        kernels_tell_tf32=any(_TELLING.search(tactic) for tactic in tactics),
        products=_counts(layer for layer in layers if _is_product(layer)),
        sparse_kernels=sum(bool(_SPARSE.search(_tactic(layer))) for layer in layers),
        integers=sum(precision_of(layer) == "integer" for layer in layers),
        sparse_weights=sum(bool(layer.get("HasSparseWeights")) for layer in layers),
    )


def _counts(layers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    found = Counter(precision_of(layer) for layer in layers)
    return {name: found[name] for name in sorted(found) if name and name != "integer"}


def _is_product(layer: Mapping[str, Any]) -> bool:
    kinds = f"{layer.get('LayerType', '')} {layer.get('ParameterType', '')}"
    return _has_weights(layer) or _PRODUCTS.search(kinds) is not None


def _has_weights(layer: Mapping[str, Any]) -> bool:
    weights = layer.get("Weights")
    return isinstance(weights, dict) and bool(weights.get("Count"))


def moves_only(layer: Mapping[str, Any]) -> bool:
    """Return whether a layer computes nothing."""
    return str(layer.get("LayerType", "")).lower() in MOVES


def precision_of(layer: Mapping[str, Any]) -> str:
    """Return a layer's precision; empty where the inspector does not name it."""
    named = _named(_type_text(layer))
    return "tf32" if named == "fp32" and _TF32.search(_tactic(layer)) else named


def _type_text(layer: Mapping[str, Any]) -> str:
    if _has_weights(layer):
        return str(layer["Weights"].get("Type", ""))
    outputs = layer.get("Outputs") or [{}]
    return str(outputs[0].get("Datatype") or outputs[0].get("Format/Datatype", ""))


def _named(text: str) -> str:
    return next((name for name, pattern in _TYPES if pattern.search(text)), "")


def _tactic(layer: Mapping[str, Any]) -> str:
    return str(layer.get("TacticName", ""))
