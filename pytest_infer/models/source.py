"""Where Python code lives, so that a host can import what its caller has."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import unwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGE = __name__.partition(".")[0]
_imported: set[Source] = set()


def source_of(function: Callable[..., Any]) -> Source:
    """Return the module of a function of this package, the file of anybody else's."""
    if function.__module__.partition(".")[0] == _PACKAGE:
        return Source(module=function.__module__)
    return Source(file=str(file_of(function)))


def file_of(function: Callable[..., Any]) -> Path:
    """Return the file in which a function, or what a partial or a decorator wraps, is defined.

    Raise `ModelError` for what no file defines: its code cannot be identified.
    """
    while isinstance(function, partial) or hasattr(function, "__wrapped__"):
        function = function.func if isinstance(function, partial) else unwrap(function)
    kind = function if hasattr(function, "__code__") else type(function)
    module = sys.modules.get(str(kind.__module__))
    code = getattr(kind, "__code__", None)
    file = code.co_filename if code else getattr(module, "__file__", None)
    if file and Path(file).is_file():
        return Path(file).resolve()
    raise ModelError(
        f"cannot find where {function!r} is defined",
        why="it has no file, and models and engines are made in other processes, from files",
        mend="define it in a Python file, such as conftest.py",
    )


def source_file(source: Source) -> Path:
    """Return the file of a source; a module's is that which an import of it finds."""
    return Path(source.file or str(import_module(source.module).__file__))


def import_source(source: Source) -> None:
    """Import ``source`` once, which registers the models and engines it holds.

    A file is imported with its folder on ``sys.path``, as pytest imports a ``conftest.py``.
    Raise `ModelError` if that fails.
    """
    if source in _imported:
        return
    try:
        _import_file(Path(source.file)) if source.file else import_module(source.module)
    except Exception as error:
        raise ModelError(
            f"cannot import {source}",
            why=f"{type(error).__name__}: {error}",
            mend="make it importable by the interpreter of this engine's host",
        ) from error
    _imported.add(source)


def _import_file(path: Path) -> None:
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = f"_pytest_infer_{path.stem}_{abs(hash(str(path)))}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


@dataclass(frozen=True)
class Source:
    """Where Python code lives: an importable module, or a file for a user's own code.

    Or a model that needs no code of its user's: the ``text`` that names it, such as
    ``timm:convnext_atto``. It is all that a host needs in order to have the same models and engines
    as its caller.
    """

    module: str = ""
    file: str = ""
    """Of a model named by a text: the file that it is, which hosts elsewhere are sent."""
    text: str = ""
    """What ``--infer-model`` names, with absolute paths; empty for code."""
    name: str = ""
    """What the model of ``text`` is called."""
    inputs: tuple[str, ...] = ()
    """What ``--infer-input`` says of its inputs."""

    def __str__(self) -> str:
        return self.text or self.file or self.module
