"""Eager mode on whatever feeds a recipe makes, and what it says of an engine's outputs for them."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from pytest_infer.judges.allowance import allowances
from pytest_infer.judges.matching import in_order
from pytest_infer.judges.metrics import metrics
from pytest_infer.judges.outputs import malformed, not_finite, tiny, vacuous
from pytest_infer.judges.parity import judge_outputs
from pytest_infer.judges.scales import told_place
from pytest_infer.judges.tolerance import UNIT_ROUNDOFF
from pytest_infer.session.engine import under_test
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Case, Precision
    from pytest_infer.fuzzing.recipe import Recipe
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.judges.scales import Part
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.session.eager import Eager

Worth: TypeAlias = Literal["judged", "vacuous", "undefined", "known"]
"""What a comparison proves: something; nothing, since the reference is all zero or alike; nothing,
since eager itself overflows or is as wrong at this precision as no engine may be; what the ledger
of known failures has."""

KEPT = 3000
"""References to keep, the latest ones: other engines are often fed the same."""


JITTERS = 8
"""Runs of eager with feeds wrong in their last bit, before an engine's error counts as one."""


@dataclass(frozen=True)
class Opinion:
    """A verdict, and what the comparison proves."""

    verdict: Verdict
    worth: Worth


class Oracle:
    """Eager mode's outputs in fp64 and at a case's precision, for any recipe of its model."""

    def __init__(self, case: Case, eager: Eager, hosts: HostPool) -> None:
        self._case = case
        self._eager = eager
        self._stack = ExitStack()
        self._engines = {
            precision: self._stack.enter_context(
                under_test(
                    eager.rival(case, precision),
                    eager.profiled(case, precision),
                    hosts,
                )
            )
            for precision in dict.fromkeys(_precisions(case))
        }
        self._kept: OrderedDict[Recipe, tuple[Arrays, Arrays]] = OrderedDict()

    @property
    def spec(self) -> ModelSpec:
        """Return the model's spec with every dimension dynamic that its network allows to be."""
        return self._engines["fp64"].built.graph.spec

    def judge(
        self,
        recipe: Recipe,
        feeds: Arrays,
        outputs: Arrays,
        *,
        tolerance: Tolerance | None = None,
        subject: str = "engine",
    ) -> Opinion:
        """Judge an engine's outputs for ``feeds``, which ``recipe`` has made.

        Names, shapes and dtypes are judged whatever the values are. A row with a NaN or infinity
        of ours is not: what comes of it is defined for no engine.
        """
        precision = self._case.precision
        truth, first = (_rows(each, recipe.clean_rows) for each in self._reference(recipe, feeds))
        actual = _rows(outputs, recipe.clean_rows)
        in_turn = in_order(actual, truth) if self.spec.task == "detection" else actual
        for eager in self._noisier(first, recipe, feeds, truth):
            worth = _worth(truth, eager, precision)
            if worth != "judged":
                fault = malformed(actual, truth, subject) or (
                    _far(actual, truth, eager, precision, subject)
                    if worth == "vacuous"
                    else _overflow(actual, truth, eager, subject)
                )
                message = f"{subject}: {recipe} proves little"
                return Opinion(fault or Verdict("parity", "pass", worth, message), worth)
            verdict = judge_outputs(
                in_turn, truth, eager, precision=precision, tolerance=tolerance, subject=subject
            )
            if verdict.code != "diverged":
                break
        return Opinion(verdict, worth)

    def close(self) -> None:
        """Free both engines."""
        self._stack.close()

    def _noisier(
        self, first: Arrays, recipe: Recipe, feeds: Arrays, truth: Arrays
    ) -> Iterator[Arrays]:
        """Yield eager's ``first`` outputs, then its worst for feeds that are wrong in a last bit.

        On one input the error of a single run may be small by luck, most of all where values
        saturate. What rounding alone can do is the largest error over several roundings.
        """
        yield first
        case, random = self._case, np.random.default_rng(0)
        runs = [feeds, *(_jittered(feeds, case.precision, random) for _ in range(JITTERS))]
        outputs = [_rows(self._engines[case.precision](each), recipe.clean_rows) for each in runs]
        yield max(outputs, key=lambda each: _error(each, truth))

    def _reference(self, recipe: Recipe, feeds: Arrays) -> tuple[Arrays, Arrays]:
        if recipe not in self._kept:
            truth, eager = (self._engines[name](feeds) for name in _precisions(self._case))
            self._kept[recipe] = truth, eager
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[recipe]


