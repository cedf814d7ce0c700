"""What each model's own code gives: its feeds, the names of rows and classes, and meanings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_infer.session.kept import Kept

if TYPE_CHECKING:
    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.config import InferConfig
    from pytest_infer.hosts.model_client import ModelClient
    from pytest_infer.hosts.results import EvaluationResult


class Models:
    """Asks the host that has the models' code, and keeps what it answers."""

    def __init__(self, config: InferConfig, client: ModelClient) -> None:
        self._images = str(config.images or "")
        self._client = client
        self._kept = Kept()
        self._latest_feeds: tuple[tuple[str, int, int], Arrays] | None = None

    def labels(self, model: str) -> tuple[str, ...]:
        """Return the names of a model's classes; empty if it has none."""
        return self._kept.once(
            ("labels", model),
            lambda: tuple(self._client.labels(model=model, doing=f"read {model}'s labels")),
        )

    def meaning(self, model: str, outputs: Arrays) -> list[Arrays]:
        """Return what a model's own postprocessing makes of its outputs, per row."""
        return self._client.postprocess(
            model=model, outputs=outputs, doing=f"postprocess {model}'s outputs"
        )

    def row_names(self, model: str) -> list[str]:
        """Return what a model's different rows are called: photographs, or drawn rows."""
        return self._kept.once(
            ("row_names", model),
            lambda: self._client.row_names(
                model=model, images=self._images, doing=f"list {model}'s photographs"
            ),
        )

    def evaluation(self, model: str, *, is_calibrated: bool) -> EvaluationResult:
        """Return what a model's evaluation set is, and which rows are calibrated on, too."""
        return self._kept.once(
            ("evaluation", model, is_calibrated),
            lambda: self._client.evaluation(
                model=model,
                images=self._images,
                is_calibrated=is_calibrated,
                doing=f"read {model}'s evaluation set",
            ),
        )

    def evaluation_feeds(self, model: str, start: int, batch: int) -> Arrays:
        """Return ``batch`` rows of a model's evaluation set from ``start`` on, in a cycle."""
        return self._client.evaluation_feeds(
            model=model, start=start, batch=batch, doing=f"read {model}'s evaluation set"
        )

    def right(self, model: str, outputs: Arrays, start: int) -> Array:
        """Return which of the answers to rows of a model's evaluation set are right."""
        return self._client.right(
            model=model, outputs=outputs, start=start, doing=f"grade {model}'s answers"
        )

    def thumbnail(self, model: str, number: int) -> dict[str, Any]:
        """Return a small picture of a photograph as the model is fed it; empty if it is none.

        ``jpeg`` (base64), and ``width`` and ``height`` of the input in pixels.
        """

        def make() -> dict[str, Any]:
            found = self._client.thumbnail(
                model=model,
                images=self._images,
                number=number,
                doing=f"show {model}'s photograph {number + 1}",
            )
            return asdict(found) if found else {}

        return self._kept.once(("thumbnail", model, number), make)

    def feeds(self, model: str, batch: int, start: int = 0) -> Arrays:
        """Return the named inputs made from ``batch`` photographs from ``start`` on, in a cycle.

        Those from the first on are kept, and the latest others.
        """

        def make() -> Arrays:
            return self._client.feeds(
                model=model,
                batch=batch,
                images=self._images,
                start=start,
                doing=f"prepare {model}'s inputs",
            )

        if not start:
            return self._kept.once(("feeds", model, batch), make)
        key = (model, batch, start)
        if self._latest_feeds is None or self._latest_feeds[0] != key:
            self._latest_feeds = key, make()
        return self._latest_feeds[1]
