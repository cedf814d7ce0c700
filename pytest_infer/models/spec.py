"""What a model is to the rest of the package: names, shapes, task and where its code lives."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pytest_infer.case import Precision
from pytest_infer.errors import ModelError
from pytest_infer.models.source import Source

WEIGHTS = ("seeded", "pretrained", "random")

BATCH = "batch"
"""The dynamic dimension whose elements are rows."""

_NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)


@dataclass(frozen=True)
class Dim:
    """A dynamic dimension and its bounds: a profile's minimum, optimum and maximum."""

    min: int = 1
    opt: int = 1
    max: int = 64
    multiple: int = 1
    """Every size is one of this number, the bounds and the optimum too."""

    def __post_init__(self) -> None:
        ends = (self.min, self.opt, self.max)
        if self.multiple < 1 or any(size % self.multiple for size in ends):
            raise _unusable(self, f"{ends} are not all multiples of {self.multiple}")
        if not 0 <= self.min <= self.opt <= self.max:
            raise _unusable(self, f"{ends} do not rise from 0 or more")

    @property
    def sizes(self) -> range:
        """Return every size that it may have."""
        return range(self.min, self.max + 1, self.multiple)


@dataclass(frozen=True)
class TensorSpec:
    """A named tensor's shape (a string is a dynamic dimension) and numpy dtype name."""

    shape: tuple[int | str, ...]
    dtype: str = "float32"
    low: int | float | None = None
    """The least value that an input may hold; None: the dtype's."""
    high: int | float | None = None
    """The greatest value that an input may hold, such as a vocabulary's last index."""

    def __post_init__(self) -> None:
        if self.low is not None or self.high is not None:
            _check_range(self)

    @property
    def is_floating(self) -> bool:
        """Return whether it holds fractions."""
        return self.dtype.startswith("float")

    @property
    def has_rows(self) -> bool:
        """Return whether its first dimension is the batch."""
        return self.shape[:1] == (BATCH,)

    def resolved(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape with each dynamic dimension replaced by its size."""
        return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in self.shape)


@dataclass(frozen=True)
class Profile:
    """The shapes that a network takes, where the model's cases keep to one of them.

    One engine is built for all of them where shapes are fuzzed, and nowhere else.
    """

    inputs: Mapping[str, TensorSpec]
    dims: Mapping[str, Dim]
    outputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    """Those whose shapes follow the inputs'; others stay as the model's spec has them."""


@dataclass(frozen=True)
class OnnxFacts:
    """What an ONNX file that is a model says of itself."""

    opset: int
    """The version of ONNX's own operators in it."""
    precision: Precision | None = None
    """The only one that its own types allow; None: they are fp32's, from which others are made."""
    rows: int = 1
    """The batch that its sizes are fixed at."""
    domains: tuple[str, ...] = ()
    """Whose operators it has beside ONNX's own, those that it defines itself left out."""


@dataclass(frozen=True)
class ModelSpec:
    """A model's identity and signature, without the model."""

    name: str
    task: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    source: Source
    dims: Mapping[str, Dim] = field(default_factory=lambda: {BATCH: Dim()})
    brings_weights: bool = False
    """The model's function loads its own weights; ``--infer-weights`` does not apply."""
    profile: Profile | None = None
    """What the network takes besides; None: the dynamic dimensions above are all."""
    default_weights: str = "seeded"
    """What ``--infer-weights`` is for this model unless it is given."""
    onnx: OnnxFacts | None = None
    """Of a model that is an ONNX file; None for one that is a module."""
    is_scripted: bool = False
    """It is a TorchScript file, which is code without Python."""
    parameters: int = 0
    """How many numbers its weights are, about, to tell small models from large ones; 0: unknown."""

    def as_key(self) -> dict[str, Any]:
        """Return all of it but where its code lives, as JSON-able values."""
        fields = asdict(self)
        del fields["source"]
        order = {name: list(fields[name].items()) for name in ("inputs", "outputs")}
        return fields | order

    @property
    def size(self) -> tuple[float, int, str]:
        """Return what orders models from small to large; one of unknown parameters is large."""
        shapes = self.input_shapes(1).values()
        return self.parameters or math.inf, sum(math.prod(shape) for shape in shapes), self.name

    @property
    def takes_rows(self) -> bool:
        """Return whether an input has a batch."""
        return any(tensor.has_rows for tensor in self.inputs.values())

    @property
    def has_batch(self) -> bool:
        """Return whether an input and an output have a batch, whose rows can be compared."""
        return self.takes_rows and any(tensor.has_rows for tensor in self.outputs.values())

    @property
    def has_fractions(self) -> bool:
        """Return whether an input or output is of floating numbers, which have a precision."""
        tensors = (*self.inputs.values(), *self.outputs.values())
        return any(tensor.dtype.startswith("float") for tensor in tensors)

    def widened(self) -> ModelSpec:
        """Return the spec with every dimension dynamic that its network allows to be."""
        if self.profile is None:
            return self
        return replace(
            self,
            inputs={**self.inputs, **self.profile.inputs},
            outputs={**self.outputs, **self.profile.outputs},
            dims=self.profile.dims,
            profile=None,
        )

    def input_shapes(self, batch: int) -> dict[str, tuple[int, ...]]:
        """Return each input's shape at ``batch``, other dynamic dimensions at their optimum."""
        sizes = {name: dim.opt for name, dim in self.dims.items()} | {BATCH: batch}
        return {name: spec.resolved(sizes) for name, spec in self.inputs.items()}

    def bounds(self) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """Return each input's least and greatest shape."""
        least = {name: dim.min for name, dim in self.dims.items()}
        most = {name: dim.max for name, dim in self.dims.items()}
        return {
            name: (spec.resolved(least), spec.resolved(most)) for name, spec in self.inputs.items()
        }


def is_name(text: str) -> bool:
    """Return whether ``text`` may be a part of test ids, where pytest escapes all but ASCII."""
    return bool(_NAME.fullmatch(text))


def _check_range(tensor: TensorSpec) -> None:
    """Raise `ModelError` unless the range is one that the dtype has."""
    if flaw := _flaw_of_range(tensor):
        raise ModelError(
            f"cannot use TensorSpec(dtype={tensor.dtype!r}, low={tensor.low}, high={tensor.high})",
            why=flaw,
            mend="give the least and the greatest value that the input may hold, "
            "such as low=0, high=30521",
        )


def _flaw_of_range(tensor: TensorSpec) -> str:
    import numpy as np

    given = [end for end in (tensor.low, tensor.high) if end is not None]
    if not tensor.dtype.startswith(("float", "int", "uint")):
        return f"{tensor.dtype} has no range: all its values are drawn"
    if any(isinstance(end, bool) or not math.isfinite(end) for end in given):
        return "its ends are not finite numbers"
    if not tensor.is_floating and any(end != int(end) for end in given):
        return f"{tensor.dtype} holds whole numbers"
    limits: Any = (np.finfo if tensor.is_floating else np.iinfo)(tensor.dtype)
    least, most = limits.min, limits.max
    if tensor.is_floating:
        least, most = float(least), float(most)
    if not all(least <= end <= most for end in given):
        return f"{tensor.dtype} ends at {least} and {most}"
    return "low is above high" if sorted(given) != given else ""


def _unusable(dim: Dim, why: str) -> ModelError:
    return ModelError(
        f"cannot use Dim(min={dim.min}, opt={dim.opt}, max={dim.max}, multiple={dim.multiple})",
        why=why,
        mend="give sizes with min <= opt <= max, each a multiple of `multiple`",
    )
