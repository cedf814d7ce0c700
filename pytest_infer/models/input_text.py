"""Inputs in words, for sources that do not say them: ``image:float32[batch,3,224,224]``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pytest_infer.errors import ModelError
from pytest_infer.models.declaration import DTYPES
from pytest_infer.models.spec import TensorSpec
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORM = "[MODEL.]NAME:DTYPE[SIZE,...]"
OTHER_NAMES = {
    "float": "float32", "double": "float64", "half": "float16", "int": "int64", "long": "int64",
}  # fmt: skip
"""What libraries also call dtypes."""
_INPUT = re.compile(
    r"(?P<name>[^\[\]]+):(?P<dtype>\w+)\[(?P<shape>[\w,\s]*)\]"
    r"(:(?P<low>-?[\d.]+)\.\.(?P<high>-?[\d.]+))?"
)


def texts_of(model: str, texts: Iterable[str], models: Sequence[str]) -> tuple[str, ...]:
    """Return what ``texts`` state of the model called ``model``, without its name in front.

    ``models`` are all of which they may. A text that begins with the name of none of them is of
    every model, dots and all: ``input.1`` is what older exporters call an input.
    """
    owned = [(_owner(text.strip(), models), text.strip()) for text in texts]
    return tuple(
        text.removeprefix(f"{owner}." if owner else "")
        for owner, text in owned
        if owner in ("", model)
    )


def _owner(text: str, models: Sequence[str]) -> str:
    """Return the model that a text begins with: the longest name that fits; empty if none does."""
    return max((name for name in models if text.startswith(f"{name}.")), key=len, default="")


def inputs_from_texts(texts: Iterable[str]) -> dict[str, TensorSpec]:
    """Return the inputs that the ``texts`` of one model state; raise `ModelError`."""
    return dict(_input(text) for text in texts)


def _input(text: str) -> tuple[str, TensorSpec]:
    """Return the input's name and its spec."""
    found = _INPUT.fullmatch(text)
    if not found:
        raise ModelError(
            f"cannot read the input {shown(text)!r}",
            why=f"its form is {FORM}, and a range of values may follow",
            mend="for example --infer-input='image:float32[batch,3,224,224]', "
            "or --infer-input='ids:int64[batch,time]:0..30521'",
        )
    if found["dtype"] not in DTYPES:
        other = OTHER_NAMES.get(found["dtype"])
        near = [other] if other else get_close_matches(found["dtype"], DTYPES, n=1)
        raise ModelError(
            f"cannot read the input {shown(text)!r}",
            why=f"{shown(found['dtype'])!r} is no dtype of an input; there are {', '.join(DTYPES)}",
            mend=f"did you mean {near[0]!r}?" if near else "write one of these",
        )
    sizes = [each.strip() for each in found["shape"].split(",") if each.strip()]
    shape = tuple(int(size) if size.isdecimal() else size for size in sizes)
    low, high = (_number(found[end]) for end in ("low", "high"))
    return found["name"], TensorSpec(shape, found["dtype"], low, high)


def _number(text: str | None) -> int | float | None:
    if text is None:
        return None
    return float(text) if "." in text else int(text)
