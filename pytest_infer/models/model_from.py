"""Bring a model by what names it: a file, a library's name for it, or a function."""

from __future__ import annotations

import re
from functools import partial
from inspect import stack
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.errors import ModelError
from pytest_infer.models import registry
from pytest_infer.models.draft import Asked, Unread, Wishes
from pytest_infer.models.input_text import inputs_from_texts
from pytest_infer.models.source import Source
from pytest_infer.models.sources import KINDS
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from pytest_infer.models.evaluation import Evaluation
    from pytest_infer.models.source_kind import SourceKind
    from pytest_infer.models.spec import Dim, Profile, TensorSpec

_NAMED = re.compile(r"(?P<name>[\w.-]+)=(?P<text>.+)")


def model_from(
    source: str,
    *,
    name: str = "",
    task: str | None = None,
    inputs: Mapping[str, TensorSpec] | None = None,
    outputs: Mapping[str, TensorSpec] | None = None,
    example: Any = None,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    dims: Mapping[str, Dim] | None = None,
    profile: Profile | None = None,
    preprocess: Callable[..., Any] | None = None,
    postprocess: Callable[..., Any] | None = None,
    labels: Callable[[], Sequence[str]] | None = None,
    seed: Callable[..., None] | None = None,
    calibration: Callable[[], Any] | None = None,
    evaluation: Callable[[], tuple[Any, Any]] | Evaluation | None = None,
) -> None:
    """Register the model that ``source`` names, as ``--infer-model`` does.

    ``timm:NAME``, ``torchvision:NAME``, ``hf:ID``, ``hf:./folder``, ``package.module:function``, or
    the path of a file (``.onnx``, ``.pt``, ``.pt2``), relative to the file that calls this. All
    else is read from the source, where its library is, unless it is given: see
    `pytest_infer.model`. ``inputs`` may name some of them, to state their range, say. Raise
    `ModelError` for a text of no known form, and if another model has its name.
    """
    caller = Path(stack()[1].filename).resolve()
    wishes = Wishes(
        *(task, inputs, outputs, example, dynamic or {}, dims, profile),
        *(preprocess, postprocess, labels, seed, calibration, evaluation),
    )
    kind = _kind_of(source)
    text = kind.absolute(source, caller.parent)
    _add(kind, text, Asked(name or kind.name(text), Source(file=str(caller)), text, wishes))


def is_source(text: str) -> bool:
    """Return whether a value of ``--infer-model`` names a source, and not a registered model."""
    return any(kind.matches(_split(text)[1]) for kind in KINDS)


def source_from_text(text: str, folder: Path, inputs: Sequence[str] = ()) -> Source:
    """Return what hosts need in order to have the model that ``[NAME=]SOURCE`` names.

    ``inputs`` are the texts that state inputs of this model.
    """
    name, bare = _split(text)
    kind = _kind_of(bare)
    absolute = kind.absolute(bare, folder)
    return Source(
        file=kind.file(absolute),
        text=absolute,
        name=name or kind.name(absolute),
        inputs=tuple(inputs),
    )


def register_source(source: Source) -> None:
    """Register the model of a source that a text names; raise `ModelError` if its name is taken."""
    wishes = Wishes(inputs=inputs_from_texts(source.inputs) or None)
    place = source.file or source.text  # a file lies elsewhere on other machines
    _add(_kind_of(source.text), source.text, Asked(source.name, source, place, wishes))


def _add(kind: SourceKind, text: str, asked: Asked) -> None:
    registry.add_unread(Unread(asked.name, asked.source, text, partial(kind.draft, asked)))


def _split(text: str) -> tuple[str, str]:
    """Return the name, if one is given, and the rest."""
    found = _NAMED.fullmatch(text)
    return (found["name"], found["text"]) if found else ("", text)


def _kind_of(text: str) -> SourceKind:
    for kind in KINDS:
        if kind.matches(text):
            return kind
    raise ModelError(
        f"cannot tell what kind of model {shown(text)!r} is",
        why="it has none of the forms of a source",
        mend=f"write one of: {', '.join(kind.form for kind in KINDS)}",
    )
