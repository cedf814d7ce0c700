"""How far an engine may be from the reference: derived from the noise floor, or set by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from typing import TYPE_CHECKING

from pytest_infer.bounds import is_finite, told
from pytest_infer.errors import OptionError, unknown
from pytest_infer.judges.metrics import Better, metrics

if TYPE_CHECKING:
    from pytest_infer.case import Precision

UNIT_ROUNDOFF: Mapping[Precision, float] = {
    "fp64": 2.0**-53,
    "fp32": 2.0**-24,
    "tf32": 2.0**-11,
    "bf16": 2.0**-8,
    "fp16": 2.0**-11,
    "int8": 2.0**-8,
}
"""Half the spacing of numbers at 1 (IEEE 754; bfloat16 and TF32 as their vendors define them)."""

CEILING: Mapping[Precision, float] = {
    "fp64": 1e-10,
    "fp32": 1e-4,
    "tf32": 3e-2,
    "bf16": 2e-1,
    "fp16": 3e-2,
    "int8": 2e-1,
}
"""Relative errors that no noise excuses: an engine is not right because eager is as wrong.

fp32's is a tenth of what TF32 arithmetic leaves (near 1e-3), so that TF32 never passes for fp32.
"""

NOISE_FACTOR: Mapping[Precision, float] = {
    "fp64": 4.0,
    "fp32": 16.0,
    "tf32": 1.5,
    "bf16": 4.0,
    "fp16": 4.0,
    "int8": 2.5,
}
"""How many times eager's own error is allowed.

Both errors are sums of the same roundings in another order, so they are alike in size. Over the
four models, their photographs one by one and the engines of a CPU, the worst engine had 3.6 times
eager's error in fp32, 3.6 times in fp16, 2.4 times in bf16, where the floor takes its part; and 1.3
times in int8, where all round to the same grids. In fp32 convolutions differ in their algorithms
too: TensorRT 8.6 at optimisation level 0 had 11.5 times eager's error on an H200. In tf32 eager
cuts the operands of every product, the most that TF32 can lose; engines take it in some layers.
"""

FLOOR_ROUNDOFFS = 4.0
"""Unit roundoffs added to it: eager's error is zero by luck where an output has few elements.

One rounding each of the input, the last product, the last sum and the stored output.
"""

GAIN_SHARE = 0.5
"""How much of the error that is allowed in one row may be a wrong scale.

In one row of logits up to nine tenths of eager's error were, its errors being few directions that
all logits share; over rows they cancel like independent ones.
"""

LUCK_QUANTILE = 4.75
"""Standard deviations that a normal variable exceeds once in a million."""

MOST_EXPONENT = 100.0
"""Luck beyond the exponential of it is as good as infinite."""


@dataclass(frozen=True)
class Tolerance:
    """The keywords of ``@pytest.mark.tolerance``: each replaces what would have been derived."""

    mae: float | None = None
    max_abs: float | None = None
    rmse: float | None = None
    relative_l2: float | None = None
    gain: float | None = None
    """How far the slope of the output over the reference may be from 1."""
    sqnr_db: float | None = None
    """Lower bound."""
    cosine: float | None = None
    """Lower bound."""
    top_k: float | None = None
    """How near two classes' reference logits must be for their swap to be forgiven."""
    box_px: float | None = None
    """Largest difference of a box's coordinate, in pixels."""
    score: float | None = None
    """Largest difference of a detection's score."""
    changed_pixels: float | None = None
    """Largest share of pixels whose class changes."""
    miou: float | None = None
    """Lower bound."""
    changed_tokens: float | None = None
    """Largest share of positions whose next token changes."""
    similarity: float | None = None
    """How near two rows' similarities to a third must be for them to change places."""
    target_error: float | None = None
    """Largest error of a regression's target, over the root mean square of its column."""
    custom: Mapping[str, float] = field(default_factory=dict)
    """Bounds of metrics that a project has registered itself."""

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise _unusable(name, value, "it is not a number")
            if not is_finite(value) or (value < 0 and _is_distance(name)):
                raise _unusable(name, value, "it must be finite and not negative")

    def as_dict(self) -> dict[str, float]:
        """Return the bounds that are set."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values |= values.pop("custom")
        return {name: value for name, value in values.items() if value is not None}


def tolerance_from_keywords(keywords: Mapping[str, float]) -> Tolerance:
    """Return a mark's keywords as a `Tolerance`; raise `OptionError` for one that is unknown."""
    own = {each.name for each in fields(Tolerance)} - {"custom"}
    for name in keywords:
        if name not in own | set(metrics()):
            raise unknown("keyword of @pytest.mark.tolerance", name, own | set(metrics()))
    custom = {name: value for name, value in keywords.items() if name not in own}
    named = {name: value for name, value in keywords.items() if name in own}
    return Tolerance(**named, custom=custom)


