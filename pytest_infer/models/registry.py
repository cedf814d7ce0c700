"""The models of the matrix: one decorated function each, found by scanning the folder `zoo`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from pytest_infer.errors import ModelError, unknown
from pytest_infer.models.declaration import check_declaration, check_meaning, dims_of
from pytest_infer.models.source import file_of, source_of
from pytest_infer.models.spec import ModelSpec, Profile, TensorSpec, is_name
from pytest_infer.models.tasks import TENSOR
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from pytest_infer.models.spec import Dim

    Arrays = Mapping[str, npt.NDArray[Any]]

ZOO = "pytest_infer.models.zoo"
"""The package of the models that come with this one; each of its modules imports this one."""

_registry: dict[str, Model] = {}


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


def model(
    *,
    inputs: Mapping[str, TensorSpec],
    outputs: Mapping[str, TensorSpec],
    task: str = TENSOR,
    dims: Mapping[str, Dim] | None = None,
    profile: Profile | None = None,
    preprocess: Callable[[Sequence[npt.NDArray[Any]]], Arrays] | None = None,
    postprocess: Callable[[Arrays], list[Arrays]] | None = None,
    labels: Callable[[], Sequence[str]] | None = None,
    seed: Callable[[nn.Module, Arrays], None] | None = None,
    is_listed: bool = True,
) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Register the decorated function, which creates a module, as a model of its name.

    A function that takes ``pretrained`` follows ``--infer-weights``; one without parameters
    brings its weights. Inputs that all have the name of a parameter of the module's forward
    are given by name, others in order; ``outputs`` are taken by name from a dict, a NamedTuple or a
    dataclass, in order from a tuple. ``dims`` has the bounds of each dynamic dimension of an input;
    a batch has those of `Dim`, unless it is named. A ``profile`` names the dimensions that are
    dynamic where shapes are fuzzed. A model that is not listed is no part of the matrix, and no
    option or mark can name it. Raise `ModelError` for what no engine could be given.
    """

    def register(create: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        spec = ModelSpec(
            name=_name_of(create),
            task=task,
            inputs=inputs,
            outputs=outputs,
            source=source_of(create),
            dims=dims_of(inputs, dims),
            brings_weights="pretrained" not in signature(create).parameters,
            profile=profile,
        )
        check_declaration(spec)
        check_meaning(spec, has_postprocess=postprocess is not None)
        _add(Model(spec, create, preprocess, postprocess, labels, seed, is_listed))
        return create

    return register


def _name_of(create: Callable[..., nn.Module]) -> str:
    """Return the name of a function; raise `ModelError` for what has none, and for a class."""
    name = getattr(create, "__name__", None)
    if isinstance(name, str) and not isinstance(create, type):
        return name
    raise ModelError(
        f"cannot register {create!r} as a model",
        why="a class is no function that creates a module" if name else "it has no name",
        mend="decorate a function that returns the module: def net(): return Net().eval()",
    )


def registered() -> dict[str, Model]:
    """Return every model known to this process, sorted by name."""
    for module in iter_modules(import_module(ZOO).__path__):
        import_module(f"{ZOO}.{module.name}")
    return dict(sorted(_registry.items()))


def listed() -> dict[str, Model]:
    """Return every model of the matrix, sorted by name."""
    return {name: model for name, model in registered().items() if model.is_listed}


def find(name: str) -> Model:
    """Return the model called ``name``; raise `OptionError`, naming the nearest, if none is."""
    models = registered()
    if name not in models:
        raise unknown("model", name, models)
    return models[name]


def code_files(model: Model) -> list[Path]:
    """Return the files of the functions that decide what a model computes and is seeded with."""
    functions = (model.create, model.preprocess, model.seed)
    return [file_of(each) for each in functions if each is not None]


def _add(new: Model) -> None:
    if not is_name(new.spec.name):
        raise ModelError(
            f"cannot call a model {shown(new.spec.name)!r}",
            why="its name becomes a part of test ids and of files' names",
            mend="use at most 100 letters, digits, dots, dashes and underscores",
        )
    old = _registry.get(new.spec.name)
    if old and old.spec.source != new.spec.source:
        raise ModelError(
            f"two models are called {new.spec.name!r}",
            why=f"one is in {old.spec.source}, the other in {new.spec.source}",
            mend="rename one of the two functions",
        )
    _registry[new.spec.name] = new
