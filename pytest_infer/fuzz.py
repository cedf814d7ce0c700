"""One built engine, many shapes: each against eager, and the smallest wrong one if any is."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_infer import strategies
from pytest_infer.descent import smaller
from pytest_infer.engine import Missing
from pytest_infer.errors import BuildError, ExportError, LoadError, RunError
from pytest_infer.known_failures import known_finding
from pytest_infer.metamorphic import REPEATED, judge_relation
from pytest_infer.models import find
from pytest_infer.oracle import Opinion
from pytest_infer.recipe import PHOTOGRAPHS, Recipe, example_of, recipe_from_text
from pytest_infer.runner_machine import machine_of, replay
from pytest_infer.shape_findings import Findings
from pytest_infer.shape_runner import ShapeRunner
from pytest_infer.shape_tally import ShapeTally
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hypothesis.strategies import SearchStrategy

    from pytest_infer.artefacts import Artefacts
    from pytest_infer.config import InferConfig
    from pytest_infer.engine import Array, Arrays
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.oracle import Oracle
    from pytest_infer.spec import Case, ModelSpec
    from pytest_infer.strategies import WrongFeeds
    from pytest_infer.tolerance import Tolerance

STATIC_SHAPES = 4
"""How many shapes an engine is built for that takes one each: a build takes seconds to minutes."""

STEPS = 8
"""The most steps of a sequence."""

EXAMPLES_PER_SEQUENCE = 10
"""A sequence opens engines anew, and takes the time of so many shapes."""

ROWS = 8
"""Rows of the model's own feeds, out of which others are cut."""

SEPARATOR = "/"
"""Between the steps of a sequence, as a replay has them."""


