"""A case's model as a test gets it: its spec, and what surrounds its module."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pytest_infer.models import registry as models

if TYPE_CHECKING:
    from torch import nn

    from pytest_infer.arrays import Arrays
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.session.artefacts import Artefacts


class LoadedModel:
    """What a test gets as ``model``; nothing is loaded before it is asked for."""

    def __init__(self, name: str, artefacts: Artefacts) -> None:
        self._name = name
        self._artefacts = artefacts

    @property
    def spec(self) -> ModelSpec:
        """Return the named inputs and outputs with their shapes and dynamic dimensions."""
        return models.find(self._name).spec

    @cached_property
    def module(self) -> nn.Module:
        """Return the user's own module with its weights, in eval mode, in pytest's process."""
        from pytest_infer.graphs.module import own_module

        return own_module(self._artefacts.module(self._name))

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the classes in the order of their indices."""
        return self._artefacts.labels(self._name)

    def postprocess(self, outputs: Arrays) -> list[Arrays]:
        """Return what the model's own postprocessing makes of its outputs, per row."""
        return self._artefacts.meaning(self._name, outputs)
