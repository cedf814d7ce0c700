"""The caller's side of `ModelOperations`: what a host can be asked about models, with types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.hosts.results import EvaluationResult, ProbeResult
from pytest_infer.hosts.wire import as_type
from pytest_infer.models.draft import Reading
from pytest_infer.models.thumbnail import Thumbnail

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.hosts.host import Host


class ModelClient:
    """Asks the host that has the models' code and libraries; each method is an operation.

    ``doing`` completes "cannot ..." in the error that is raised if the host dies or hangs.
    """

    def __init__(self, host: Callable[[], Host]) -> None:
        """Ask what ``host`` returns each time: a new one if the last has died."""
        self._host = host

    def identity(self, *, model: str, doing: str) -> dict[str, Any]:
        """Return what decides what a model computes, but its weights: its spec and its code."""
        found: dict[str, Any] = self._host().call(
            "model.identity", error=ModelError, doing=doing, model=model
        )
        return found

    def files(self, *, model: str, doing: str) -> list[str]:
        """Return the paths of the files that decide what a model computes, besides code."""
        found: list[str] = self._host().call(
            "model.files", error=ModelError, doing=doing, model=model
        )
        return found

    def source_identity(self, *, model: str, doing: str) -> dict[str, Any]:
        """Return what decides what is read from the source of a model: its files and its code."""
        found: dict[str, Any] = self._host().call(
            "model.source_identity", error=ModelError, doing=doing, model=model
        )
        return found

    def reading(self, *, model: str, doing: str) -> Reading:
        """Read the spec of a model from its source, by the library that has it."""
        found = self._host().call("model.reading", error=ModelError, doing=doing, model=model)
        return as_type(found, Reading)

    def probe(self, *, graph: Graph, structure: str, doing: str) -> ProbeResult:
        """Return what a module answers to one row of feeds, in eager fp32 on the CPU."""
        found = self._host().call(
            "model.probe", error=ModelError, doing=doing, graph=graph, structure=structure
        )
        return ProbeResult(**found)

    def write_weights(self, *, model: str, weights: str, folder: str, doing: str) -> str:
        """Save the module with the weights of ``--infer-weights``; return their structure."""
        structure: str = self._host().call(
            "model.write_weights",
            error=ModelError,
            doing=doing,
            model=model,
            weights=weights,
            folder=folder,
        )
        return structure

    def feeds(self, *, model: str, batch: int, images: str, start: int = 0, doing: str) -> Arrays:
        """Return the named inputs made from ``batch`` photographs from ``start`` on, in a cycle."""
        feeds: Arrays = self._host().call(
            "model.feeds",
            error=ModelError,
            doing=doing,
            model=model,
            batch=batch,
            images=images,
            start=start,
        )
        return feeds

    def row_names(self, *, model: str, images: str, doing: str) -> list[str]:
        """Return what the photographs, or else the drawn rows, are called."""
        names: list[str] = self._host().call(
            "model.row_names", error=ModelError, doing=doing, model=model, images=images
        )
        return names

    def thumbnail(self, *, model: str, images: str, number: int, doing: str) -> Thumbnail | None:
        """Return a small picture of a photograph as the model is fed it; None if it is none."""
        found = self._host().call(
            "model.thumbnail",
            error=ModelError,
            doing=doing,
            model=model,
            images=images,
            number=number,
        )
        return None if found is None else as_type(found, Thumbnail)

    def evaluation(
        self, *, model: str, images: str, is_calibrated: bool, doing: str
    ) -> EvaluationResult:
        """Return what a model's evaluation set is, and which rows of it are calibrated on, too."""
        found = self._host().call(
            "model.evaluation",
            error=ModelError,
            doing=doing,
            model=model,
            images=images,
            is_calibrated=is_calibrated,
        )
        return as_type(found, EvaluationResult)

    def evaluation_feeds(self, *, model: str, start: int, batch: int, doing: str) -> Arrays:
        """Return ``batch`` rows of a model's evaluation set from ``start`` on, in a cycle."""
        feeds: Arrays = self._host().call(
            "model.evaluation_feeds",
            error=ModelError,
            doing=doing,
            model=model,
            start=start,
            batch=batch,
        )
        return feeds

    def right(self, *, model: str, outputs: Arrays, start: int, doing: str) -> Array:
        """Return which of the answers to rows of the evaluation set are right."""
        found: Array = self._host().call(
            "model.right", error=ModelError, doing=doing, model=model, outputs=outputs, start=start
        )
        return found

    def postprocess(self, *, model: str, outputs: Arrays, doing: str) -> list[Arrays]:
        """Return what the model's own postprocessing makes of its outputs, per row."""
        rows: list[Arrays] = self._host().call(
            "model.postprocess", error=ModelError, doing=doing, model=model, outputs=outputs
        )
        return rows

    def labels(self, *, model: str, doing: str) -> list[str]:
        """Return the names of the classes; empty if the model has none."""
        names: list[str] = self._host().call(
            "model.labels", error=ModelError, doing=doing, model=model
        )
        return names
