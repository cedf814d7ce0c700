"""The pictures of a JSON report: each is stored once, however many records show it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PHOTOGRAPHS = "photographs"
"""Of a record's details: what was fed, and what both sides made of it."""

DIGEST_CHARACTERS = 16


def name_of(jpeg: str) -> str:
    """Return what a picture is referred to by: the begin of the SHA-256 of its base64."""
    return sha256(jpeg.encode(errors="surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]


def with_references(record: dict[str, Any], pictures: dict[str, str]) -> dict[str, Any]:
    """Return a record's fields with names of pictures in place of them; add these to ``pictures``.

    ``jpeg`` of a photograph becomes ``picture``.
    """

    def referring(photograph: Mapping[str, Any]) -> dict[str, Any]:
        rest = dict(photograph)
        if "jpeg" in rest:
            jpeg = rest.pop("jpeg")
            rest["picture"] = name_of(jpeg)
            pictures[rest["picture"]] = jpeg
        return rest

    return _changed(record, referring)


def with_pictures(record: Mapping[str, Any], pictures: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields from which `with_references` was made; one without a picture has none."""

    def showing(photograph: Mapping[str, Any]) -> dict[str, Any]:
        rest = dict(photograph)
        name = rest.pop("picture", None)
        return rest | ({"jpeg": pictures[name]} if name in pictures else {})

    return _changed(record, showing)


def _changed(
    record: Mapping[str, Any], change: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    details = record["details"]
    if PHOTOGRAPHS not in details:
        return dict(record)
    changed = [change(each) for each in details[PHOTOGRAPHS]]
    return {**record, "details": {**details, PHOTOGRAPHS: changed}}
