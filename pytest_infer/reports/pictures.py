"""The pictures of a JSON report: each is stored once, however many records show it."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PHOTOGRAPHS = "photographs"
"""Of a record's details: what was fed, and what both sides made of it."""

DIGEST_CHARACTERS = 16

BASE64 = r"[A-Za-z0-9+/]{1,65536}={0,2}"
"""What a picture is written in; larger ones stay where they are."""


DRAWING = "drawing"
"""Of a record's details: the exported graph and what ran it, alike in many cases."""


def name_of(jpeg: str) -> str:
    """Return what a picture is referred to by: the begin of the SHA-256 of its base64."""
    return sha256(jpeg.encode(errors="surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]


def with_references(record: dict[str, Any], pictures: dict[str, str]) -> dict[str, Any]:
    """Return a record's fields with names of pictures in place of them; add these to ``pictures``.

    ``jpeg`` of a photograph becomes ``picture``.
    """

    def referring(photograph: Mapping[str, Any]) -> dict[str, Any]:
        rest = dict(photograph)
        jpeg = rest.get("jpeg")
        if not isinstance(jpeg, str) or re.fullmatch(BASE64, jpeg) is None:
            return rest
        name = name_of(jpeg)
        pictures[name] = jpeg
        del rest["jpeg"]
        return {**rest, "picture": name}

    return _changed(record, referring)


def with_pictures(record: Mapping[str, Any], pictures: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields from which `with_references` was made; one without a picture has none."""

    def showing(photograph: Mapping[str, Any]) -> dict[str, Any]:
        rest = dict(photograph)
        name = rest.pop("picture", None)
        return rest | ({"jpeg": pictures[name]} if name in pictures else {})

    return _changed(record, showing)


def with_drawing_reference(
    record: dict[str, Any], drawings: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return a record's fields with the name of its drawing; add that to ``drawings``.

    What is none, but a note that says why, stays where it is.
    """
    found = record["details"].get(DRAWING)
    if not isinstance(found, dict) or "rows" not in found:
        return record
    name = name_of(json.dumps(found, sort_keys=True))
    drawings[name] = found
    return {**record, "details": {**record["details"], DRAWING: {"name": name}}}


def with_drawing(
    record: dict[str, Any], drawings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the fields from which `with_drawing_reference` was made."""
    found = record["details"].get(DRAWING)
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str) or name not in drawings:
        return record
    return {**record, "details": {**record["details"], DRAWING: dict(drawings[name])}}


def _changed(
    record: Mapping[str, Any], change: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    details = record["details"]
    found = details.get(PHOTOGRAPHS)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return dict(record)  # none, or those of another package's task
    changed = [change(each) for each in found]
    return {**record, "details": {**details, PHOTOGRAPHS: changed}}
