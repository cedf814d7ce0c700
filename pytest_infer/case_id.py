"""A case's id, read back where only its text is there: in baseline files, and from xdist."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from pytest_infer.case import PRECISIONS, variant_text

_PRECISION = "|".join(PRECISIONS)
_SETTING = r"\+[a-z0-9_]+(?:=[A-Za-z0-9_.-]+)?"
_AFTER_MODEL = re.compile(
    rf"(?P<engine>[\w.-]+)-(?P<precision>{_PRECISION})-b(?P<batch>[1-9][0-9]*)"
    rf"(?P<settings>(?:{_SETTING})*)(?:\[(?P<variant>.+)\])?"
)
_IN_TEST = re.compile(rf"\[.*-(?:{_PRECISION})-b\d+(?:\+[\w=.]+)*")


class IdParts(NamedTuple):
    """What a case's id says besides its model."""

    engine: str
    precision: str
    batch: int
    settings: str
    """As `settings_text` shows them."""
    variant: str = ""
    """The test's own parameters, as its id has them."""


def id_parts(model: str, text: str) -> IdParts | None:
    """Return the parts of the id of a case of ``model``; None if ``text`` is not one."""
    if not text.startswith(f"{model}-"):
        return None
    found = _AFTER_MODEL.fullmatch(text.removeprefix(f"{model}-"))
    if found is None:
        return None
    engine, precision, batch, settings, variant = found.groups()
    return IdParts(engine, precision, int(batch), settings, variant or "")


def without_variant(model: str, text: str) -> str:
    """Return the id of a case of ``model`` without the test's own parameters."""
    parts = id_parts(model, text)
    return text.removesuffix(variant_text(parts.variant)) if parts else text


@cache
def case_in(nodeid: str) -> str:
    """Return what a test's id says of its case, with parameters before it; empty without one.

    From its workers xdist's controller has nothing else.
    """
    found = _IN_TEST.search(nodeid)
    return found[0] if found else ""
