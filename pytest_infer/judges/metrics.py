"""The distances between what an engine put out and what it should have: one function each.

A metric is one decorated function; its name is the figure's name in reports and baselines, and a
keyword of ``@pytest.mark.tolerance``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_infer.errors import InferError, OptionError

Float64Array: TypeAlias = npt.NDArray[np.float64]
Better: TypeAlias = Literal["lower", "higher"]

_registry: dict[str, Metric] = {}


@dataclass(frozen=True)
class Metric:
    """A registered metric; calling it compares in float64, whatever the dtypes."""

    name: str
    unit: str
    """What the figure counts; ``output`` is the unit of the output itself, empty is a ratio."""
    better: Better
    function: Callable[[Float64Array, Float64Array], Any]

    def __call__(self, actual: npt.ArrayLike, expected: npt.ArrayLike) -> float:
        """Return the figure; raise `InferError` unless the shapes are equal (no broadcasting)."""
        left, right = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
        if left.shape != right.shape or not left.size:
            raise InferError(
                f"cannot compute {self.name}",
                why=f"the shapes are {left.shape} and {right.shape}",
                mend="compare two arrays of one shape that hold at least one element",
            )
        return float(self.function(left, right))

    def is_within(self, value: float, bound: float) -> bool:
        """Return whether ``value`` is as good as ``bound``; NaN never is."""
        return value <= bound if self.better == "lower" else value >= bound

    def worst(self, values: list[float]) -> float:
        """Return the worst of ``values``."""
        return max(values) if self.better == "lower" else min(values)


def metric(
    *, unit: str, better: Better
) -> Callable[[Callable[[Float64Array, Float64Array], Any]], Metric]:
    """Register the decorated function of (actual, expected) as the metric of its name."""

    def register(function: Callable[[Float64Array, Float64Array], Any]) -> Metric:
        new = Metric(function.__name__, unit, better, function)
        _add(new)
        return new

    return register


def metrics() -> dict[str, Metric]:
    """Return every registered metric, sorted by name."""
    return dict(sorted(_registry.items()))


def _add(new: Metric) -> None:
    old = _registry.get(new.name)
    if old and _origin(old) != _origin(new):
        raise OptionError(
            f"two metrics are called {new.name!r}",
            why=f"one is in {_origin(old)}, the other in {_origin(new)}",
            mend="rename one of the two functions",
        )
    _registry[new.name] = new


def _origin(known: Metric) -> str:
    return known.function.__code__.co_filename


@metric(unit="output", better="lower")
def mae(actual: Float64Array, expected: Float64Array) -> Any:
    """Return the mean absolute error, ``mean(|a - e|)``, the check of the TensorRT article."""
    return np.mean(np.abs(actual - expected))


@metric(unit="output", better="lower")
def max_abs(actual: Float64Array, expected: Float64Array) -> Any:
    """Return the largest absolute error, ``max(|a - e|)``: the infinity norm."""
    return np.max(np.abs(actual - expected))


@metric(unit="output", better="lower")
def rmse(actual: Float64Array, expected: Float64Array) -> Any:
    """Return the root of the mean square error, ``sqrt(mean((a - e)^2))``."""
    return np.sqrt(np.mean(np.square(actual - expected)))


@metric(unit="", better="lower")
def relative_l2(actual: Float64Array, expected: Float64Array) -> Any:
    """Return ``||a - e|| / ||e||``, the normwise relative error.

    Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 1.2.
    """
    error, size = np.linalg.norm(actual - expected), np.linalg.norm(expected)
    return error / size if size else np.where(error, np.inf, 0.0)


@metric(unit="dB", better="higher")
def sqnr_db(actual: Float64Array, expected: Float64Array) -> Any:
    """Return the signal to quantization noise ratio, ``-20 log10(relative_l2)``.

    Infinite without an error. Source: Jayant and Noll, Digital Coding of Waveforms, section 1.2.
    """
    error = relative_l2(actual, expected)
    return -20 * np.log10(error) if error else np.inf


@metric(unit="", better="lower")
def gain(actual: Float64Array, expected: Float64Array) -> Any:
    """Return how far the slope of the output over the reference is from 1: ``|<a, e>/<e, e> - 1|``.

    It is the systematic part of the error, a wrong scale, and never above `relative_l2`
    (Cauchy-Schwarz). Rounding is as often up as down, so that over many rows little of it is left.
    """
    size = np.max(np.abs(expected))
    if not size:
        return np.where(np.any(actual), np.inf, 0.0)
    scaled = expected / size  # the squares of small numbers would be denormal
    return np.abs(np.vdot((actual - expected) / size, scaled)) / np.vdot(scaled, scaled)


@metric(unit="nat", better="lower")
def softmax_kl(actual: Float64Array, expected: Float64Array) -> Any:
    """Return how far the classes' probabilities are: ``sum(p (ln p - ln q))``, the mean over rows.

    p is the softmax over the last axis of what is expected, q of what came: of outputs that are
    logits; of others it means nothing. Blind to what is added to a whole row. Source: Kullback and
    Leibler, On Information and Sufficiency, 1951.
    """
    from scipy.special import log_softmax

    came, wanted = (log_softmax(np.atleast_1d(each), axis=-1) for each in (actual, expected))
    chances = np.exp(wanted)
    apart = np.subtract(wanted, came, where=chances > 0, out=np.zeros_like(chances))
    return np.maximum(np.mean(np.sum(chances * apart, axis=-1)), 0.0)


@metric(unit="", better="higher")
def cosine(actual: Float64Array, expected: Float64Array) -> Any:
    """Return the cosine of the angle, ``<a, e> / (||a|| ||e||)``: blind to a scale error.

    Source: Salton and McGill, Introduction to Modern Information Retrieval, section 4.2. Never use
    it alone.
    """
    left, right = np.max(np.abs(actual)), np.max(np.abs(expected))
    if not left or not right:
        return float(left == right)
    # Scaled first: the squares of small numbers would be denormal.
    first, second = actual / left, expected / right
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return np.clip(np.vdot(first, second) / lengths, -1.0, 1.0)
