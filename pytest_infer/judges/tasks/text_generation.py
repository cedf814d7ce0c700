"""Text generation: the next token at every position, from logits (rows, positions, tokens)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.judges.changes import told_changes, worst_ratio
from pytest_infer.judges.choices import Choices, compare_choices
from pytest_infer.judges.tasks.registry import task
from pytest_infer.judges.tolerance import mark_from_bounds, rounded_bound

if TYPE_CHECKING:
    from pytest_infer.judges.judged_rows import JudgedRows
    from pytest_infer.verdict import Verdict

_AXES = 3
_LEAST_TOKENS = 2


@task()
def text_generation(rows: JudgedRows) -> Verdict:
    """Judge the token of the largest logit at every position, of the first output.

    Another token is forgiven only where the reference's two logits are within `Choices.margin`,
    and all of them are no more than `Choices.allowed_share`. ``tolerance.changed_tokens`` replaces
    both. Pass: ``match``; fail: ``wrong-token``, ``wrong-form``, ``vacuous``.
    """
    logits = rows.first
    if logits.reference.ndim != _AXES or logits.reference.shape[-1] < _LEAST_TOKENS:
        return rows.of_another_form(logits, "(rows, positions, tokens)")
    choices = compare_choices(
        logits.actual, logits.reference, logits.eager, axis=2, precision=rows.precision
    )
    if why := _pointless(choices):
        return rows.vacuous(why)
    return _judged(rows, choices)


def _pointless(choices: Choices) -> str:
    tokens = np.unique(np.concatenate([each.reference.ravel() for each in choices.rows]))
    if len(tokens) == 1 and choices.places > 1:
        return f"the reference has one token, {int(tokens[0])}, at every position"
    if choices.lead <= choices.margin:
        return f"every change would be forgiven: no token leads by more than {choices.margin:.3g}"
    return ""


def _judged(rows: JudgedRows, choices: Choices) -> Verdict:
    most = rows.tolerance.changed_tokens
    figures = {"next_token_agreement": 1 - choices.share}
    if most is None:
        flaws = told_changes(choices, rows.rows, rows.labels, "position")
        figures["worst_ratio"] = worst_ratio(choices)
    else:
        flaws = [f"changed_tokens {choices.share:.4g} > {most:.4g}"] * (choices.share > most)
    if not flaws:
        return rows.passed(
            f"continues {choices.places} positions as eager fp64 does: {choices.changed} tokens "
            f"changed within {choices.margin:.3g}",
            figures,
        )
    bounds = rows.tolerance.as_dict() | {"changed_tokens": rounded_bound(choices.share)}
    return rows.failed(
        "wrong-token",
        f"the next token differs from eager fp64 at {choices.changed} of {choices.places} "
        "positions",
        why="\n".join(flaws),
        mend=f"find what loses precision, or accept it: {mark_from_bounds(bounds)}",
        figures=figures,
    )
