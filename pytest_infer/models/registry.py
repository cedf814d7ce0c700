"""The models that are known here: decorated functions, those in the folder `zoo`, and sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from pytest_infer.errors import ModelError, unknown
from pytest_infer.models.declaration import (
    check_meaning,
    check_twins,
)
from pytest_infer.models.draft import (
    FUNCTIONS,
    Drafted,
    Reading,
    Unread,
    reading_of,
)
from pytest_infer.models.source import file_of
from pytest_infer.models.spec import ModelSpec, is_name
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.models.source import Source

    Arrays = Mapping[str, npt.NDArray[Any]]

ZOO = "pytest_infer.models.zoo"
"""The package of the models that come with this one; each of its modules imports this one."""

_registry: dict[str, Model] = {}
_unread: dict[str, Unread] = {}
_declared: dict[Callable[..., Any], Model | Unread] = {}
"""By the function that was decorated."""


@dataclass(frozen=True)
class Model:
    """A registered model: its spec, and the functions that create and surround its module."""

    spec: ModelSpec
    create: Callable[..., Any]
    """Return the module in eval mode on the CPU; takes ``pretrained: bool``, or nothing."""
    preprocess: Callable[[Sequence[npt.NDArray[Any]]], Arrays] | None = None
    """Turn photographs (uint8, height x width x RGB) into the named inputs, one row each."""
    postprocess: Callable[[Arrays], list[Arrays]] | None = None
    """Turn the named outputs into what they mean, one mapping of arrays per row."""
    labels: Callable[[], Sequence[str]] | None = None
    """Return the names of the classes, in the order of their indices."""
    seed: Callable[[Any, Arrays], None] | None = None
    """Give the module its seeded weights in place, from feeds made of photographs."""
    is_listed: bool = True
    """It is a part of the matrix."""
    draw: Callable[[ModelSpec, int], Arrays] | None = None
    """Draw one row of inputs by its number, where drawing each by its own spec gives none that
    makes sense."""
    files: Callable[[], Sequence[Path]] | None = None
    """Return what decides its answer by content, and no code imports: a file of weights, say."""
    calibration: Callable[[], Any] | None = None
    """Return the rows on which int8 is calibrated: an array, or a dict by name."""
    evaluation: Any = None
    """Held-out rows and their labels: a function, or an `Evaluation`."""
    weights: str = ""
    """The only weights that it has, such as ``seeded``; empty: those of ``--infer-weights``."""

    @property
    def source(self) -> Source:
        """Return where it is defined."""
        return self.spec.source


def registered() -> dict[str, Model]:
    """Return every model known to this process, sorted by name."""
    _load_zoo()
    return dict(sorted(_registry.items()))


@cache
def _load_zoo() -> None:
    """Import the modules of `ZOO`, once: they register their models."""
    for each in iter_modules(import_module(ZOO).__path__):
        import_module(f"{ZOO}.{each.name}")


def listed() -> dict[str, Model]:
    """Return every model of the matrix, sorted by name."""
    return {name: model for name, model in registered().items() if model.is_listed}


def find(name: str) -> Model:
    """Return the model called ``name``; raise `OptionError`, naming the nearest, if none is.

    A model whose spec nobody has settled here is read here, with its library.
    """
    _load_zoo()
    if name in _registry:
        return _registry[name]
    if name in _unread:
        return settle(reading_of(_unread[name]))
    raise unknown("model", name, known_names())


def known_names() -> list[str]:
    """Return what a test can ask for by name: models of the matrix, read or not."""
    return sorted({*listed(), *(each.name for each in _unread.values() if each.is_listed)})


def add_function(create: Callable[..., Any], new: Unread) -> None:
    """Register the model of a decorated function whose spec is read off a call of its module."""
    check_twins(create, _declared)
    _declared[create] = new
    if not _is_asked(create, new.name):
        add_unread(new)


def add_unread(new: Unread) -> None:
    """Register a model whose spec is read later; raise `ModelError` if its name is taken."""
    registered()
    old = _unread.get(new.name)
    if old and (old.source, old.text) != (new.source, new.text):
        raise _taken(new.name, str(old), str(new), new.source.text)
    _check_name(new.name, new.source)
    _unread[new.name] = new


def unread(name: str) -> Unread | None:
    """Return a model as it was asked for, if it is one whose spec is read from a source."""
    return _unread.get(name)


def options_for(name: str) -> list[str]:
    """Return the options that ask for a model: a source is found by its text, not by its name."""
    known = _unread.get(name)
    if known is None or not known.source.text:
        return [f"--infer-model={name}"]
    inputs = [f"--infer-input={text}" for text in known.source.inputs]
    return [f"--infer-model={name}={known.text}", *inputs]


def settle(reading: Reading) -> Model:
    """Register an unread model with what was read, here or in another process; return it.

    Raise `ModelError` for a task of which nothing can be judged without a postprocessing.
    """
    spec = reading.spec
    check_meaning(spec, has_postprocess="postprocess" in reading.has)
    asked = _unread[spec.name]
    drafted: dict[str, Any] = {
        part: Drafted(asked, part) for part in FUNCTIONS if part in reading.has
    }
    create = Drafted(asked, "create")
    _registry[spec.name] = model = Model(
        spec, create, is_listed=asked.is_listed, weights=asked.weights, **drafted
    )
    return model


def settled() -> list[Reading]:
    """Return what was read so far."""
    return [reading(name) for name in sorted(_unread.keys() & _registry.keys())]


def reading(name: str) -> Reading:
    """Return what other processes need to know of a model that was read."""
    found = find(name)
    has = tuple(part for part in FUNCTIONS if getattr(found, part) is not None)
    return Reading(found.spec, has)


def sources() -> list[Source]:
    """Return where every model is defined, read or not."""
    found = [each.source for each in registered().values()]
    return found + [each.source for each in _unread.values()]


def code_files(model: Model) -> list[Path]:
    """Return the files of the functions that decide what a model computes and is seeded with."""
    functions = (model.create, model.preprocess, model.seed, model.draw)
    return [file_of(each) for each in functions if each is not None]


def declared_by(create: Callable[..., Any]) -> Model | Unread | None:
    """Return the model that a decorated function creates; None of a plain function."""
    return _declared.get(create)


def add(new: Model) -> None:
    """Register the model of a decorated function; raise `ModelError` if its name is taken."""
    check_twins(new.create, _declared)
    _declared[new.create] = new
    name = new.spec.name
    if not _is_asked(new.create, name):
        _check_name(name, new.spec.source)
        _registry[name] = new


def _is_asked(create: Callable[..., Any], name: str) -> bool:
    """Return whether this very function is asked for by a text, and is imported for it."""
    asked = _unread.get(name)
    return asked is not None and asked.text.endswith(f"/{create.__module__}:{name}")


def _check_name(name: str, source: Source) -> None:
    """Raise `ModelError` for what cannot be a name, and for one that another model has."""
    if not is_name(name):
        raise ModelError(
            f"cannot call a model {shown(name)!r}",
            why="its name becomes a part of test ids and of files' names",
            mend="use at most 100 ASCII letters, digits, dots, dashes and underscores",
        )
    known = _registry.get(name) or _unread.get(name)
    if known is not None and known.source != source:
        raise _taken(name, str(known.source), str(source), source.text)


def _taken(name: str, old: str, new: str, text: str) -> ModelError:
    return ModelError(
        f"two models are called {name!r}",
        why=f"one is in {old}, the other in {new}",
        mend=f"give this one another name: --infer-model=NAME={text}"
        if text
        else "rename one of the two functions, or give name= to one of two sources",
    )
