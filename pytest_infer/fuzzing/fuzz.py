"""One built engine, many shapes: each against eager, and the smallest wrong one if any is."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.protocol import Missing
from pytest_infer.errors import RunError
from pytest_infer.fuzzing import strategies
from pytest_infer.fuzzing.descent import smaller
from pytest_infer.fuzzing.findings import Findings
from pytest_infer.fuzzing.judge import ShapeJudge, WrongShapeError
from pytest_infer.fuzzing.recipe import example_of, recipe_from_text
from pytest_infer.fuzzing.runner_machine import machine_of, replay
from pytest_infer.fuzzing.tally import ShapeTally
from pytest_infer.fuzzing.trial import SEPARATOR, SequenceTrial, ShapeTrial, Trace
from pytest_infer.models.registry import find
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.fuzzing.oracle import Oracle
    from pytest_infer.fuzzing.recipe import Recipe
    from pytest_infer.fuzzing.strategies import WrongFeeds
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.session.artefacts import Artefacts

STATIC_SHAPES = 4
"""How many shapes an engine is built for that takes one each: a build takes seconds to minutes."""

STEPS = 8
"""The most steps of a sequence."""

EXAMPLES_PER_SEQUENCE = 10
"""A sequence opens engines again, and takes as long as this many shapes."""


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
        self._config = config
        self._findings = Findings(case, config)
        self._judge = ShapeJudge(case, artefacts, hosts, oracle, self._findings)
        self._runner = self._judge.new_runner()

    @property
    def spec(self) -> ModelSpec:
        """Return the model's spec with every dimension dynamic that its network allows to be."""
        return self._judge.spec

    @cached_property
    def static(self) -> Missing | None:
        """Return why the engine is built for one shape at a time, if it is."""
        built = self._artefacts.engines.profiled(self.case)
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
        return self._judge.opinion(self._runner, recipe, tolerance).verdict

    def check(self, recipe: Recipe, tolerance: Tolerance | None = None) -> None:
        """Raise `WrongShapeError`, an assertion's error, unless the engine is right."""
        verdict = self.judge(recipe, tolerance)
        if verdict.status == "fail":
            raise WrongShapeError(recipe, verdict)

    def shapes(self, tolerance: Tolerance | None = None) -> Verdict:
        """Judge the engine on many recipes, or on the one to replay; report the least wrong one."""
        tally, trace = ShapeTally(self.case), Trace()
        trial = ShapeTrial(self._judge, self._runner, tally, tolerance, trace)
        if text := self._config.fuzz_replay:
            return self._told(lambda: trial(recipe_from_text(text, self.spec)), tally, trace)
        return self._told(lambda: self._shrunk(trial), tally, trace)

    def sequences(self, tolerance: Tolerance | None = None) -> Verdict:
        """Judge two runners of the engine in sequences of calls, repeats and reopenings."""
        tally, trace = ShapeTally(self.case), Trace()
        trial = SequenceTrial(self._judge, tally, tolerance, trace)
        if text := self._config.fuzz_replay:
            trace.steps += text.split(SEPARATOR)
            return self._told(lambda: replay(trial, trace.steps, self.spec), tally, trace)
        from hypothesis.stateful import run_state_machine_as_test

        machine = machine_of(trial, self.recipes, trace.steps)
        chosen = self._settings(stateful_step_count=STEPS)
        return self._told(lambda: run_state_machine_as_test(machine, settings=chosen), tally, trace)

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
            mend="let the engine's runner check its feeds with pytest_infer.check_feeds",
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

    def _shrunk(self, trial: ShapeTrial) -> None:
        """Search, and raise for the smallest recipe; a static engine would be built for each."""

        def is_wrong(recipe: Recipe) -> bool:
            try:
                trial(recipe)
            except WrongShapeError:
                return True
            return False

        try:
            self._search(trial)()
        except WrongShapeError:
            trial(trial.latest if self.static else smaller(trial.latest, self.spec, is_wrong))
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

    def _told(self, search: Callable[[], object], tally: ShapeTally, trace: Trace) -> Verdict:
        """Return what a search found: the smallest wrong example, or that all of them are right."""
        from hypothesis.errors import Flaky

        self._runner.engine(example_of(self.spec)).open()  # no search for what cannot be built
        try:
            search()
        except WrongShapeError as wrong:
            return self._findings.wrong(wrong.verdict, tally.figures, str(trace))
        except Flaky as flaky:
            steps, error = trace.first or (str(trace), flaky)
            return self._findings.flaky(error, tally.figures, steps)
        note = f"; built per shape: {self.static.why}" if self.static else ""
        return tally.verdict(note)

    def _refuses(self, wrong: WrongFeeds) -> bool:
        """Return whether the feeds are refused as such; another error is not enough."""
        try:
            self._runner.engine(example_of(self.spec))(wrong.feeds)
        except RunError as error:
            return error.what.startswith("cannot feed")
        return False
