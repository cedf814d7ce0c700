"""The fixture `accuracy`: the judge of an engine's answers to held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.errors import ModelError
from pytest_infer.judges.accuracy import AccuracyBounds, Graded, judge_accuracy
from pytest_infer.models import registry as models
from pytest_infer.models.spec import BATCH
from pytest_infer.session.wanted_models import Wanted, read_specs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Case
    from pytest_infer.hosts.results import EvaluationResult
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.session import InferSession
    from pytest_infer.verdict import Verdict

    Infer = Callable[[Arrays], Arrays]

EAGER_ROWS = 32
"""So many rows eager mode gets at a time, if it takes them: what is right does not depend on it."""

READ_ROWS = 64
"""So many rows are read and graded at a time: a call of a host takes longer than a small net's."""

MOST_NAMED = 5


class Accuracy:
    """Judges an engine by the evaluation set of its model, row by row beside eager in fp32."""

    def __init__(self, case: Case, infer: InferSession, bounds: AccuracyBounds | None) -> None:
        self._case = case
        self._infer = infer
        self._bounds = bounds or AccuracyBounds()

    def __call__(self, engine: EngineUnderTest) -> Verdict:
        """Feed every row to the engine, and judge how many it has right.

        Eager mode is asked once a run. Raise `ModelError` for a set that cannot be used, and if a
        row of it is calibrated on.
        """
        held_out = self._set()
        self._refuse_calibrated(held_out)
        original = held_out.original or self._case.model
        graded = Graded(
            engine=self._right(engine, held_out.rows, self._case.batch),
            exact=self._infer.artefacts.kept.once(
                ("exact", self._case.model, original, self._case.device),
                lambda: self._exact(original, held_out.rows),
            ),
            guess=held_out.guess,
            original=held_out.original,
        )
        return judge_accuracy(graded, self._bounds, subject=self._case.id)

    def _set(self) -> EvaluationResult:
        return self._infer.artefacts.models.evaluation(
            self._case.model, is_calibrated=self._infer.artefacts.graphs.is_calibrated(self._case)
        )

    def _refuse_calibrated(self, held_out: EvaluationResult) -> None:
        shared = held_out.calibrated
        if not shared:
            return
        named = ", ".join(str(row) for row in shared[:MOST_NAMED])
        raise ModelError(
            f"cannot judge the accuracy of {self._case.id}",
            why=f"{len(shared)} of {held_out.rows} rows of its evaluation set are in the "
            f"calibration set too: {named}{' ...' * (len(shared) > MOST_NAMED)}",
            mend="calibrate on other rows: calibration= of the model, or --infer-images",
        )

    def _exact(self, original: str, rows: int) -> Array:
        """Return which rows eager mode in fp32 has right, with weights as they are."""
        read = read_specs(Wanted((original,)), self._infer.artefacts.client, self._infer.cache)
        for broken in read.broken:
            raise broken.error
        spec, eager = models.find(original).spec, self._infer.artefacts.eager
        most = spec.onnx.rows if spec.onnx else EAGER_ROWS
        if BATCH in spec.dims:
            most = min(EAGER_ROWS, spec.dims[BATCH].max)
        with eager.exact(self._case, original) as infer:

            def ask(feeds: Arrays) -> Arrays:
                if feeds.keys() == spec.inputs.keys():
                    return infer(feeds)
                return infer(dict(zip(spec.inputs, feeds.values(), strict=True)))

            return self._right(ask, rows, most)

    def _right(self, infer: Infer, rows: int, batch: int) -> Array:
        """Return which rows are right; the last batch is filled up with the first rows."""
        asked, name = self._infer.artefacts.models, self._case.model
        spec = models.find(name).spec
        size = batch * max(1, READ_ROWS // batch)
        parts = []
        for start in range(0, rows, size):
            feeds = asked.evaluation_feeds(name, start, size)
            calls = range(0, min(size, rows - start), batch)
            answers = [infer(_part(feeds, spec, first, batch)) for first in calls]
            parts.append(asked.right(name, _joined(answers), start))
        return np.concatenate(parts)


def _part(feeds: Arrays, spec: ModelSpec, first: int, batch: int) -> Arrays:
    return {
        name: values[first : first + batch] if spec.inputs[name].has_rows else values
        for name, values in feeds.items()
    }


def _joined(answers: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([each[name] for each in answers]) for name in answers[0]}
