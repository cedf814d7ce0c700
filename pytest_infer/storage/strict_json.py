"""JSON from a file that nothing vouches for: a value of bounded size and depth, or an error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

from pytest_infer.plain_text import shown

SIZE_LIMIT_BYTES = 4 * 1024 * 1024
"""Some ten thousand baseline entries; no larger file was written by this package."""

DEPTH_LIMIT = 32
"""Of objects and arrays in each other; the files of this package have eight at most."""


@dataclass(frozen=True)
class _Constant:
    """``NaN`` and the like, which Python reads and JSON does not have."""

    name: str


def parsed(content: bytes) -> Any:
    """Return the value that ``content`` is.

    Raise `ValueError` if it is too large, not UTF-8 (`UnicodeDecodeError`), not JSON
    (`json.JSONDecodeError`), nested too deep, or if an object has a key twice, a number is not
    finite, or a string holds half of a character.
    """
    if len(content) > SIZE_LIMIT_BYTES:
        raise ValueError(f"it is larger than {SIZE_LIMIT_BYTES} bytes")
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unique, parse_constant=_Constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    _check(value)
    return value


def _check(value: Any) -> None:
    """Raise `ValueError` for what `json` lets through: depth, half characters, infinity, NaN."""
    waiting = [(value, 1, "")]
    while waiting:
        item, depth, key = waiting.pop()
        if depth > DEPTH_LIMIT:
            raise ValueError("it is nested too deep")
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, float) and not isfinite(item):
            raise ValueError(f"a number is too large{_at(key)}")
        elif isinstance(item, _Constant):
            raise ValueError(f"{item.name} is not a JSON number{_at(key)}")
        elif isinstance(item, dict):
            waiting += [(name, depth + 1, "") for name in item]
            waiting += [(each, depth + 1, name) for name, each in item.items()]
        elif isinstance(item, list):
            waiting += [(each, depth + 1, key) for each in item]


def _at(key: str) -> str:
    return f", at the key '{shown(key)}'" if key else ""


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"'{shown(text)}' holds half of a character") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{shown(twice)}' appears twice in one object")
    return found
