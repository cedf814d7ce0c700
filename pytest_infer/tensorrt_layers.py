"""Which arithmetic a TensorRT engine's layers use, from its inspector's JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEAST_SHARE = 0.5
"""An engine is of a reduced precision if at least this share of its layers is."""

MOVES = frozenset({"reformat", "noop", "constant", "shuffle", "slice", "shape", "signal", "wait"})
"""Types of layers that compute nothing."""

REDUCED = ("int8", "fp16", "bf16")

_TYPES = (
    ("bf16", re.compile(r"bf16|bfloat16", re.IGNORECASE)),
    ("fp16", re.compile(r"fp16|half|float16", re.IGNORECASE)),
    ("int8", re.compile(r"int8", re.IGNORECASE)),
    ("fp32", re.compile(r"fp32|float", re.IGNORECASE)),
    ("integer", re.compile(r"int32|int64|bool", re.IGNORECASE)),
)
_TF32 = re.compile(r"tf32|s1688gemm")  # CUTLASS's s1688 is the tensor cores' TF32 instruction
_TELLING = re.compile(r"f32|s1688|sgemm|scudnn|simt")


@dataclass(frozen=True)
class LayerPrecisions:
    """How many computing layers an engine has of each precision."""

    counts: Mapping[str, int]
    kernels_tell_tf32: bool
    """Some kernel's name says whether it multiplies in TF32."""

    @property
    def total(self) -> int:
        """Return the number of layers that compute with fractions, or with int8 scales."""
        return sum(self.counts.values())

    def share(self, precision: str) -> float:
        """Return the share of layers of ``precision``."""
        return self.counts.get(precision, 0) / self.total if self.total else 0.0

    def precision(self, *, allows_tf32: bool) -> str:
        """Return the engine's precision; a mixture's name is no precision's.

        Whether fp32 layers multiply in TF32 is read from kernels' names. If none of them tells,
        it is taken from ``allows_tf32``, the flag with which the engine was built.
        """
        if not self.total:
            return "unknown: the inspector names no layer's type"
        for name in REDUCED:
            if self.share(name) >= LEAST_SHARE:
                return name
        reduced = {name: self.counts[name] for name in REDUCED if self.counts.get(name)}
        if reduced:
            parts = ", ".join(f"{name} in {count}" for name, count in reduced.items())
            return f"fp32 with {parts} of {self.total} layers"
        uses_tf32 = bool(self.counts.get("tf32")) if self.kernels_tell_tf32 else allows_tf32
        return "tf32" if uses_tf32 else "fp32"


def layer_precisions(information: str) -> LayerPrecisions:
    """Return the precisions of the layers in an inspector's JSON.

    A layer's precision is its weights' type, or else its first output's. An engine that was built
    without detailed profiling gives names instead of layers, which count as nothing. TensorRT 8.6
    writes control characters into names (seen on an H200), which strict JSON forbids.
    """
    layers = [
        layer
        for layer in json.loads(information, strict=False).get("Layers", [])
        if isinstance(layer, dict) and str(layer.get("LayerType", "")).lower() not in MOVES
    ]
    found = Counter(_precision(layer) for layer in layers)
    counts = {name: found[name] for name in sorted(found) if name and name != "integer"}
    tactics = [_tactic(layer) for layer in layers if _precision(layer) in {"fp32", "tf32"}]
    return LayerPrecisions(counts, any(_TELLING.search(tactic) for tactic in tactics))


def _precision(layer: Mapping[str, Any]) -> str:
    named = _named(_type_text(layer))
    return "tf32" if named == "fp32" and _TF32.search(_tactic(layer)) else named


def _type_text(layer: Mapping[str, Any]) -> str:
    weights = layer.get("Weights")
    if isinstance(weights, dict) and weights.get("Count"):
        return str(weights.get("Type", ""))
    outputs = layer.get("Outputs") or [{}]
    return str(outputs[0].get("Datatype") or outputs[0].get("Format/Datatype", ""))


def _named(text: str) -> str:
    return next((name for name, pattern in _TYPES if pattern.search(text)), "")


def _tactic(layer: Mapping[str, Any]) -> str:
    return str(layer.get("TacticName", ""))
