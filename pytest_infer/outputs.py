"""What can be wrong with named outputs before their values are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.spec import Precision

Array: TypeAlias = npt.NDArray[Any]

_KINDS = {"f": "floating", "i": "integer", "u": "integer", "b": "bool"}


def malformed(
    actual: Mapping[str, Array], reference: Mapping[str, Array], subject: str
) -> Verdict | None:
    """Return the verdict on outputs whose names, shapes or kinds of dtype are not the reference's.

    Codes: ``missing-output``, ``extra-output``, ``wrong-shape``, ``wrong-dtype``.
    """
    for name in sorted(set(reference) ^ set(actual)):
        return _misnamed(name, actual, reference, subject)
    for name in sorted(reference):
        got, expected = actual[name], reference[name]
        if got.shape != expected.shape:
            return failed(
                "parity",
                "wrong-shape",
                what=f"{subject}: output {name!r} has the wrong shape",
                why=f"its shape is {got.shape}, the reference's is {expected.shape}",
                mend="check the exported graph's dynamic dimensions and the engine's profile",
            )
        if _kind(got) != _kind(expected):
            return failed(
                "parity",
                "wrong-dtype",
                what=f"{subject}: output {name!r} has the wrong kind of dtype",
                why=f"its dtype is {got.dtype}, the reference's is {expected.dtype}",
                mend="let the engine return the dtype that the model's spec names",
            )
    return None


def vacuous(reference: Mapping[str, Array], precision: Precision, subject: str) -> Verdict | None:
    """Return the verdict ``vacuous`` if comparing with this reference would prove nothing.

    A floating output proves nothing if it is empty, not finite, zero, constant over more than one
    element, or has denormal values of the precision alone; an integer or bool one if it is empty.
    """
    if not reference:
        return _nothing("the reference has no outputs", subject)
    for name in sorted(reference):
        flaw = _flaw(reference[name], precision)
        if flaw:
            return _nothing(f"the reference's output {name!r} {flaw}", subject)
    return None


def not_finite(
    actual: Mapping[str, Array], reference: Mapping[str, Array], subject: str
) -> Verdict | None:
    """Return the verdict ``not-finite`` on the first output that holds NaN or infinity."""
    for name in sorted(actual):
        bad = ~np.isfinite(actual[name])
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            got, expected = actual[name][index], reference[name][index]
            return failed(
                "parity",
                "not-finite",
                what=f"{subject}: output {name!r} is not finite",
                why=f"{int(bad.sum())} of {bad.size} elements; the first is {list(index)}: "
                f"{float(got):.9g} instead of {float(expected):.9g}",
                mend="look for an overflow (fp16 ends at 65504) or a division by zero; "
                "no tolerance forgives it",
            )
    return None


def _misnamed(
    name: str, actual: Mapping[str, Array], reference: Mapping[str, Array], subject: str
) -> Verdict:
    code, fault = (
        ("missing-output", "is missing") if name in reference else ("extra-output", "is unexpected")
    )
    return failed(
        "parity",
        code,
        what=f"{subject}: output {name!r} {fault}",
        why=f"the engine has {_listed(actual)}; the reference has {_listed(reference)}",
        mend="export and build the model again with the outputs that its spec names",
    )


def _nothing(why: str, subject: str) -> Verdict:
    return failed(
        "parity",
        "vacuous",
        what=f"{subject}: the comparison would prove nothing",
        why=why,
        mend="give the model realistic weights and feeds (--infer-weights, --infer-images)",
    )


def _flaw(output: Array, precision: Precision) -> str:
    if not output.size:
        return "is empty"
    if _kind(output) != "floating":
        return ""
    size, spread = float(np.max(np.abs(output))), float(np.ptp(output))
    flaws = {
        "is not finite": not np.isfinite(output).all(),
        "is all zero": size == 0,
        f"has only denormal values (the largest is {size:.3g})": size < tiny(precision),
        f"is constant ({float(output.flat[0]):.9g})": output.size > 1 and spread == 0,
    }
    return next((flaw for flaw, is_found in flaws.items() if is_found), "")


def tiny(precision: Precision) -> float:
    """Return the smallest normal number; the range of all but fp64 and fp16 is fp32's."""
    tiny: dict[str, Any] = {"fp64": np.finfo(np.float64).tiny, "fp16": np.finfo(np.float16).tiny}
    return float(tiny.get(precision, np.finfo(np.float32).tiny))


def _kind(output: Array) -> str:
    return _KINDS.get(output.dtype.kind, output.dtype.name)


def _listed(outputs: Mapping[str, Array]) -> str:
    return ", ".join(sorted(outputs)) or "none"
