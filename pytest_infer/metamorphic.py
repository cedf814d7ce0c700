"""The judge of outputs that must agree with each other, whatever they are: no reference needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_infer.metrics import metrics
from pytest_infer.outputs import malformed, not_finite, vacuous
from pytest_infer.tolerance import derived_bound, mark_from_bounds, rounded_bound
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_infer.burst import Burst
    from pytest_infer.look import Look
    from pytest_infer.spec import Precision
    from pytest_infer.tolerance import Tolerance

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = "Mapping[str, Array]"


@dataclass(frozen=True)
class Relation:
    """Two ways to one result."""

    code: str
    """What a verdict is called if they differ."""
    claim: str
    cause: str
    """Where to look if they differ."""
    is_exact: bool
    """The same arithmetic ran twice, and not one bit may differ; else rounding may."""
    needs_rows: bool = False
    """It would prove nothing if all rows were alike."""


EQUAL_ROWS = Relation(
    "rows-differ",
    "equal rows of a batch give equal outputs",
    "a row that is not written, or an index that mixes rows",
    is_exact=False,
)
PERMUTED = Relation(
    "order-matters",
    "a permuted batch gives permuted outputs",
    "an operation that reduces over the batch, or a buffer that still holds another batch",
    is_exact=False,
    needs_rows=True,
)
SPLIT = Relation(
    "batch-matters",
    "a batch gives what its rows give one by one",
    "an operation that reduces over the batch, or kernels of one batch size",
    is_exact=False,
    needs_rows=True,
)
REPEATED = Relation(
    "not-repeatable",
    "a second call gives the first one's outputs",
    "atomic sums, uninitialised memory, or state that a call leaves behind",
    is_exact=True,
)
BURST = Relation(
    "not-repeatable",
    "many calls in a row give the first answers",
    "uninitialised memory, a buffer that is read too early or late, or state that a call leaves "
    "behind",
    is_exact=False,
)
TIMED = Relation(
    "not-repeatable",
    "timed calls put out what others do",
    "a bound call that computes something else, or nothing, or state that calls leave behind",
    is_exact=False,
)
REOPENED = Relation(
    "reload-differs",
    "an engine loaded again in another process gives the same outputs",
    "what is not in its files: environment, random numbers, kernels chosen when it is loaded",
    is_exact=True,
)
REBUILT = Relation(
    "rebuild-differs",
    "an engine built again gives the same outputs",
    "kernels chosen by timing, or random numbers in the build",
    is_exact=False,
)
INTERLEAVED = Relation(
    "stale-shapes",
    "a call of another shape in between changes nothing",
    "bindings, shapes or workspaces that are left from the call before",
    is_exact=True,
)
CONCURRENT = Relation(
    "not-concurrent",
    "two runners at the same time give what each gives alone",
    "memory, files or streams that the two share",
    is_exact=True,
)


def judge_relation(
    actual: Arrays,
    expected: Arrays,
    relation: Relation,
    *,
    noise: Mapping[str, float],
    precision: Precision,
    tolerance: Tolerance | None = None,
    subject: str = "engine",
) -> Verdict:
    """Judge whether two ways gave one result.

    ``noise`` is eager's largest error over its largest magnitude, per output. An exact relation
    allows no difference at all; any other as much as parity does, `derived_bound` of the noise, in
    max abs over the largest magnitude. ``tolerance.max_abs`` replaces both. Pass: ``consistent``;
    fail: the relation's code, ``not-finite``, ``missing-output``, ``extra-output``,
    ``wrong-shape``, ``wrong-dtype``, ``vacuous``.
    """
    fault = (
        vacuous(expected, precision, subject)
        or _alike(expected, relation, subject)
        or malformed(actual, expected, subject)
        or not_finite(actual, expected, subject)
    )
    if fault:
        return fault
    fixed = None if tolerance is None else tolerance.max_abs

    def allowed(name: str) -> float:
        return derived_bound(noise.get(name, 0.0), precision)

    checks = list(_checks(actual, expected, relation, allowed, fixed))
    ratios = [value / bound for _, value, bound in checks if bound]
    figures = {"worst_ratio": max(ratios)} if ratios else {}
    missed = [check for check in checks if not check[1] <= check[2]]
    if not missed:
        worst = max(value for _, value, _ in checks)
        message = f"{subject}: {relation.claim}: max abs {worst:.3g}"
        return Verdict("parity", "pass", "consistent", message, figures)
    bounds = {"max_abs": rounded_bound(max(value for _, value, _ in missed))}
    return failed(
        "parity",
        relation.code,
        what=f"{subject}: it is not so that {relation.claim}",
        why="\n".join(_told(check, actual, expected, relation) for check in missed),
        mend=f"look for {relation.cause}; or accept it: {mark_from_bounds(bounds)}",
        figures=figures,
    )


def judge_burst(
    burst: Burst,
    first: Arrays,
    *,
    noise: Mapping[str, float],
    precision: Precision,
    tolerance: Tolerance | None = None,
    subject: str = "engine",
) -> Verdict:
    """Judge a burst of calls by the answer that is farthest from the ``first`` to its feeds.

    Equal bits pass; so does a difference that `judge_relation` allows within the noise floor. NaN
    never passes. Pass: ``consistent``; fail: ``not-repeatable``.
    """
    worst = burst.worst
    if worst is None:
        message = f"{subject}: {burst.calls} calls in a row give the first answers to the last bit"
        return Verdict("parity", "pass", "consistent", message)
    verdict = judge_relation(
        worst.outputs,
        first,
        BURST,
        noise=noise,
        precision=precision,
        tolerance=tolerance,
        subject=f"{subject}, call {worst.call} of {burst.calls} in a row (feeds {worst.feeds})",
    )
    if verdict.status == "pass":
        return verdict
    message = f"{verdict.message}\n  calls: {burst.odd} of {burst.calls} gave another answer"
    return replace(verdict, code=BURST.code, message=message)


def judge_look(
    look: Look,
    *,
    noise: Mapping[str, float],
    precision: Precision,
    tolerance: Tolerance | None = None,
    subject: str = "engine",
) -> Verdict | None:
    """Return the verdict ``not-repeatable`` if timed calls have put out something else.

    Equal bits and what `judge_relation` allows within the noise floor are no such thing.
    """
    for name, outputs in look.others.items():
        verdict = judge_relation(
            outputs,
            look.first,
            TIMED,
            noise=noise,
            precision=precision,
            tolerance=tolerance,
            subject=f"{subject}, {name}",
        )
        if verdict.status != "pass":
            return replace(verdict, judge="latency", code=TIMED.code)
    return None


def _alike(expected: Arrays, relation: Relation, subject: str) -> Verdict | None:
    """Return the verdict on rows among which a mistake could not be seen."""
    if not relation.needs_rows:
        return None
    if all(len(values) > 1 and (values != values[:1]).any() for values in expected.values()):
        return None
    return failed(
        "parity",
        "vacuous",
        what=f"{subject}: the comparison would prove nothing",
        why="there is one row, or an output is the same in all of them",
        mend="give the model realistic weights and feeds, and more rows (--infer-batch)",
    )


def _checks(
    actual: Arrays,
    expected: Arrays,
    relation: Relation,
    allowed: Callable[[str], float],
    fixed: float | None,
) -> Iterator[tuple[str, float, float]]:
    """Yield each output's name, largest difference and what is allowed."""
    for name, values in sorted(expected.items()):
        value = metrics()["max_abs"](actual[name], values)
        is_exact = relation.is_exact or values.dtype.kind != "f"
        largest = float(np.max(np.abs(values)))
        bound = 0.0 if is_exact else allowed(name) * largest
        yield name, value, bound if fixed is None or values.dtype.kind != "f" else fixed


def _told(
    check: tuple[str, float, float], actual: Arrays, expected: Arrays, relation: Relation
) -> str:
    name, value, bound = check
    left, right = (each[name].astype(np.float64) for each in (actual, expected))
    index = np.unravel_index(int(np.argmax(np.abs(left - right))), left.shape)
    place = [int(each) for each in index]
    allowed = "they must be equal" if relation.is_exact else "the derived tolerance"
    return (
        f"{name!r} max_abs {value:.6g} > {bound:.6g}: {allowed}\n"
        f"worst element {name}{place}: {left[index]:.9g} instead of {right[index]:.9g}"
    )
