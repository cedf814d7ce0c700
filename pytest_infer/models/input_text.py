"""Inputs in words, for sources that do not say them: ``image:float32[batch,3,224,224]``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_infer.errors import ModelError
from pytest_infer.models.spec import TensorSpec
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

FORM = "[MODEL.]NAME:DTYPE[SIZE,...]"
_INPUT = re.compile(
    r"((?P<model>[\w.-]+)\.)?(?P<name>\w+):(?P<dtype>\w+)\[(?P<shape>[\w,\s]*)\]"
    r"(:(?P<low>-?[\d.]+)\.\.(?P<high>-?[\d.]+))?"
)


def inputs_from_texts(model: str, texts: Iterable[str]) -> dict[str, TensorSpec]:
    """Return the inputs that ``texts`` give the model called ``model``; raise `ModelError`."""
    found = [_input(text) for text in texts]
    return {name: tensor for owner, name, tensor in found if owner in ("", model)}


def _input(text: str) -> tuple[str, str, TensorSpec]:
    """Return the model (empty: any), the input's name and its spec."""
    found = _INPUT.fullmatch(text.strip())
    if not found:
        raise ModelError(
            f"cannot read the input {shown(text)!r}",
            why=f"its form is {FORM}, and a range of values may follow",
            mend="for example --infer-input='image:float32[batch,3,224,224]', "
            "or --infer-input='ids:int64[batch,time]:0..30521'",
        )
    sizes = [each.strip() for each in found["shape"].split(",") if each.strip()]
    shape = tuple(int(size) if size.isdecimal() else size for size in sizes)
    low, high = (_number(found[end]) for end in ("low", "high"))
    return found["model"] or "", found["name"], TensorSpec(shape, found["dtype"], low, high)


def _number(text: str | None) -> int | float | None:
    if text is None:
        return None
    return float(text) if "." in text else int(text)
