"""Say in which layers int8 loses most, and what it loses without them."""

from __future__ import annotations

from dataclasses import asdict, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.errors import InferError
from pytest_infer.judges.layer_losses import (
    Int8Loss,
    LayerLoss,
    int8_loss,
    most_left_out,
    ordered,
)
from pytest_infer.judges.metrics import relative_l2
from pytest_infer.models import registry as models
from pytest_infer.session.engine import under_test
from pytest_infer.session.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import BuiltEngine
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.artefacts import Artefacts
    from pytest_infer.verdict import Verdict

AT_ONCE = 8
"""Losses that a host is asked for in one call."""

DETAIL = "int8_loss"
"""The name in a verdict's details."""


class QuantizationLoss:
    """Adds to a case's verdict where its int8 graph loses most."""

    def __init__(self, artefacts: Artefacts, hosts: HostPool, images: Path | None) -> None:
        self._artefacts = artefacts
        self._hosts = hosts
        self._images = str(images or "")
        self._kept = Kept()
        self._told: set[Case] = set()

    def added(self, verdict: Verdict, case: Case) -> Verdict:
        """Return the verdict with ``int8_loss`` in its details, the first time of each case.

        The verdict stands whatever becomes of it: what could not be measured is its ``note``.
        """
        if case.precision != "int8" or case in self._told:
            return verdict
        self._told.add(case)
        try:
            found = self._of(case)
        except InferError as error:
            found = {"note": f"{error.what}: {error.why}"}
        return replace(verdict, details={**verdict.details, DETAIL: found})

    def _of(self, case: Case) -> dict[str, Any]:
        wanted = self._artefacts.graphs.request(case)
        spec = models.find(case.model).spec
        is_given = wanted.format == "onnx" and wanted.precision == "int8"
        if not is_given or (spec.onnx and spec.onnx.precision):
            return {"note": f"{case.engine} is given no graph that was quantized here"}
        loss = self._kept.once((case.model, wanted), lambda: self._measured(case))
        found: dict[str, Any] = {"model": case.model, **asdict(loss)}
        if loss.leave_out:
            found |= self._checked(case, loss.leave_out)
        return found

    def _measured(self, case: Case) -> Int8Loss:
        doing = f"find where {case.model} loses most in int8"
        client = self._artefacts.files
        wanted = self._artefacts.graphs.request(case)
        with TemporaryDirectory() as folder:
            file = client.quantization_probe(
                graph=self._artefacts.graphs.exact(case),
                request=wanted,
                images=self._images,
                folder=folder,
                doing=doing,
            )
            layers = client.quantized_layers(file=file, doing=doing)
            names = [layer.node for layer in layers]

            def losses(kept: Sequence[Sequence[str]]) -> list[float]:
                return [
                    loss
                    for start in range(0, len(kept), AT_ONCE)
                    for loss in client.losses(
                        model=case.model,
                        images=self._images,
                        file=file,
                        kept=kept[start : start + AT_ONCE],
                        is_symmetric=wanted.is_symmetric,
                        doing=doing,
                    )
                ]

            together, *alone = losses([names, *([name] for name in names)])
            found = [
                LayerLoss(layer.node, layer.operator, layer.tensor, loss)
                for layer, loss in zip(layers, alone, strict=True)
            ]
            worst = [each.node for each in ordered(found)]
            numbers = range(1, most_left_out(len(worst)) + 1)
            return int8_loss(together, found, losses([worst[number:] for number in numbers]))

    def _checked(self, case: Case, leave_out: Sequence[str]) -> dict[str, float]:
        """Return what the engine itself loses against eager in fp64, with and without the nodes."""
        graph = self._artefacts.graphs.without(case, leave_out)
        before = self._engine_loss(case, lambda _: self._artefacts.engines.of(case))
        after = self._engine_loss(
            case, lambda cache: self._artefacts.engines.built_from(case, graph, cache)
        )
        return {"before": before, "after": after}

    def _engine_loss(self, case: Case, build: Callable[[str], BuiltEngine]) -> float:
        rows = len(self._artefacts.models.row_names(case.model))
        errors: list[float] = []
        with TemporaryDirectory() as cache, under_test(case, build(cache), self._hosts) as engine:
            for start in range(0, rows, case.batch):
                feeds = self._artefacts.models.feeds(case.model, case.batch, start)
                actual = engine(feeds)
                exact = self._artefacts.eager.reference(case, "fp64", start)
                errors += [
                    relative_l2(actual[name], values)
                    for name, values in exact.items()
                    if values.dtype.kind == "f"
                ]
        return float(np.sqrt(np.mean(np.square(errors))))
