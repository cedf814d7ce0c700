"""Turn dataclasses and arrays into the builtin types that execnet carries, and back.

execnet's own serializer moves builtin types only and never pickles. A tuple on the way is an
array (its dtype, shape and bytes), or a string that is no valid UTF-8 (its bytes), which execnet
does not take. Every other sequence is a list, so nothing a caller sends can be taken for one.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np

T = TypeVar("T")
_HALF = re.compile(r"[\ud800-\udfff]")
_CARRIED = (bool, int, float, complex, str, bytes)


def packed(value: Any) -> Any:
    """Return ``value`` (dataclasses, arrays, containers of them) as builtin types.

    Raise `TypeError` for anything else, before execnet gives up on the whole channel.
    """
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        data = np.ascontiguousarray(value)
        return data.dtype.str, list(value.shape), data.tobytes()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {packed(key): packed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [packed(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: packed(getattr(value, each.name)) for each in fields(value)}
    if value is None or type(value) in _CARRIED:
        return value if _is_encodable(value) else (value.encode(errors="surrogatepass"),)
    raise TypeError(f"a {type(value).__name__} cannot be carried to or from an engine host")


def unpacked(value: Any) -> Any:
    """Return what `packed` was given, dataclasses as dicts; arrays are read-only views."""
    if isinstance(value, tuple) and len(value) == 1:
        return value[0].decode(errors="surrogatepass")
    if isinstance(value, tuple):
        dtype, shape, data = value
        return np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape)
    if isinstance(value, dict):
        return {unpacked(key): unpacked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unpacked(item) for item in value]
    return value


def as_type(value: Any, kind: type[T]) -> T:
    """Return a dataclass of ``kind`` made of builtin types, every field checked."""
    return msgspec.convert(value, kind)


def _is_encodable(value: Any) -> bool:
    """Return whether execnet takes ``value``: half a character is no UTF-8."""
    return not isinstance(value, str) or _HALF.search(value) is None
