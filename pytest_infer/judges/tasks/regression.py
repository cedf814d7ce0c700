"""Regression: every target by itself, relative to the size of its own column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.arrays import Array
from pytest_infer.judges.scales import carriers
from pytest_infer.judges.tasks.registry import task
from pytest_infer.judges.tolerance import derived_bound, luck_of, mark_from_bounds, rounded_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.case import Precision
    from pytest_infer.judges.judged_rows import JudgedRows
    from pytest_infer.verdict import Verdict

_SHOWN = 6


@dataclass(frozen=True, eq=False)
class _Column:
    """The targets of one column: of all rows, and of all but an output's last axis."""

    output: str
    number: int
    actual: Array
    reference: Array
    allowed: float
    """What one target may be off by, in the output's unit."""

    @property
    def scale(self) -> float:
        """Return the root mean square of the reference's targets."""
        largest = float(np.max(np.abs(self.reference))) or 1.0
        return largest * math.sqrt(float(np.mean(np.square(self.reference / largest))))

    @property
    def error(self) -> float:
        """Return the largest error of a target, over the column's scale."""
        off = float(np.max(np.abs(self.actual - self.reference)))
        return off / self.scale if self.scale else math.inf * bool(off)

    @property
    def is_constant(self) -> bool:
        """Return whether several targets are the same: nothing shows whose they are."""
        return len(self.reference) > 1 and float(np.ptp(self.reference)) == 0


@task()
def regression(rows: JudgedRows) -> Verdict:
    """Judge the targets of all floating outputs, column by column of the last axis.

    A column's largest error is held to `derived_bound` of eager's own in it, relative to the
    column's largest target. ``tolerance.target_error`` replaces that, relative to the column's root
    mean square. ``labels`` are the names of the first output's columns. Pass: ``match``; fail:
    ``wrong-target``, ``vacuous``.
    """
    columns = [each for name in rows.spec.outputs for each in _columns(rows, name)]
    if not columns:
        return rows.vacuous("no output holds fractions")
    if all(each.is_constant for each in columns):
        return rows.vacuous("every column of the reference is constant over the rows")
    ratios = {each: _ratio(each, rows.tolerance.target_error) for each in columns}
    wrong = [each for each, ratio in ratios.items() if not ratio <= 1]
    figures = {
        "target_error": max(each.error for each in columns),
        "worst_ratio": max(ratios.values()),
    }
    if not wrong:
        return rows.passed(
            f"gives the targets of eager fp64: {len(columns)} columns, at most "
            f"{figures['target_error']:.3g} of a column's scale off",
            figures,
        )
    worst = sorted(wrong, key=lambda each: -ratios[each])[:_SHOWN]
    return rows.failed(
        "wrong-target",
        f"{len(wrong)} of {len(columns)} columns differ from eager fp64",
        why="\n".join(_told(each, rows) for each in worst),
        mend=_mend(rows, figures["target_error"]),
        figures={name: value for name, value in figures.items() if math.isfinite(value)},
    )


def _columns(rows: JudgedRows, name: str) -> Iterator[_Column]:
    found = rows.output(name)
    if found.reference.dtype.kind != "f" or not found.reference.size:
        return
    actual, reference = _table(found.actual), _table(found.reference)
    eager = None if found.eager is None or rows.precision == "fp64" else _table(found.eager)
    allowed = _allowed(eager, reference, rows.precision)
    for number, each in enumerate(allowed):
        yield _Column(name, number, actual[:, number], reference[:, number], float(each))


def _table(values: Array) -> Array:
    """Return (targets, columns) in fp64; an output without columns has one."""
    exact = values.astype(np.float64)
    table: Array = exact.reshape(-1, exact.shape[-1] if exact.ndim > 1 else 1)
    return table


def _allowed(eager: Array | None, reference: Array, precision: Precision) -> Array:
    """Return what a target of each column may be off by.

    Eager's error in a column, relative to its largest target, is taken to be at least the median
    column's, and `luck_of` its targets times its own: of few it may be small by luck. Where it
    tells nothing, as that of one target, the precision's ceiling judges. A column of zeros has the
    median error of the largest target of all.
    """
    largest = np.max(np.abs(reference), axis=0)
    units = np.where(largest > 0, largest, np.max(largest) or 1.0)
    if eager is None:
        return np.asarray(units * derived_bound(math.inf, precision))
    errors = eager - reference
    noise = np.max(np.abs(errors), axis=0) / units
    luck = np.array([luck_of(carriers(column)) for column in errors.T])
    known = noise[largest > 0]
    usual = float(np.median(known)) if known.size else math.inf
    own = np.where(largest > 0, luck * noise, usual)
    bounds = np.array([derived_bound(max(each, usual), precision) for each in own])
    return np.asarray(units * bounds)


def _ratio(column: _Column, given: float | None) -> float:
    """Return how many times what is allowed a column is off."""
    off = float(np.max(np.abs(column.actual - column.reference)))
    allowed = column.allowed if given is None else given * column.scale
    if allowed:
        return off / allowed
    return math.inf if off else 0.0


def _mend(rows: JudgedRows, error: float) -> str:
    if not math.isfinite(error):
        return (
            "find what loses precision; no tolerance forgives a target of a column that is zero in "
            "the reference"
        )
    bounds = rows.tolerance.as_dict() | {"target_error": rounded_bound(error)}
    return f"find what loses precision, or accept it: {mark_from_bounds(bounds)}"


def _told(column: _Column, rows: JudgedRows) -> str:
    errors = np.abs(column.actual - column.reference)
    worst = int(np.argmax(errors))
    per_row = max(1, len(errors) // max(1, len(rows.rows)))
    is_named = column.output == next(iter(rows.spec.outputs)) and column.number < len(rows.labels)
    name = rows.labels[column.number] if is_named else f"column {column.number}"
    return (
        f"{rows.rows[worst // per_row]}: {name} of {column.output!r} is "
        f"{column.actual[worst]:.6g} instead of {column.reference[worst]:.6g}, "
        f"{column.error:.3g} of the column's scale {column.scale:.3g} off, "
        f"{column.allowed / (column.scale or 1.0):.3g} is allowed"
    )
