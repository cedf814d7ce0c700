"""One recipe on one runner: run it, and judge what comes out against eager, or against before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.errors import BuildError, ExportError, LoadError, RunError
from pytest_infer.fuzzing.oracle import Opinion
from pytest_infer.fuzzing.recipe import PHOTOGRAPHS, example_of
from pytest_infer.fuzzing.runner import ShapeRunner
from pytest_infer.judges.known_failures import known_finding
from pytest_infer.judges.metamorphic import judge_relation
from pytest_infer.judges.relations import REPEATED

if TYPE_CHECKING:
    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Case
    from pytest_infer.fuzzing.findings import Findings
    from pytest_infer.fuzzing.oracle import Oracle
    from pytest_infer.fuzzing.recipe import Recipe
    from pytest_infer.fuzzing.tally import ShapeTally
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.session.artefacts import Artefacts
    from pytest_infer.verdict import Verdict

ROWS = 8
"""Rows of the model's own feeds, out of which others are cut."""


class WrongShapeError(AssertionError):
    """An engine was wrong on what a recipe has fed it."""

    def __init__(self, recipe: Recipe, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.recipe = recipe
        self.verdict = verdict


class ShapeJudge:
    """Judges a case's engine on recipes; `WrongShapeError` says that the outputs are wrong."""

    def __init__(
        self,
        case: Case,
        artefacts: Artefacts,
        hosts: HostPool,
        oracle: Oracle,
        findings: Findings,
    ) -> None:
        self.case = case
        self._artefacts = artefacts
        self._hosts = hosts
        self._oracle = oracle
        self._findings = findings

    @property
    def spec(self) -> ModelSpec:
        """Return the model's spec with every dimension dynamic that its network allows to be."""
        return self._oracle.spec

    def new_runner(self) -> ShapeRunner:
        """Return a runner of the case's engine, opened when it is first called."""
        return ShapeRunner(self.case, self._artefacts, self._hosts)

    def settle(self, runner: ShapeRunner) -> None:
        """Run the least shape, so that whatever a runner keeps of its calls is of that one."""
        least = example_of(self.spec)
        try:
            runner(least, self._feeds(least))
        except RunError as error:
            raise WrongShapeError(least, self._findings.refused(least, error)) from error

    def check(
        self, runner: ShapeRunner, recipe: Recipe, tally: ShapeTally, tolerance: Tolerance | None
    ) -> dict[str, Array]:
        """Run and judge a recipe, count it, and return the outputs unless they are wrong."""
        outputs: dict[str, Array] = {}
        opinion = self.opinion(runner, recipe, tolerance, outputs)
        tally.count(recipe, opinion)
        if opinion.verdict.status == "fail":
            raise WrongShapeError(recipe, opinion.verdict)
        return outputs

    def check_repeated(
        self,
        runner: ShapeRunner,
        recipe: Recipe,
        before: dict[str, Array],
        tolerance: Tolerance | None,
    ) -> None:
        """Run a recipe again, and judge the rows that are numbers by what came out ``before``."""
        outputs = runner(recipe, self._feeds(recipe))
        rows = recipe.clean_rows
        verdict = judge_relation(
            {name: values[rows] for name, values in outputs.items()},
            {name: values[rows] for name, values in before.items()},
            REPEATED,
            precision=self.case.precision,
            tolerance=tolerance,
            subject=self.case.id,
        )
        if verdict.status == "fail" and verdict.code != "vacuous":
            raise WrongShapeError(recipe, verdict)

    def opinion(
        self,
        runner: ShapeRunner,
        recipe: Recipe,
        tolerance: Tolerance | None,
        outputs: dict[str, Array] | None = None,
    ) -> Opinion:
        """Return what eager says of the outputs, which are put into ``outputs``."""
        feeds = self._feeds(recipe)
        try:
            found = runner(recipe, feeds)
        except (BuildError, ExportError, LoadError, RunError) as error:
            return Opinion(self._findings.refused(recipe, error), "judged")
        if outputs is not None:
            outputs.update(found)
        case = self.case
        opinion = self._oracle.judge(recipe, feeds, found, tolerance=tolerance, subject=case.id)
        if opinion.verdict.status != "fail":
            return opinion
        known = known_finding(case, recipe.values, opinion.verdict)
        return Opinion(self._findings.known(opinion.verdict, known), "known") if known else opinion

    def _feeds(self, recipe: Recipe) -> Arrays:
        photographs: Arrays = {}
        if recipe.values == PHOTOGRAPHS:
            photographs = self._artefacts.models.feeds(self.case.model, ROWS)
        return recipe.feeds(self.spec, photographs)
