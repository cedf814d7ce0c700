"""``package.module:function``: a model of someone's code, decorated by `model` or not."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models import registry
from pytest_infer.models.draft import Unread
from pytest_infer.models.draft_spec import spec_of_function
from pytest_infer.models.own_code import own_code
from pytest_infer.models.source_kind import name_from_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.models.draft import Asked, Draft, HasParts
    from pytest_infer.models.registry import Model
    from pytest_infer.models.source_kind import SourceKind
    from pytest_infer.models.spec import ModelSpec

_TEXT = re.compile(r"(?:(?P<folder>/.*)/)?(?P<module>[A-Za-z_][\w.]*):(?P<function>[A-Za-z_]\w*)")


class Function:
    """A function that returns a module, by the module that has it, and its name."""

    form = "package.module:function"

    def matches(self, text: str) -> bool:
        """Return whether the text is a dotted name, a colon and a name."""
        return _TEXT.fullmatch(text) is not None

    def absolute(self, text: str, folder: Path) -> str:
        """Return the text with the folder in front from which it is imported."""
        return text if text.startswith("/") else f"{folder}/{text}"

    def file(self, text: str) -> str:
        """Return nothing: a package is no single file."""
        del text
        return ""

    def name(self, text: str) -> str:
        """Return the function's name."""
        return name_from_text(text.rpartition(":")[2])

    def draft(self, asked: Asked) -> Draft:
        """Return the draft of a model; raise `ModelError` for what cannot be imported."""
        create = _function(asked.place)
        declared = registry.declared_by(create)
        if declared is None:
            return asked.draft(create, partial(spec_of_function, asked, create))
        return asked.draft(create, partial(_spec, asked, declared), _parts(declared))


def _parts(declared: Model | Unread) -> HasParts:
    return declared.draft if isinstance(declared, Unread) else declared


def _spec(asked: Asked, declared: Model | Unread) -> ModelSpec:
    """Return the spec of a decorated function, called as it was asked for."""
    own = declared.draft.spec() if isinstance(declared, Unread) else declared.spec
    return replace(own, name=asked.name, source=asked.source)


def _function(text: str) -> Callable[..., Any]:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} has not the form {Function.form}")
    if found["folder"] and found["folder"] not in sys.path:
        sys.path.insert(0, found["folder"])
    with own_code(f"import {found['module']}", found["module"]):
        module = import_module(found["module"])
    function = getattr(module, found["function"], None)
    if isinstance(function, type):
        raise ModelError(
            f"{found['module']}:{found['function']} is a class",
            why="a model is what a function returns, in eval mode and with its weights",
            mend=f"write a function there that returns {found['function']}(...).eval(), and name "
            "that one",
        )
    if callable(function):
        return function  # type: ignore[no-any-return]
    raise ModelError(
        f"{found['module']} has no function {found['function']!r}",
        why=f"{module.__file__} has {', '.join(_functions(module)) or 'none'}",
        mend="name one that returns the module",
    )


def _functions(module: Any) -> list[str]:
    return [
        name
        for name, each in vars(module).items()
        if callable(each) and getattr(each, "__module__", "") == module.__name__
    ]


KIND: SourceKind = Function()
