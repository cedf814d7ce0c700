"""What can be wrong with named outputs before their values are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.arrays import Array
    from pytest_infer.case import Precision


TIMES_EAGER = 6
"""How many times eager's elements that are not finite an engine may have: rounding decides which.

As many as eager's errors in fp32. Of erfinv near 1 TorchInductor has twice as many as eager.
"""

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
        return proves_nothing("the reference has no outputs", subject)
    for name in sorted(reference):
        flaw = flaw_of(reference[name], precision)
        if flaw:
            return proves_nothing(f"the reference's output {name!r} {flaw}", subject)
    return None


def not_finite(
    actual: Mapping[str, Array],
    reference: Mapping[str, Array] | None,
    subject: str,
    eager: Mapping[str, Array] | None = None,
) -> Verdict | None:
    """Return the verdict on the first output that holds NaN or infinity.

    It is ``not-finite``; or ``eager-not-finite`` if ``eager`` at the same precision has such
    elements in it, too, and the engine at most `TIMES_EAGER` as many: then the model is not finite,
    whatever runs it. ``reference`` has the values that should be there; None if its rows are
    others.
    """
    for name in sorted(actual):
        bad = ~np.isfinite(actual[name])
        if not bad.any():
            continue
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        why = (
            f"{int(bad.sum())} of {bad.size} elements; the first is {list(index)}: "
            f"{float(actual[name][index]):.9g}"
        )
        if reference is not None:
            why += f" instead of {float(reference[name][index]):.9g}"
        in_eager = _count_not_finite((eager or {}).get(name))
        if bad.sum() <= TIMES_EAGER * in_eager:
            return _as_eager(name, f"{why}\nin eager mode: {in_eager} elements", subject)
        return failed(
            "parity",
            "not-finite",
            what=f"{subject}: output {name!r} is not finite",
            why=why,
            mend="look for an overflow (fp16 ends at 65504) or a division by zero; "
            "no tolerance forgives it",
        )
    return None


def _as_eager(name: str, why: str, subject: str) -> Verdict:
    return failed(
        "parity",
        "eager-not-finite",
        what=f"{subject}: output {name!r} is not finite, and neither is eager's at this precision",
        why=why,
        mend="the engine does what the model does: change the model or its feeds so that nothing "
        "overflows or is divided by zero, or use another precision",
    )


def _count_not_finite(output: Array | None) -> int:
    return 0 if output is None else int(np.sum(~np.isfinite(output)))


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


def proves_nothing(why: str, subject: str) -> Verdict:
    """Return the verdict ``vacuous``."""
    return failed(
        "parity",
        "vacuous",
        what=f"{subject}: the comparison would prove nothing",
        why=why,
        mend="look at the model's weights and inputs (--infer-weights, --infer-images)",
    )


def flaw_of(output: Array, precision: Precision) -> str:
    """Return why comparing with an output would prove nothing; empty if it would."""
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
