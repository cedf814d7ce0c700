"""Held-out rows with their labels, and rows to calibrate on: what a user gives with a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.arrays import Array, Arrays
from pytest_infer.errors import ModelError
from pytest_infer.models.draft import Drafted
from pytest_infer.models.own_code import own_code
from pytest_infer.models.spec import ModelSpec

if TYPE_CHECKING:
    from pytest_infer.models.registry import Model
    from pytest_infer.models.spec import TensorSpec

CLASSIFICATION = "classification"


@dataclass(frozen=True)
class Evaluation:
    """An evaluation set, where a function that returns ``(inputs, labels)`` does not say it all."""

    rows: Callable[[], tuple[Any, Any]]
    """Return the inputs (an array, or a dict by name) and the labels, one for each row."""
    correct: Callable[[Arrays, Array], Any] | None = None
    """Return a bool for each row, of the named outputs and the rows' labels.

    Without it the greatest element of the first output is the class, and the task must be
    ``classification``.
    """
    original: str = ""
    """The model that this one is a quantized or pruned copy of, whose eager mode in fp32 counts."""


@dataclass(frozen=True)
class HeldOut:
    """The rows of a model's evaluation set."""

    spec: ModelSpec
    inputs: Arrays
    labels: Array
    correct: Callable[[Arrays, Array], Any] | None

    def feeds(self, start: int, batch: int) -> Arrays:
        """Return ``batch`` rows from number ``start`` on, in a cycle."""
        rows = np.arange(start, start + batch) % len(self.labels)
        tensors = self.spec.inputs
        return {
            name: values[rows] if tensors[name].has_rows else values
            for name, values in self.inputs.items()
        }

    def right(self, outputs: Arrays, start: int) -> Array:
        """Return which of the answers to rows from number ``start`` on are right."""
        labels = self.labels[start : start + len(next(iter(outputs.values())))]
        own = {name: values[: len(labels)] for name, values in outputs.items()}
        if self.correct is None:
            return _is_class(next(iter(own.values())), labels)
        with own_code(f"grade the answers of {self.spec.name}", "correct"):
            found = np.asarray(self.correct(own, labels))
        if found.shape != (len(labels),) or found.dtype != np.bool_:
            raise ModelError(
                f"cannot grade the answers of {self.spec.name}",
                why=f"correct returned {found.dtype} of shape {found.shape}",
                mend=f"return a bool for each row: shape ({len(labels)},)",
            )
        return found

    @property
    def guess(self) -> float:
        """Return the share of rows of the most frequent class; 0 without classes."""
        if self.correct is not None:
            return 0.0
        return float(np.unique(self.labels, return_counts=True)[1].max() / len(self.labels))


def held_out(model: Model) -> HeldOut:
    """Return the rows of a model's evaluation set; raise `ModelError` for what is none."""
    name, given = model.spec.name, evaluation_of(model)
    with own_code(f"read the evaluation set of {name}", "evaluation"):
        found = given.rows()
    if not isinstance(found, tuple) or len(found) != 2:  # noqa: PLR2004 - inputs and labels
        raise _unusable(name, f"it returned a {type(found).__name__}, not (inputs, labels)")
    inputs = inputs_from(found[0], model.spec, "evaluation")
    labels = np.asarray(found[1])
    rows = rows_of(inputs, model.spec)
    if not rows or len(labels) != rows:
        raise _unusable(name, f"it has {rows} rows and {labels.shape[:1]} labels")
    if given.correct is None:
        _check_classes(model.spec, labels)
    return HeldOut(model.spec, inputs, labels, given.correct)


def evaluation_of(model: Model) -> Evaluation:
    """Return what a model says of its evaluation set; raise `ModelError` if it says nothing."""
    found = model.evaluation
    if isinstance(found, Drafted):
        found = found.__wrapped__
    if found is None:
        raise ModelError(
            f"{model.spec.name} has no evaluation set",
            why="its declaration names none",
            mend="pass evaluation= to it: a function that returns (inputs, labels)",
        )
    return found if isinstance(found, Evaluation) else Evaluation(found)


