"""An engine as shapes are fuzzed: one for all of them, or one for each where it must be so."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from pytest_infer.engines.protocol import Missing
from pytest_infer.session.engine import under_test

if TYPE_CHECKING:
    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Case
    from pytest_infer.fuzzing.recipe import Recipe
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.artefacts import Artefacts
    from pytest_infer.session.engine import EngineUnderTest

Sizes = tuple[tuple[str, int], ...]


class ShapeRunner:
    """A runner of a case's engine that takes every shape, opened when it is first called."""

    def __init__(self, case: Case, artefacts: Artefacts, hosts: HostPool) -> None:
        self._case = case
        self._artefacts = artefacts
        self._hosts = hosts
        self._stack = ExitStack()
        self._engines: dict[Sizes, EngineUnderTest] = {}

    def __call__(self, recipe: Recipe, feeds: Arrays) -> dict[str, Array]:
        """Return the outputs for ``feeds``, laid out as ``recipe`` says."""
        return self.engine(recipe)(feeds, layout=recipe.layout)

    def engine(self, recipe: Recipe) -> EngineUnderTest:
        """Return the engine for the shape of a recipe."""
        built = self._artefacts.engines.profiled(self._case)
        key = recipe.sizes if isinstance(built, Missing) else ()
        if key not in self._engines:
            if isinstance(built, Missing):
                built = self._artefacts.engines.shaped(self._case, dict(recipe.sizes))
            engine = under_test(self._case, built, self._hosts)
            self._engines[key] = self._stack.enter_context(engine)
        return self._engines[key]

    def close(self) -> None:
        """Free every engine; the next call opens it again."""
        self._engines.clear()
        self._stack.close()
