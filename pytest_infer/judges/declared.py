"""Whether outputs have the dtypes and shapes that the model's spec declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.models.spec import BATCH
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.arrays import Array
    from pytest_infer.case import Precision
    from pytest_infer.models.spec import ModelSpec, TensorSpec


STORED: Mapping[Precision, tuple[str, ...]] = {
    "fp64": ("float64",),
    "fp32": ("float32",),
    "tf32": ("float32",),
    "bf16": ("float32",),  # numpy has no bfloat16, and float32 holds it exactly
    "fp16": ("float16", "float32"),
    "int8": ("float32",),
}
"""The dtypes in which fractions may come, at a precision, besides that of the spec."""


def undeclared(
    outputs: Mapping[str, Array],
    spec: ModelSpec,
    sizes: Mapping[str, int],
    precision: Precision,
    subject: str,
) -> Verdict | None:
    """Return the verdict on an engine's outputs that are of another dtype than ``spec`` says.

    ``sizes`` are those of the inputs' dynamic dimensions. Codes: ``wrong-dtype``, ``wrong-shape``.
    """
    found = _flaw(outputs, spec, sizes, precision)
    if found is None:
        return None
    code, name, why = found
    return failed(
        "parity",
        code,
        what=f"{subject}: output {name!r} is not what the model's spec declares",
        why=f"the engine returns {why}",
        mend="let the engine return what the spec declares, or mend the spec",
    )


def misdeclared(
    truth: Mapping[str, Array], spec: ModelSpec, sizes: Mapping[str, int], subject: str
) -> Verdict | None:
    """Return the verdict on a spec that does not declare what eager mode returns in fp64."""
    found = _flaw(truth, spec, sizes, "fp64")
    if found is None:
        return None
    code, name, why = found
    return failed(
        "parity",
        code,
        what=f"{subject}: the spec of {spec.name} declares output {name!r} wrongly",
        why=f"eager mode, the model's own code, returns {why}",
        mend="mend outputs= in the model's decorator, or what forward() returns",
    )


def sizes_of(spec: ModelSpec, batch: int) -> dict[str, int]:
    """Return the sizes of the dynamic dimensions that inputs have, at ``batch``."""
    optima = {name: dim.opt for name, dim in spec.dims.items()} | {BATCH: batch}
    fed = {dim for tensor in spec.inputs.values() for dim in tensor.shape}
    return {name: size for name, size in optima.items() if name in fed}


def _flaw(
    outputs: Mapping[str, Array], spec: ModelSpec, sizes: Mapping[str, int], precision: Precision
) -> tuple[str, str, str] | None:
    """Return the code, the output's name, and both sides of the first difference."""
    for name in spec.outputs.keys() & outputs.keys():
        got, declared = outputs[name], spec.outputs[name]
        shape = tuple(sizes.get(str(dim), dim) for dim in declared.shape)
        if not _is_alike(got.shape, shape):
            shown = str(shape).replace("'", "")
            return "wrong-shape", name, f"the shape {got.shape}, the spec says {shown}"
        allowed = _dtypes(declared, precision)
        if str(got.dtype) not in allowed:
            return "wrong-dtype", name, f"{got.dtype}, the spec says {' or '.join(allowed)}"
    return None


def _is_alike(got: tuple[int, ...], shape: tuple[int | str, ...]) -> bool:
    """Return whether all that is known of a shape is so: what no input has may be any size."""
    return len(got) == len(shape) and all(
        isinstance(size, str) or size == found for found, size in zip(got, shape, strict=True)
    )


def _dtypes(declared: TensorSpec, precision: Precision) -> list[str]:
    stored = STORED[precision] if declared.is_floating else ()
    return list(dict.fromkeys([declared.dtype, *stored]))
