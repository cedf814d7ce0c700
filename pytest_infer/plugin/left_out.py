"""Leave the experiments of the articles to runs that ask for them, and say so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.plugin.conftests import place_of

if TYPE_CHECKING:
    import pytest

    from pytest_infer.plugin.state import State

NAME = "seeds"
SEEDS = Path(__file__).resolve().parents[1] / "suites" / NAME
"""The folder of the experiments, each with a protocol and cases that no other test has."""


class LeftOut:
    """The hook that keeps the folder from being collected with the suites beside it."""

    def __init__(self, config: pytest.Config, state: State) -> None:
        self._config = config
        self._state = state

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Ignore the folder, unless the command line has it, or something in it."""
        if collection_path.name != NAME or collection_path.resolve() != SEEDS or self._is_asked:
            return None
        self._state.coverage.experiments = len(_files())
        self._state.coverage.experiments_command = self._command(collection_path)
        return True

    @property
    def _is_asked(self) -> bool:
        places = (place_of(each.partition("::")[0], self._config) for each in self._config.args)
        return any(SEEDS in (place, *place.parents) for place in (p.resolve() for p in places))

    def _command(self, folder: Path) -> str:
        """Return what runs them: the path as pytest came to it, or the package's name."""
        if self._config.getoption("pyargs"):
            return f"pytest --pyargs pytest_infer.suites.{NAME}"
        return f"pytest {os.path.relpath(folder, self._config.invocation_params.dir)}"


def _files() -> list[Path]:
    return list(SEEDS.glob("test_*.py"))
