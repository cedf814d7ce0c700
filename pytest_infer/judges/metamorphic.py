"""The judge of outputs that must agree with each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.arrays import Arrays
from pytest_infer.judges.allowance import allowances
from pytest_infer.judges.metrics import metrics
from pytest_infer.judges.outputs import flaw_of, malformed, not_finite, vacuous
from pytest_infer.judges.relations import BURST, TIMED, Relation
from pytest_infer.judges.scales import Part, told_place, worst_element
from pytest_infer.judges.tolerance import mark_from_bounds, rounded_bound
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_infer.case import Precision
    from pytest_infer.judges.allowance import Allowance
    from pytest_infer.judges.burst import Burst
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.timing.look import Look


@dataclass(frozen=True)
class References:
    """Eager mode's outputs for the feeds of which the engine's are judged, in whatever order."""

    fp64: Arrays
    eager: Arrays
    """At the case's own precision: the noise floor."""

    def differ_by_row(self, name: str, precision: Precision) -> bool:
        """Return whether the rows of an output differ by more than rounding explains."""
        rows = self.fp64[name]
        first = np.broadcast_to(rows[:1], rows.shape)
        if rows.dtype.kind != "f":
            return bool((rows != first).any())
        return any(
            metrics()["max_abs"](each.of(rows), each.of(first)) > each.bound("max_abs")
            for each in self.allowances(name, precision)
        )

    def allowances(self, name: str, precision: Precision) -> Iterator[Allowance]:
        """Yield what a floating output and its parts may differ by."""
        return allowances(self.eager.get(name), self.fp64[name], precision)


@dataclass(frozen=True)
class _Check:
    """The largest difference of an output, or of a part of it, and what is allowed."""

    output: str
    part: Part | None
    value: float
    bound: float

    @property
    def is_passed(self) -> bool:
        return self.value <= self.bound


def judge_relation(
    actual: Arrays,
    expected: Arrays,
    relation: Relation,
    *,
    precision: Precision,
    references: References | None = None,
    tolerance: Tolerance | None = None,
    subject: str = "engine",
) -> Verdict:
    """Judge whether two ways gave one result.

    An exact relation allows no difference at all; any other as much as parity does, in max abs;
    without ``references`` only roundoffs. ``tolerance.max_abs`` replaces both. Pass:
    ``consistent``; fail: the relation's code; ``rows-alike`` and ``diverged`` if what the engine
    agrees with proves nothing, though the reference would; ``not-finite``, ``eager-not-finite``,
    ``missing-output``, ``extra-output``, ``wrong-shape``, ``wrong-dtype``, ``vacuous``.
    """
    known = references or References(expected, expected)
    fault = (
        vacuous(known.fp64, precision, subject)
        or malformed(expected, known.fp64, subject)
        or malformed(actual, expected, subject)
        or not_finite(expected, None, subject, known.eager)
        or not_finite(actual, expected, subject, known.eager)
        or _flawed(expected, precision, subject)
        or _alike(expected, known, relation, precision, subject)
    )
    if fault:
        return fault
    fixed = None if tolerance is None else tolerance.max_abs

    def allowed(name: str) -> Iterator[Allowance]:
        return known.allowances(name, precision)

    checks = list(_checks(actual, expected, relation, allowed, fixed))
    ratios = [check.value / check.bound for check in checks if check.bound]
    figures = {"worst_ratio": max(ratios)} if ratios else {}
    missed = [check for check in checks if not check.is_passed]
    if not missed:
        worst = max(check.value for check in checks)
        message = f"{subject}: {relation.claim}: max abs {worst:.3g}"
        return Verdict("parity", "pass", "consistent", message, figures)
    bounds = {"max_abs": rounded_bound(max(check.value for check in missed))}
    return failed(
        "parity",
        relation.code,
        what=f"{subject} breaks a rule: {relation.claim}",
        why="\n".join(_told(check, actual, expected, relation) for check in missed),
        mend=f"look for {relation.cause}; or accept it: {mark_from_bounds(bounds)}",
        figures=figures,
    )


def _flawed(expected: Arrays, precision: Precision, subject: str) -> Verdict | None:
    """Return the verdict on outputs that prove nothing, though the reference would."""
    for name, values in sorted(expected.items()):
        flaw = flaw_of(values, precision)
        if flaw:
            return failed(
                "parity",
                "diverged",
                what=f"{subject}: output {name!r} {flaw}",
                why="eager's is not; the engine may agree with itself, but on a wrong result",
                mend="run test_parity.py, which shows how far it is from eager's",
            )
    return None


def judge_burst(
    burst: Burst,
    first: Arrays,
    *,
    precision: Precision,
    references: References | None = None,
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
        references=references,
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
    precision: Precision,
    references: References | None = None,
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
            references=references,
            precision=precision,
            tolerance=tolerance,
            subject=f"{subject}, {name}",
        )
        if verdict.status != "pass":
            return replace(verdict, judge="latency", code=TIMED.code)
    return None


def _alike(
    expected: Arrays, known: References, relation: Relation, precision: Precision, subject: str
) -> Verdict | None:
    """Return the verdict on rows among which a mistake could not be seen."""
    if not relation.needs_rows:
        return None
    for name, values in sorted(expected.items()):
        if len(values) > 1 and (values != values[:1]).any():
            continue
        if known.differ_by_row(name, precision):
            return failed(
                "parity",
                "rows-alike",
                what=f"{subject}: output {name!r} is the same in every row",
                why="eager's rows differ, and by more than rounding explains",
                mend="look for a row that is computed once and copied, or never written",
            )
        return failed(
            "parity",
            "vacuous",
            what=f"{subject}: the comparison would prove nothing",
            why="there is one row, or an output is the same in all of them",
            mend="give the model realistic weights and feeds, and more rows (--infer-batch)",
        )
    return None


def _checks(
    actual: Arrays,
    expected: Arrays,
    relation: Relation,
    allowed: Callable[[str], Iterable[Allowance]],
    fixed: float | None,
) -> Iterator[_Check]:
    """Yield each output's largest difference and what is allowed, and that of its parts."""
    largest = metrics()["max_abs"]
    for name, values in sorted(expected.items()):
        is_float = values.dtype.kind == "f"
        if relation.is_exact or not is_float or fixed is not None:
            bound = fixed if is_float and fixed is not None else 0.0
            yield _Check(name, None, largest(actual[name], values), bound)
            continue
        for each in allowed(name):
            value = largest(each.of(actual[name]), each.of(values))
            yield _Check(name, each.part, value, each.bound("max_abs"))


def _told(check: _Check, actual: Arrays, expected: Arrays, relation: Relation) -> str:
    name, part = check.output, check.part
    allowed = "they must be equal" if relation.is_exact else "the derived tolerance"
    return (
        f"{told_place(name, part)} max_abs {check.value:.6g} > {check.bound:.6g}: {allowed}\n"
        f"{worst_element(name, actual[name], expected[name], part)}"
    )
