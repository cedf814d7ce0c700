"""The judge of accuracy: right answers to held-out rows, beside those of eager mode in fp32."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from pytest_infer.arrays import Array
from pytest_infer.bounds import is_finite, told
from pytest_infer.errors import OptionError, unknown
from pytest_infer.judges.paired import ERROR, Paired, rows_for_share, share_bounds
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class AccuracyBounds:
    """The keywords of ``@pytest.mark.accuracy``."""

    max_drop: float = 0.01
    """By how much the share of right answers may be below that of eager mode in fp32: 0.01 is one
    answer of a hundred."""
    at_least: float | None = None
    """The share of right answers that the engine must reach, whatever eager mode does."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and (not is_finite(value) or not 0 < value < 1):
                raise OptionError(
                    f"cannot use accuracy {each.name}={told(value)}",
                    why="it is no number between 0 and 1, and no set of rows shows that nothing "
                    "at all is lost",
                    mend="write a share, such as @pytest.mark.accuracy(max_drop=0.01)",
                )


@dataclass(frozen=True)
class Graded:
    """Which answers to the rows of an evaluation set are right."""

    engine: Array
    """A bool for each row."""
    exact: Array
    """The same of eager mode in fp32."""
    guess: float = 0.0
    """The share of right answers that the same answer to every row would get."""
    original: str = ""
    """The model whose eager mode it is, if it is another one."""

    @property
    def paired(self) -> Paired:
        """Return how many rows the two answer in another way."""
        lost = int((self.exact & ~self.engine).sum())
        return Paired(len(self.exact), lost, won=int((self.engine & ~self.exact).sum()))


def accuracy_from_keywords(keywords: Mapping[str, float]) -> AccuracyBounds:
    """Return a mark's keywords as `AccuracyBounds`; raise `OptionError` for an unknown one."""
    known = [each.name for each in fields(AccuracyBounds)]
    for name in keywords:
        if name not in known:
            raise unknown("keyword of @pytest.mark.accuracy", name, known)
    return AccuracyBounds(**keywords)


def judge_accuracy(graded: Graded, bounds: AccuracyBounds, *, subject: str) -> Verdict:
    """Judge an engine's right answers by eager's to the same rows.

    Pass: ``accurate``; fail: ``accuracy-drop``, ``below-accuracy``, and ``vacuous`` where eager
    mode has no more right than one answer to all rows would have; inconclusive: ``too-few-rows``.
    """
    paired = graded.paired
    figures = _figures(graded)
    source = graded.original or "eager"
    if figures["exact_accuracy"] <= graded.guess or not graded.exact.any():
        return failed(
            "accuracy",
            "vacuous",
            what=f"{subject}: nothing shows a loss of accuracy",
            why=f"{source} in fp32 has {figures['exact_accuracy']:.2%} of {paired.rows} rows "
            f"right; the same answer to every row would have {graded.guess:.2%}",
            mend="give the evaluation set the labels that belong to its rows, and the model its "
            "trained weights",
            figures=figures,
        )
    told_share = (
        f"{figures['accuracy']:.2%} of {paired.rows} rows right, {source} in fp32 "
        f"{figures['exact_accuracy']:.2%}"
    )
    told_drop = (
        f"drop {paired.drop:+.2%}, from {figures['drop_least']:+.2%} to "
        f"{figures['drop_most']:+.2%} at {1 - 2 * ERROR:.0%} confidence "
        f"({paired.lost} rows lost, {paired.won} won; McNemar's p {figures['mcnemar_p']:.2g})"
    )
    facts = f"{told_share}; {told_drop}"
    if paired.is_more_than(bounds.max_drop):
        return failed(
            "accuracy",
            "accuracy-drop",
            what=f"{subject} loses more than {bounds.max_drop:.2%} of accuracy",
            why=facts,
            mend="see which layers lose most (--infer-int8-loss), calibrate on rows like those "
            "that are evaluated, train with quantization, or raise max_drop",
            figures=figures,
        )
    least, most = share_bounds(round(figures["accuracy"] * paired.rows), paired.rows)
    if bounds.at_least is not None and most < bounds.at_least:
        return failed(
            "accuracy",
            "below-accuracy",
            what=f"{subject} has fewer than {bounds.at_least:.2%} right",
            why=f"{facts}; its own share is at most {most:.2%}",
            mend="see whether eager in fp32 has them right; if not, it is the model that does not",
            figures=figures,
        )
    if open_questions := list(_open(paired, bounds, least, figures)):
        message = f"{subject}: too few rows: {'; '.join(open_questions)}: {facts}"
        return Verdict("accuracy", "inconclusive", "too-few-rows", message, figures)
    message = f"{subject} loses less than {bounds.max_drop:.2%} of accuracy: {facts}"
    return Verdict("accuracy", "pass", "accurate", message, figures)


def _open(
    paired: Paired, bounds: AccuracyBounds, least: float, figures: Mapping[str, float]
) -> list[str]:
    """Return what the rows do not decide, and how many would."""
    found = []
    if not paired.is_less_than(bounds.max_drop):
        rows = paired.rows_to_decide(bounds.max_drop)
        found.append(f"a drop of {bounds.max_drop:.2%} cannot be told, {_would(rows)}")
    if bounds.at_least is not None and least < bounds.at_least:
        right = round(figures["accuracy"] * paired.rows)
        rows = rows_for_share(right, paired.rows, bounds.at_least)
        found.append(f"an accuracy of {bounds.at_least:.2%} cannot be told, {_would(rows)}")
    return found


def _would(rows: int | None) -> str:
    if rows is None:
        return "and it is so near that no number of rows would"
    return f"about {rows} rows like these would"


def _figures(graded: Graded) -> dict[str, float]:
    paired = graded.paired
    least, most = paired.interval
    return {
        "accuracy": float(graded.engine.mean()),
        "exact_accuracy": float(graded.exact.mean()),
        "accuracy_drop": paired.drop,
        "drop_least": least,
        "drop_most": most,
        "rows_lost": paired.lost,
        "rows_won": paired.won,
        "evaluation_rows": paired.rows,
        "mcnemar_p": paired.mcnemar,
    }
