"""The engines of the matrix: one adapter file each, found by scanning the folder `adapters`.

Another package adds its own through the entry point group ``pytest_infer.engines``, a test
suite through `register` in its ``conftest.py``.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from importlib.metadata import entry_points
from inspect import stack
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from pytest_infer.engines import adapters
from pytest_infer.engines.protocol import BuildRequest, Missing, TakesShapes
from pytest_infer.errors import OptionError, unknown
from pytest_infer.models import registry as models
from pytest_infer.models.spec import Source, is_name
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.engines.protocol import Engine
    from pytest_infer.graphs.graph import GraphFormat
    from pytest_infer.models.spec import Case

GROUP = "pytest_infer.engines"
"""The entry points by which other packages add engines."""

_registered: dict[str, tuple[Engine, Source]] = {}


def register(engine: Engine) -> None:
    """Add ``engine`` from the calling file, which an engine host imports to have it too."""
    _add(engine, Source(file=str(Path(stack()[1].filename).resolve())))


def registered() -> dict[str, Engine]:
    """Return every engine known to this process, sorted by name."""
    for info in iter_modules(adapters.__path__):
        module = import_module(f"{adapters.__name__}.{info.name}")
        _add(module.ENGINE, Source(module=module.__name__))
    for entry in entry_points(group=GROUP):
        _add(entry.load(), Source(module=entry.module))
    return {name: engine for name, (engine, _) in sorted(_registered.items())}


def find(name: str) -> Engine:
    """Return the engine called ``name``; raise `OptionError`, naming the nearest, if none is."""
    engines = registered()
    if name not in engines:
        raise unknown("engine", name, engines)
    return engines[name]


def build_request(case: Case) -> BuildRequest:
    """Return what the built engine of ``case`` must be able to do."""
    defaults = {name: option.default for name, option in find(case.engine).options.items()}
    shapes = models.find(case.model).spec.input_shapes(case.batch)
    return BuildRequest(case.precision, case.device, shapes, {**defaults, **dict(case.options)})


def profile_request(case: Case) -> BuildRequest | Missing:
    """Return what an engine for every shape of a model's profile must be able to do.

    Shapes are the optimum. For an engine that is built for one shape at a time, return why.
    """
    request, engine = build_request(case), find(case.engine)
    if not isinstance(engine, TakesShapes):
        return Missing(f"{case.engine} builds for one shape", "choose an engine that takes several")
    options = engine.profile_options(request.options)
    if isinstance(options, Missing):
        return options
    spec = models.find(case.model).spec.widened()
    batch = spec.dims["batch"].opt if "batch" in spec.dims else 1
    return replace(request, shapes=spec.input_shapes(batch), options=options)


def shape_request(case: Case, sizes: Mapping[str, int]) -> BuildRequest:
    """Return what an engine for one shape of a model's profile must be able to do."""
    inputs = models.find(case.model).spec.widened().inputs
    shapes = {name: tensor.resolved(sizes) for name, tensor in inputs.items()}
    return replace(build_request(case), shapes=shapes)


def graph_format(case: Case) -> GraphFormat:
    """Return what the engine of ``case`` is built from, which no library's version decides."""
    return find(case.engine).graph_request(build_request(case)).format


def source(name: str) -> Source:
    """Return where the engine called ``name`` is defined."""
    find(name)
    return _registered[name][1]


def _add(engine: Engine, source: Source) -> None:
    if not is_name(engine.name):
        raise OptionError(
            f"cannot call an engine {shown(engine.name)!r}",
            why="its name becomes a part of test ids and of files' names",
            mend="use at most 100 letters, digits, dots, dashes and underscores",
        )
    _, old = _registered.get(engine.name, (engine, source))
    if old != source:
        raise OptionError(
            f"two engines are called {engine.name!r}",
            why=f"one is in {old}, the other in {source}",
            mend="rename one of them, or uninstall the package that brings it",
        )
    _registered[engine.name] = engine, source