def calibration_rows(model: Model) -> Arrays:
    """Return the rows that a model's own ``calibration`` gives."""
    if model.calibration is None:
        raise RuntimeError(f"{model.spec.name} has no calibration")
    with own_code(f"read the calibration set of {model.spec.name}", "calibration"):
        found = model.calibration()
    return inputs_from(found, model.spec, "calibration")


def inputs_from(found: Any, spec: ModelSpec, part: str) -> Arrays:
    """Return what a user's function gave as the named inputs of ``spec``, in their types.

    An array is the only input. Raise `ModelError` for other names, shapes or kinds of numbers.
    """
    given = found if isinstance(found, Mapping) else dict.fromkeys(list(spec.inputs)[:1], found)
    if given.keys() != spec.inputs.keys():
        raise _odd(spec.name, part, f"it gives {_named(given)}, not {_named(spec.inputs)}")
    arrays = {name: np.asarray(given[name]) for name in spec.inputs}
    for name, values in arrays.items():
        if not _fits(values, spec.inputs[name]):
            wanted = f"{spec.inputs[name].dtype} {list(spec.inputs[name].shape)}"
            raise _odd(
                spec.name, part, f"{name} is {values.dtype} {list(values.shape)}, not {wanted}"
            )
    if len({len(arrays[name]) for name, each in spec.inputs.items() if each.has_rows}) != 1:
        raise _odd(spec.name, part, "its inputs have no rows, or not equally many")
    return {name: values.astype(spec.inputs[name].dtype) for name, values in arrays.items()}


def rows_of(inputs: Arrays, spec: ModelSpec) -> int:
    """Return how many rows inputs have."""
    return next(len(inputs[name]) for name, each in spec.inputs.items() if each.has_rows)


def row_digests(inputs: Arrays, spec: ModelSpec) -> list[str]:
    """Return a digest of each row's content, whatever set it is in."""
    rowed = sorted(name for name, each in spec.inputs.items() if each.has_rows)
    if not rowed:
        return []
    return [
        sha256(
            b"".join(np.ascontiguousarray(inputs[name][row]).tobytes() for name in rowed)
        ).hexdigest()
        for row in range(len(inputs[rowed[0]]))
    ]


def _is_class(scores: Array, labels: Array) -> Array:
    """Return whether each row's greatest element is at its label; NaN is never right."""
    flat = scores.reshape(len(scores), -1).astype(np.float64)
    found: Array = (flat.argmax(axis=1) == labels) & np.isfinite(flat).all(axis=1)
    return found


def _check_classes(spec: ModelSpec, labels: Array) -> None:
    if spec.task != CLASSIFICATION:
        raise ModelError(
            f"cannot grade the answers of {spec.name}",
            why=f"its task is {spec.task!r}, of which no right answer is known",
            mend=f"state task={CLASSIFICATION!r}, or say what is right: "
            "evaluation=Evaluation(rows, correct=function)",
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise _unusable(spec.name, f"its labels are {labels.dtype} of shape {labels.shape}")


def _fits(values: Array, tensor: TensorSpec) -> bool:
    is_shape = values.ndim == len(tensor.shape) and all(
        isinstance(wanted, str) or wanted == size
        for wanted, size in zip(tensor.shape, values.shape, strict=True)
    )
    return is_shape and np.can_cast(values.dtype, np.dtype(tensor.dtype), casting="same_kind")


def _named(names: Mapping[str, Any]) -> str:
    return ", ".join(map(str, names))


def _unusable(name: str, why: str) -> ModelError:
    return ModelError(
        f"cannot use the evaluation set of {name}",
        why=why,
        mend="return the inputs (an array, or a dict by name) and as many labels: for classes one "
        "whole number per row",
    )


def _odd(name: str, part: str, why: str) -> ModelError:
    return ModelError(
        f"cannot use the {part} set of {name}",
        why=why,
        mend="return a dict with an array for each input, or one array of a single input, all rows "
        "along its first dimension",
    )
