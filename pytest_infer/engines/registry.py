"""The engines of the matrix: one adapter file each, found by scanning the folder `adapters`.

Another package adds its own through the entry point group ``pytest_infer.engines``, a test
suite through `register` in its ``conftest.py``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import stack
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from pytest_infer.engines import adapters
from pytest_infer.errors import OptionError, unknown
from pytest_infer.models.source import Source
from pytest_infer.models.spec import is_name
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from pytest_infer.engines.protocol import Engine

GROUP = "pytest_infer.engines"
"""The entry points by which other packages add engines."""

_registered: dict[str, tuple[Engine, Source]] = {}


def register(engine: Engine) -> None:
    """Add ``engine`` from the calling file, which an engine host imports to have it too."""
    _add(engine, Source(file=str(Path(stack()[1].filename).resolve())))


def registered() -> dict[str, Engine]:
    """Return every engine known to this process, sorted by name."""
    for engine, origin in _installed():
        _add(engine, origin)
    return {name: engine for name, (engine, _) in sorted(_registered.items())}


def find(name: str) -> Engine:
    """Return the engine called ``name``; raise `OptionError`, naming the nearest, if none is."""
    engines = registered()
    if name not in engines:
        raise unknown("engine", name, engines)
    return engines[name]


def source(name: str) -> Source:
    """Return where the engine called ``name`` is defined."""
    find(name)
    return _registered[name][1]


@cache
def _installed() -> tuple[tuple[Engine, Source], ...]:
    """Return the engines of this package and of others, looked for once: that takes 5 ms."""
    modules = [
        import_module(f"{adapters.__name__}.{info.name}")
        for info in iter_modules(adapters.__path__)
    ]
    own = [(module.ENGINE, Source(module=module.__name__)) for module in modules]
    others = [(_loaded(entry), Source(module=entry.module)) for entry in entry_points(group=GROUP)]
    return (*own, *others)


def _loaded(entry: EntryPoint) -> Engine:
    """Return the engine that another package brings."""
    try:
        engine: Engine = entry.load()
    except Exception as error:
        package = entry.dist.name if entry.dist else "a package"
        raise OptionError(
            f"cannot import the engine {entry.name!r}",
            why=f"{package} brings it in {entry.value}: {type(error).__name__}: {error}",
            mend=f"install {package} again, or uninstall it",
        ) from error
    return engine


def _add(engine: Engine, source: Source) -> None:
    if not is_name(engine.name):
        raise OptionError(
            f"cannot call an engine {shown(engine.name)!r}",
            why="its name becomes a part of test ids and of files' names",
            mend="use at most 100 ASCII letters, digits, dots, dashes and underscores",
        )
    _, old = _registered.get(engine.name, (engine, source))
    if old != source:
        raise OptionError(
            f"two engines are called {engine.name!r}",
            why=f"one is in {old}, the other in {source}",
            mend="rename one of them, or uninstall the package that brings it",
        )
    _registered[engine.name] = engine, source
