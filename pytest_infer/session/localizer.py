"""Say in which layer of its graph an engine begins to be wrong."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.errors import BuildError, InferError, LoadError, RunError
from pytest_infer.judges.divergence import LayerError, first_divergence, layer_errors, told
from pytest_infer.judges.metrics import relative_l2
from pytest_infer.models.spec import TensorSpec
from pytest_infer.session.engine import under_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.case import Case
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.graphs.layer import Layer
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.artefacts import Artefacts

AT_ONCE = 24
"""Tensors that are put out in one call: all of them at once would not fit into memory."""


class Localizer:
    """Compares an engine's intermediate tensors with those of its graph, computed node by node."""

    def __init__(self, artefacts: Artefacts, hosts: HostPool) -> None:
        self._artefacts = artefacts
        self._hosts = hosts
        self._start = 0

    def localize(self, case: Case, start: int = 0) -> str:
        """Return the first diverging layer in words, with a table; or why there is none to name.

        First it looks at every n-th layer, then at each between two of them. An engine that
        cannot put out intermediate tensors is given the graph cut after one, again and again. It
        is fed the photographs from number ``start`` on.
        """
        self._start = start
        if self._artefacts.graphs.request(case).format != "onnx":
            return (
                f"{case.engine} is not built from an ONNX graph: run the case on ort or openvino "
                "to see whether its layers are right"
            )
        layers = self._layers(case)
        try:
            errors = self._coarse_then_fine(case, layers)
        except (BuildError, LoadError, RunError, KeyError):
            errors = self._bisected(case, layers)
        found = layer_errors(layers, errors)
        worst = first_divergence(found, case.precision)
        if worst is None:
            return (
                f"{case.engine} computes what its graph says, layer by layer: if the outputs are "
                "wrong, the graph is (export, quantization), or the layers are right only if "
                "they are put out"
            )
        return f"{_named(worst)}\n{told(found, worst)}"

    def _layers(self, case: Case) -> list[Layer]:
        file = self._graph(case).file
        return self._artefacts.files.layers(file=file, doing=f"look into {file}")

    def _graph(self, case: Case) -> Graph:
        return self._artefacts.graphs.of(case)

    def _coarse_then_fine(self, case: Case, layers: Sequence[Layer]) -> dict[str, float]:
        names = [layer.tensor for layer in layers]
        step = max(isqrt(len(names)), 1)
        coarse = names[step - 1 :: step]
        errors = self._errors(case, [*coarse, *names[-1:]])
        worst = first_divergence(layer_errors(layers, errors), case.precision)
        if worst is None:
            return errors
        place = names.index(worst.layer.tensor)
        fine = names[max(place - 2 * step, 0) : place]
        return errors | self._errors(case, fine)

    def _bisected(self, case: Case, layers: Sequence[Layer]) -> dict[str, float]:
        """Return the errors of the tensors that a search for the first wrong one has seen."""
        names = [layer.tensor for layer in layers]
        errors: dict[str, float] = {}
        low, high = 0, len(names) - 1
        while low < high:
            middle = (low + high) // 2
            errors |= self._error_of_cut(case, names[middle])
            seen = layer_errors(layers, errors)
            worst = first_divergence(seen, case.precision)
            if worst and names.index(worst.layer.tensor) <= middle:
                high = middle
            else:
                low = middle + 1
        for place in range(max(low - 2, 0), low + 1):
            errors |= self._error_of_cut(case, names[place])
        return errors

    def _error_of_cut(self, case: Case, tensor: str) -> dict[str, float]:
        with TemporaryDirectory() as folder:
            file = str(Path(folder, "graph.onnx"))
            source = self._graph(case).file
            self._artefacts.files.cut(
                file=source, tensor=tensor, target=file, doing=f"look into {source}"
            )
            return self._compared(case, file, [tensor], [tensor])

    def _errors(self, case: Case, tensors: Sequence[str]) -> dict[str, float]:
        errors: dict[str, float] = {}
        for start in range(0, len(tensors), AT_ONCE):
            part = list(dict.fromkeys(tensors[start : start + AT_ONCE]))
            with TemporaryDirectory() as folder:
                file = str(Path(folder, "graph.onnx"))
                source = self._graph(case).file
                self._artefacts.files.mark(
                    file=source, tensors=part, target=file, doing=f"look into {source}"
                )
                outputs = [*self._graph(case).spec.outputs]
                errors |= self._compared(case, file, part, [*outputs, *part])
        return errors

    def _compared(
        self, case: Case, file: str, tensors: Sequence[str], outputs: Sequence[str]
    ) -> dict[str, float]:
        """Return the errors of tensors that ``file`` puts out, of an engine built from it."""
        graph = self._graph(case)
        spec = replace(graph.spec, outputs={name: TensorSpec(()) for name in outputs})
        altered = replace(graph, file=file, spec=spec)
        feeds = self._artefacts.models.feeds(case.model, case.batch, self._start)
        with TemporaryDirectory() as cache:
            built = self._artefacts.engines.built_from(case, altered, cache)
            with under_test(case, built, self._hosts) as engine:
                actual = engine(feeds)
            expected = self._artefacts.files.computed(
                file=file, feeds=feeds, tensors=tensors, doing=f"look into {file}"
            )
        return {name: _error(actual[name], expected[name]) for name in tensors}


def _error(actual: np.ndarray, expected: np.ndarray) -> float:
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    return relative_l2(actual, expected)


def _named(worst: LayerError) -> str:
    layer = worst.layer
    return (
        f"the first diverging layer is {layer.operator} {layer.node} ({layer.tensor}): its "
        f"relative L2 error is {worst.error:.2e}, that of its inputs {worst.before:.2e}"
    )


def attempted(localizer: Localizer, case: Case, start: int = 0) -> str:
    """Return what `Localizer.localize` says, or why it could not: the verdict stands anyway."""
    try:
        return localizer.localize(case, start)
    except InferError as error:
        return f"the diverging layer could not be found: {error.what}: {error.why}"
