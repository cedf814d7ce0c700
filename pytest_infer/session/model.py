"""A case's model as a test gets it: its spec, and what surrounds its module."""

from __future__ import annotations

from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_infer.errors import ModelError
from pytest_infer.models import registry as models

if TYPE_CHECKING:
    from torch import nn

    from pytest_infer.arrays import Arrays
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.session.case_graphs import CaseGraphs
    from pytest_infer.session.models import Models

ROUNDING = 1e-3
"""Of the largest magnitude: far above fp32's rounding on any two machines."""


class LoadedModel:
    """What a test gets as ``model``; nothing is loaded before it is asked for."""

    def __init__(self, name: str, models: Models, graphs: CaseGraphs) -> None:
        self._name = name
        self._models = models
        self._graphs = graphs

    @property
    def spec(self) -> ModelSpec:
        """Return the named inputs and outputs with their shapes and dynamic dimensions."""
        return models.find(self._name).spec

    @cached_property
    def module(self) -> nn.Module:
        """Return the user's own module with its weights, in eval mode, in pytest's process.

        Raise `ModelError` if it answers in another way here than in the hosts of engines.
        """
        from pytest_infer.graphs.module import own_module

        graph = self._graphs.module(self._name)
        module = own_module(graph)
        expected = self._graphs.modules.answers.get(self._name)
        if expected is not None:
            self._check(module, graph, expected)
        return module

    def _check(self, module: nn.Module, graph: Graph, expected: Arrays) -> None:
        from pytest_infer.hosts.probe import answer
        from pytest_infer.judges.burst import distance_of

        if distance_of(answer(graph, _copied(module)), expected) > ROUNDING:
            raise ModelError(
                f"{self._name} is another model in this process than where engines are built",
                why="its module answers the same inputs in another way here: a fixture, a hook or "
                "another conftest.py has changed what it reads",
                mend="change it where every process does: in the model's file or beside it, when "
                "that is imported, or in the environment",
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the classes in the order of their indices."""
        return self._models.labels(self._name)

    def postprocess(self, outputs: Arrays) -> list[Arrays]:
        """Return what the model's own postprocessing makes of its outputs, per row."""
        return self._models.meaning(self._name, outputs)


def _copied(module: nn.Module) -> nn.Module | None:
    """Return a copy, which a probe may convert and call; None of a module that has no copy."""
    try:
        return deepcopy(module)
    except Exception:  # noqa: BLE001 - whatever the user's classes raise: it is loaded once more
        return None