class WrongShapeError(AssertionError):
    """An engine was wrong on what a recipe has fed it."""

    def __init__(self, recipe: Recipe, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.recipe = recipe
        self.verdict = verdict


class Fuzz:
    """What a test gets as ``fuzz``: a case's engine on every shape of its model's profile."""

    def __init__(
        self,
        case: Case,
        artefacts: Artefacts,
        hosts: HostPool,
        oracle: Oracle,
        config: InferConfig,
    ) -> None:
        self.case = case
        self._artefacts = artefacts
        self._hosts = hosts
        self._oracle = oracle
        self._config = config
        self._findings = Findings(case, config)
        self._runner = self._new_runner()
        self._first: tuple[str, BaseException] | None = None

    @property
    def spec(self) -> ModelSpec:
        """Return the model's spec with every dimension dynamic that its network allows to be."""
        return self._oracle.spec

    @cached_property
    def static(self) -> Missing | None:
        """Return why the engine is built for one shape at a time, if it is."""
        built = self._artefacts.profiled(self.case)
        return built if isinstance(built, Missing) else None

    @cached_property
    def recipes(self) -> SearchStrategy[Recipe]:
        """Return the strategy of what the engine may be fed; few shapes for a static engine."""
        few = strategies.few_shapes(self.spec, STATIC_SHAPES) if self.static else ()
        return strategies.recipes(
            self.spec,
            precision=self.case.precision,
            has_photographs=find(self.case.model).preprocess is not None,
            few=few,
        )

    def judge(self, recipe: Recipe, tolerance: Tolerance | None = None) -> Verdict:
        """Judge the engine on what ``recipe`` makes, against eager; see `Oracle.judge`."""
        return self._opinion(self._runner, recipe, tolerance).verdict

    def check(self, recipe: Recipe, tolerance: Tolerance | None = None) -> None:
        """Raise `WrongShapeError`, an assertion's error, unless the engine is right."""
        verdict = self.judge(recipe, tolerance)
        if verdict.status == "fail":
            raise WrongShapeError(recipe, verdict)

    def shapes(self, tolerance: Tolerance | None = None) -> Verdict:
        """Judge the engine on many recipes, or on the one to replay; tell the smallest wrong one.

        A call of the least shape comes before each, so that what is wrong does not depend on what
        was tried before.
        """
        tally, latest = ShapeTally(self.case), [example_of(self.spec)]

        def try_(recipe: Recipe) -> None:
            latest[:] = [recipe]
            with self._noted(latest):
                self._settle(self._runner)
                self._count(self._runner, recipe, tally, tolerance)

        if text := self._config.fuzz_replay:
            return self._told(lambda: try_(recipe_from_text(text, self.spec)), tally, latest)
        return self._told(lambda: self._shrunk(try_, latest), tally, latest)

    def sequences(self, tolerance: Tolerance | None = None) -> Verdict:
        """Judge two runners of the engine in sequences of calls, repeats and reopenings."""
        tally, steps = ShapeTally(self.case), list[str]()
        judged = _Judged(self, tally, tolerance, steps)
        if text := self._config.fuzz_replay:
            steps += text.split(SEPARATOR)
            return self._told(lambda: replay(judged, steps, self.spec), tally, steps)
        from hypothesis.stateful import run_state_machine_as_test

        machine = machine_of(judged, self.recipes, steps)
        chosen = self._settings(stateful_step_count=STEPS)
        return self._told(lambda: run_state_machine_as_test(machine, settings=chosen), tally, steps)

    def refusals(self) -> Verdict:
        """Judge whether every kind of wrong feeds is refused before the engine computes with it."""
        kinds = strategies.wrong_kinds(self.spec)
        accepted = [each.fault for each in kinds if not self._refuses(each)]
        if not accepted:
            message = f"{self.case.id} refuses {len(kinds)} kinds of wrong feeds"
            return Verdict("parity", "pass", "refused", message, {"refused": float(len(kinds))})
        return failed(
            "parity",
            "accepted",
            what=f"{self.case.id} computes with feeds that it was not built for",
            why="; ".join(accepted),
            mend="let the engine's runner check its feeds, by pytest_infer.feed_shape",
        )

    def close(self) -> None:
        """Free the engine."""
        self._runner.close()

    def _search(self, try_: Callable[[Recipe], None]) -> Callable[[], None]:
        """Return hypothesis's search for a recipe on which ``try_`` raises."""
        from hypothesis import given

        def every_shape(recipe: Recipe) -> None:
            try_(recipe)

        search: Callable[[], None] = self._settings()(given(self.recipes)(every_shape))
        return search

    def _shrunk(self, try_: Callable[[Recipe], None], latest: list[Recipe]) -> None:
        """Search, and raise for the smallest recipe; a static engine would be built for each."""

        def is_wrong(recipe: Recipe) -> bool:
            try:
                try_(recipe)
            except WrongShapeError:
                return True
            return False

        try:
            self._search(try_)()
        except WrongShapeError:
            least = latest[0] if self.static else smaller(latest[0], self.spec, is_wrong)
            try_(least)
            raise

    def _settings(self, *, stateful_step_count: int = 0) -> Any:
        """Return hypothesis's settings: those in force, without what depends on speed."""
        from hypothesis import HealthCheck, Phase, settings

        now = settings()
        examples = self._config.fuzz_examples or now.max_examples
        if stateful_step_count:
            examples = max(1, examples // EXAMPLES_PER_SEQUENCE)
        return settings(
            now,
            max_examples=examples,
            database=strategies.database_of(self.case.id, now.database),
            deadline=None,
            phases=set(now.phases) - {Phase.explain, Phase.target},
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            stateful_step_count=stateful_step_count or now.stateful_step_count,
        )

    def _told(self, search: Callable[[], object], tally: ShapeTally, latest: list[Any]) -> Verdict:
        """Return what a search found: the smallest wrong example, or that all of them are right."""
        from hypothesis.errors import Flaky

        self._runner.engine(example_of(self.spec)).open()  # no search for what cannot be built
        self._first = None
        try:
            search()
        except WrongShapeError as wrong:
            return self._findings.wrong(wrong.verdict, tally.figures, _text(latest))
        except Flaky as flaky:
            steps, error = self._first or (_text(latest), flaky)
            return self._findings.flaky(error, tally.figures, steps)
        note = f"; built per shape: {self.static.why}" if self.static else ""
        return tally.verdict(note)

    @contextmanager
    def _noted(self, steps: Iterable[object]) -> Iterator[None]:
        """Keep the first error of a search: hypothesis does not tell what it could not repeat."""
        try:
            yield
        except Exception as error:
            self._first = self._first or (_text(steps), error)
            raise

    def _new_runner(self) -> ShapeRunner:
        return ShapeRunner(self.case, self._artefacts, self._hosts)

    def _settle(self, runner: ShapeRunner) -> None:
        """Run the least shape, so that whatever a runner keeps of its calls is of that one."""
        least = example_of(self.spec)
        try:
            runner(least, self._feeds(least))
        except RunError as error:
            raise WrongShapeError(least, self._findings.refused(least, error)) from error

    def _count(
        self, runner: ShapeRunner, recipe: Recipe, tally: ShapeTally, tolerance: Tolerance | None
    ) -> dict[str, Array]:
        """Run and judge a recipe; raise `WrongShapeError` if the outputs are wrong."""
        outputs: dict[str, Array] = {}
        opinion = self._opinion(runner, recipe, tolerance, outputs)
        tally.count(recipe, opinion)
        if opinion.verdict.status == "fail":
            raise WrongShapeError(recipe, opinion.verdict)
        return outputs

    def _opinion(
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
        if opinion.verdict.status == "fail":
            known = known_finding(case, recipe.values, opinion.verdict)
            return (
                Opinion(self._findings.known(opinion.verdict, known), "known") if known else opinion
            )
        return opinion

    def _feeds(self, recipe: Recipe) -> Arrays:
        photographs: Arrays = {}
        if recipe.values == PHOTOGRAPHS:
            photographs = self._artefacts.feeds(self.case.model, ROWS)
        return recipe.feeds(self.spec, photographs)

    def _refuses(self, wrong: WrongFeeds) -> bool:
        """Return whether the feeds are refused as such; another error is not enough."""
        try:
            self._runner.engine(example_of(self.spec))(wrong.feeds)
        except RunError as error:
            return error.what.startswith("cannot feed")
        return False


def _text(steps: Iterable[object]) -> str:
    """Return a recipe, or a sequence of steps, as ``--infer-fuzz-replay`` takes it."""
    return SEPARATOR.join(map(str, steps))


class _Judged:
    """What the state machine does to runners."""

    def __init__(
        self, fuzz: Fuzz, tally: ShapeTally, tolerance: Tolerance | None, steps: list[str]
    ) -> None:
        self._fuzz = fuzz
        self._tally = tally
        self._tolerance = tolerance
        self._steps = steps

    def open(self) -> ShapeRunner:
        runner = self._fuzz._new_runner()  # noqa: SLF001 - the two are one judge
        with self._fuzz._noted(self._steps):  # noqa: SLF001
            self._fuzz._settle(runner)  # noqa: SLF001
        return runner

    def run(self, runner: ShapeRunner, recipe: Recipe) -> dict[str, Array]:
        with self._fuzz._noted(self._steps):  # noqa: SLF001
            return self._fuzz._count(runner, recipe, self._tally, self._tolerance)  # noqa: SLF001

    def again(self, runner: ShapeRunner, recipe: Recipe, before: dict[str, Array]) -> None:
        with self._fuzz._noted(self._steps):  # noqa: SLF001
            self._repeat(runner, recipe, before)

    def _repeat(self, runner: ShapeRunner, recipe: Recipe, before: dict[str, Array]) -> None:
        fuzz = self._fuzz
        outputs = runner(recipe, fuzz._feeds(recipe))  # noqa: SLF001
        rows = recipe.clean_rows
        verdict = judge_relation(
            {name: values[rows] for name, values in outputs.items()},
            {name: values[rows] for name, values in before.items()},
            REPEATED,
            noise={},
            precision=fuzz.case.precision,
            tolerance=self._tolerance,
            subject=fuzz.case.id,
        )
        if verdict.status == "fail" and verdict.code != "vacuous":
            raise WrongShapeError(recipe, verdict)
