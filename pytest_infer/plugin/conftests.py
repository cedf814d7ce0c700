"""The ``conftest.py`` files of a run: all are loaded before the first test is parametrized.

Any of them may register models and engines, and the matrix has all of these. pytest itself loads
one when it comes to its folder, after the tests before it have been parametrized.
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_infer.plugin.state import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from pytest_infer.session.matrix import Origin

NAME = "conftest"
FILE = f"{NAME}.py"
PLUGIN = "pytest_infer.plugin.conftests"


class Late(NamedTuple):
    """What loading a file has changed, which its own folder's tests expect, and no others."""

    paths: list[str]
    """Added to ``sys.path``."""
    module: ModuleType | None
    """The module that ``import conftest`` gives."""


class Conftests:
    """Loads files early, and has their tests find the interpreter as if they had come in turn."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._late: dict[Path, Late] = {}

    def load(self, session: pytest.Session) -> None:
        """Load every file at and below the run's arguments that pytest itself would load."""
        for root in _roots(self._config):
            for folder in _folders(root, session):
                if (folder / FILE).is_file():
                    self._load(folder)

    def _load(self, folder: Path) -> None:
        """Load one file as pytest does; what goes wrong is reported in the folder's turn."""
        paths, module = sys.path.copy(), sys.modules.get(NAME)
        with suppress(Exception, pytest.skip.Exception, pytest.fail.Exception):
            self._config.pluginmanager._loadconftestmodules(  # noqa: SLF001 - no public way
                folder,
                self._config.getoption("importmode"),
                rootpath=self._config.rootpath,
                consider_namespace_packages=self._config.getini("consider_namespace_packages"),
            )
        added = [path for path in sys.path if path not in paths]
        loaded = sys.modules.get(NAME)
        sys.path[:] = paths
        if loaded is not module:
            _set_module(module)
        self._late[folder] = Late(added, None if loaded is module else loaded)

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Give a folder's tests what its file has changed."""
        if isinstance(collector, pytest.Directory) and collector.path in self._late:
            late = self._late.pop(collector.path)
            sys.path[:0] = [path for path in late.paths if path not in sys.path]
            if late.module is not None:
                _set_module(late.module)


def load_conftests(session: pytest.Session) -> None:
    """Load every ``conftest.py`` of the run, once, before there is a matrix."""
    manager = session.config.pluginmanager
    if not manager.has_plugin(PLUGIN):
        conftests = Conftests(session.config)
        manager.register(conftests, PLUGIN)
        conftests.load(session)
        state_of(session.config).origin = _origin(session.config)


def _origin(config: pytest.Config) -> Origin:
    """Return which files were loaded, and how to load the one where pytest was started."""
    from pytest_infer.session.matrix import Origin

    files = _loaded(config)
    here = config.invocation_params.dir / FILE
    why = f"\n{FILE} files loaded: {', '.join(files) or 'none'}"
    if not here.is_file() or str(here) in files:
        return Origin(why, f"\nor also name the folder of the {FILE} that registers it")
    command = shlex.join(["python", "-m", "pytest", "-p", NAME, *config.invocation_params.args])
    return Origin(
        f"{why}\n{here} was not loaded: it is not above the tests that run",
        f"\nor load it: {command}",
    )


def _loaded(config: pytest.Config) -> list[str]:
    """Return the files that were loaded, one of them perhaps by ``-p conftest``."""
    plugins = dict(config.pluginmanager.list_name_plugin())
    files = {str(getattr(plugin, "__file__", name)) for name, plugin in plugins.items() if plugin}
    return sorted(file for file in files if Path(file).name == FILE)


def _roots(config: pytest.Config) -> list[Path]:
    """Return the folders among the run's arguments, outermost first."""
    places = [place_of(arg.partition("::")[0], config) for arg in config.args]
    return sorted({place for place in places if place.is_dir()})


def place_of(name: str, config: pytest.Config) -> Path:
    """Return the path that pytest takes an argument for; links are kept as they are."""
    if config.getoption("pyargs"):
        with suppress(ImportError, ValueError):
            spec = find_spec(name)
            if spec and spec.submodule_search_locations:
                return Path(next(iter(spec.submodule_search_locations)))
            if spec and spec.origin:
                return Path(spec.origin)
    return Path(os.path.abspath(config.invocation_params.dir / name))  # noqa: PTH100


def _folders(root: Path, session: pytest.Session) -> Iterator[Path]:
    """Return ``root`` and what pytest would collect below it, a folder before what it holds."""
    waiting, seen = [root], set()
    while waiting:
        folder = waiting.pop()
        real = folder.resolve()
        if real in seen:
            continue
        seen.add(real)
        yield folder
        hook = session.gethookproxy(folder)
        waiting += [
            each
            for each in sorted(_subfolders(folder), reverse=True)
            if not hook.pytest_ignore_collect(collection_path=each, config=session.config)
        ]


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in one; none of one that cannot be read, which pytest reports."""
    with suppress(OSError):
        return [each for each in folder.iterdir() if each.is_dir() and each.name != "__pycache__"]
    return []


def _set_module(module: ModuleType | None) -> None:
    if module is None:
        sys.modules.pop(NAME, None)
    else:
        sys.modules[NAME] = module
