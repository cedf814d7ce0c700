"""What was tried and what it proved: no example of a search vanishes unseen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from pytest_infer.case import Case
    from pytest_infer.fuzzing.oracle import Opinion
    from pytest_infer.fuzzing.recipe import Recipe

WORST = ("relative_l2", "worst_ratio")
"""Figures of which the worst is kept."""


class ShapeTally:
    """Counts the opinions on one case's shapes."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._worths: Counter[str] = Counter()
        self._shapes: set[tuple[tuple[str, int], ...]] = set()
        self._worst = dict.fromkeys(WORST, 0.0)
        self._known: dict[str, None] = {}

    @property
    def examples(self) -> int:
        """Return how many there were."""
        return self._worths.total()

    @property
    def figures(self) -> dict[str, float]:
        """Return the counts and the worst figures, as a verdict has them."""
        counts = {"examples": self.examples, "shapes": len(self._shapes), **self._worths}
        worst = {name: figure for name, figure in self._worst.items() if figure}
        return {**{name: float(count) for name, count in counts.items()}, **worst}

    def count(self, recipe: Recipe, opinion: Opinion) -> None:
        """Count one example; of those that pass, the figures too."""
        self._worths[opinion.worth] += 1
        self._shapes.add(recipe.sizes)
        if opinion.worth == "known":
            self._known[opinion.verdict.message] = None
        if opinion.verdict.status == "pass":
            for name in WORST:
                figure = opinion.verdict.figures.get(name, 0.0)
                self._worst[name] = max(self._worst[name], figure)

    def verdict(self, note: str = "") -> Verdict:
        """Return the verdict of a search that found nothing wrong."""
        counts = ", ".join(f"{number} {worth}" for worth, number in sorted(self._worths.items()))
        known = "; ".join(self._known)
        if self._known and not self._worths["judged"]:
            return Verdict("parity", "known", "known-finding", known, self.figures)
        if not self._worths["judged"]:
            return failed(
                "parity",
                "vacuous",
                what=f"{self._case.id}: {self.examples} examples proved nothing",
                why=counts or "none was tried",
                mend="give the model realistic weights (--infer-weights), or try more examples",
                figures=self.figures,
            )
        message = (
            f"{self._case.id} matches eager fp64 on {self.examples} examples of "
            f"{len(self._shapes)} shapes ({counts}): worst is {self._worst['worst_ratio']:.2g} x "
            f"the tolerance{note}{known and f'; known: {known}'}"
        )
        return Verdict("parity", "pass", "match", message, self.figures)