def _jittered(feeds: Arrays, precision: Precision, random: np.random.Generator) -> Arrays:
    """Return feeds whose fractions are up to a unit roundoff larger or smaller."""
    size = UNIT_ROUNDOFF[precision]
    return {
        name: np.asarray(feed * (1 + size * random.uniform(-1, 1, feed.shape)), feed.dtype)
        if feed.dtype.kind == "f"
        else feed
        for name, feed in feeds.items()
    }


def _error(outputs: Arrays, truth: Arrays) -> float:
    """Return the largest relative L2 of the fractions; not finite ones count for nothing."""
    errors = [
        metrics()["relative_l2"](outputs[name], expected)
        for name, expected in truth.items()
        if expected.dtype.kind == "f" and np.isfinite(outputs[name]).all()
    ]
    return max(errors, default=0.0)


def _precisions(case: Case) -> tuple[Precision, Precision]:
    return "fp64", case.precision


def _rows(arrays: Arrays, rows: slice) -> dict[str, Array]:
    return {name: array[rows] for name, array in arrays.items()}


def _overflow(actual: Arrays, truth: Arrays, eager: Arrays, subject: str) -> Verdict | None:
    """Return the verdict on outputs that are not finite, where eager's are, however wrong."""
    is_finite = all(np.isfinite(each).all() for each in (*truth.values(), *eager.values()))
    return not_finite(actual, truth, subject) if is_finite else None


def _far(
    actual: Arrays, truth: Arrays, eager: Arrays, precision: Precision, subject: str
) -> Verdict | None:
    """Return the verdict on outputs that are far from a reference that is zero or constant.

    Beside the derived tolerance it allows the precision's smallest normal number.
    """
    for name, expected in truth.items():
        if not expected.size or not np.isfinite(expected).all():
            continue
        for part, found, allowed in _distances(actual[name], expected, eager[name], precision):
            if not found <= allowed:
                return failed(
                    "parity",
                    "diverged",
                    what=f"{subject}: {name!r} diverged from eager fp64",
                    why=f"{told_place(name, part)} max_abs {found:.6g} > {allowed:.6g}, of a "
                    "reference that is zero, denormal or constant",
                    mend="look for memory that is not written, and for what makes NaN of zeros",
                )
    return None


def _distances(
    actual: Array, expected: Array, eager: Array, precision: Precision
) -> Iterator[tuple[Part | None, float, float]]:
    """Yield the largest difference of an output and each of its parts, and what is allowed."""
    largest = metrics()["max_abs"]
    if expected.dtype.kind != "f":
        yield None, largest(actual, expected), 0.0
        return
    for each in allowances(eager, expected, precision):
        found = largest(each.of(actual), each.of(expected))
        yield each.part, found, each.bound("max_abs") + tiny(precision)


def _worth(truth: Arrays, eager: Arrays, precision: Precision) -> Worth:
    """Return what a comparison with ``truth`` proves."""
    if vacuous(truth, precision, ""):
        return "vacuous"
    for name, expected in truth.items():
        if expected.dtype.kind != "f" or precision == "fp64":
            continue
        # where eager has overflowed it has no noise floor, and the ceiling judges, too
        whole = next(allowances(eager[name], expected, precision))
        if whole.is_at_ceiling("relative_l2") or whole.is_at_ceiling("max_abs"):
            return "undefined"
    return "judged"
