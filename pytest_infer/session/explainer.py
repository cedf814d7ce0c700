"""What is done about a failure of parity: find the layer, and pack a bundle that reproduces it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_infer.engines import registry as engines
from pytest_infer.errors import InferError
from pytest_infer.judges.tasks import registry as tasks
from pytest_infer.models import registry as models
from pytest_infer.session.bundle import Failure, write_bundle
from pytest_infer.session.localizer import Localizer, attempted

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.case import Case, Precision
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.session.artefacts import Artefacts
    from pytest_infer.verdict import Verdict

FOLDER = "bundles"


class Explainer:
    """Adds to a verdict where its engine begins to be wrong, and a bundle's path."""

    def __init__(self, artefacts: Artefacts, hosts: HostPool, folder: Path) -> None:
        self._artefacts = artefacts
        self._localizer = Localizer(artefacts, hosts)
        self._folder = folder / FOLDER
        self._layers: dict[tuple[Case, int], str] = {}

    def explained(
        self, verdict: Verdict, case: Case, tolerance: Tolerance | None, start: int = 0
    ) -> Verdict:
        """Return a failed verdict with the first diverging layer and the bundle in its message.

        ``start`` is the number of the photograph in the first row of the batch that has failed.
        """
        if (case, start) not in self._layers:
            self._layers[case, start] = attempted(self._localizer, case, start)
        layers = self._layers[case, start]
        try:
            failure = self._failure(verdict, case, tolerance, start)
            test = str(write_bundle(self._folder / case.id, failure))
        except (InferError, OSError) as error:
            test = f"not written: {error}"
        told = layers.replace("\n", "\n          ")
        message = f"{verdict.message}\n  layers: {told}\n  bundle: pytest {test}"
        return replace(verdict, message=message)

    def _failure(
        self, verdict: Verdict, case: Case, tolerance: Tolerance | None, start: int
    ) -> Failure:
        artefacts = self._artefacts
        precisions: tuple[Precision, ...] = ("fp64", case.precision)
        return Failure(
            case=case,
            graph=artefacts.graphs.of(case),
            feeds=artefacts.models.feeds(case.model, case.batch, start),
            references={name: artefacts.eager.reference(case, name, start) for name in precisions},
            labels=artefacts.models.labels(case.model),
            tolerance=tolerance,
            environment={
                "device": artefacts.identities.device(case.engine, case.device),
                "runtime": artefacts.identities.runtime(case.engine),
            },
            verdict=verdict,
            layers=self._layers[case, start],
            sources=(
                *tasks.own_sources(),
                models.find(case.model).spec.source,
                engines.source(case.engine),
            ),
            has=models.reading(case.model).has,
        )