def mark_from_bounds(bounds: Mapping[str, float]) -> str:
    """Return the mark to paste into a test; ``bounds`` are already rounded."""
    keywords = ", ".join(f"{name}={value!r}" for name, value in sorted(bounds.items()))
    return f"@pytest.mark.tolerance({keywords})"


def rounded_bound(value: float, better: Better = "lower") -> float:
    """Return the nearest short number within which ``value`` is.

    Errors are rounded up to 2 significant digits, similarities down to 4.
    """
    digits, rounding = (2, ROUND_CEILING) if better == "lower" else (4, ROUND_FLOOR)
    exact = Decimal(value)
    with localcontext(Context(prec=1100)):  # a float's exact value has at most 1074 decimals
        step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        return float(exact.quantize(step, rounding=rounding)) if exact else 0.0


def derived_bound(noise: float, precision: Precision) -> float:
    """Return the relative error allowed where eager's own is ``noise``.

    It is ``NOISE_FACTOR * noise + FLOOR_ROUNDOFFS * unit roundoff``, and at most the precision's
    ceiling, which alone judges where eager has no noise to show (fp64 is the reference; pass
    infinity).
    """
    return min(
        NOISE_FACTOR[precision] * noise + FLOOR_ROUNDOFFS * UNIT_ROUNDOFF[precision],
        CEILING[precision],
    )


def derived_gain(gain: float, allowed: float, rows: float, precision: Precision) -> float:
    """Return the scale error allowed over distinct ``rows`` where eager's own is ``gain``.

    It is ``NOISE_FACTOR * gain``, but at least ``GAIN_SHARE`` of what is ``allowed`` in relative
    L2, over the root of the rows: independent errors cancel so.
    """
    return min(max(NOISE_FACTOR[precision] * gain, GAIN_SHARE * allowed / math.sqrt(rows)), allowed)


def derived_part_bound(noise: float | None, floor: float, precision: Precision) -> float:
    """Return the relative error allowed in a part of an output.

    It is `derived_bound` with `part_floor` over the part's scale, ``floor``, if that is more than
    the roundoffs. There is no ceiling: it is the whole output's, which is judged too. Where eager
    has no noise to show (None) the ceiling judges; where its noise is unknown (infinite)
    nothing does but the whole.
    """
    derived = CEILING[precision] if noise is None else NOISE_FACTOR[precision] * noise
    return derived + max(FLOOR_ROUNDOFFS * UNIT_ROUNDOFF[precision], floor)


def part_floor(largest: float, precision: Precision) -> float:
    """Return the error that is rounding in every part of an output, in the output's unit.

    It is `FLOOR_ROUNDOFFS` of the whole output's ``largest`` magnitude: libraries approximate a
    sigmoid to roundoffs of 1, not of its value, and multiplied by 640 it is a box. Below fp32 it is
    that of fp32, or of 1 at the precision itself: else no score beside boxes would be judged.
    """
    roundoff = UNIT_ROUNDOFF[precision]
    scaled = min(roundoff, UNIT_ROUNDOFF["fp32"]) * largest
    return FLOOR_ROUNDOFFS * max(roundoff * min(1.0, largest), scaled)


def luck_of(carriers: float) -> float:
    """Return how many times less than an engine's eager's error is by luck, once in a million.

    The error is a sum of squares over ``carriers`` alike elements. The logarithm of its root is
    nearly normal, with a variance of ``1 / (4 (carriers - 1))`` at most; two of them are compared.
    Source: Fisher's z, On a Distribution Yielding the Error Functions, 1924. One element says
    nothing: infinite. Without any error (0) there is none to be small.
    """
    if not carriers:
        return 1.0
    spread = math.sqrt(2 * (carriers - 1))
    exponent = LUCK_QUANTILE / spread if spread else math.inf
    return math.exp(exponent) if exponent < MOST_EXPONENT else math.inf


def _is_distance(name: str) -> bool:
    known = metrics().get(name)
    return known is None or known.better == "lower"


def _unusable(name: str, value: object, why: str) -> OptionError:
    return OptionError(
        f"cannot use tolerance {name}={told(value)}",
        why=why,
        mend=f"give a plain number, such as @pytest.mark.tolerance({name}=0.01)",
    )
