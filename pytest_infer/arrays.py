"""Named arrays: their types, how they are kept in a file, and their content's digest."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]

FILE = "arrays.npz"
MARK = "="
"""Goes before each name in the file: numpy takes names as keywords, and uses some itself."""


def write_arrays(folder: Path, arrays: Arrays) -> None:
    """Write named arrays to ``folder``; raise ValueError for one of objects, which are pickled."""
    if objects := [name for name, value in arrays.items() if np.asarray(value).dtype.hasobject]:
        raise ValueError(f"Object arrays cannot be written: {', '.join(objects)}")
    # numpy before 2.2 takes allow_pickle= for an array of that name
    marked: dict[str, Any] = {MARK + name: value for name, value in arrays.items()}
    np.savez(folder / FILE, **marked)


def read_arrays(folder: Path) -> dict[str, Array]:
    """Read what `write_arrays` wrote; object arrays, which numpy pickles, are refused."""
    with np.load(folder / FILE, allow_pickle=False) as stored:
        return {name.removeprefix(MARK): stored[name] for name in stored.files}


def digest_of_arrays(arrays: Arrays) -> str:
    """Return a SHA-256 over names, dtypes, shapes and values."""
    digest = sha256()
    for name, value in sorted(arrays.items()):
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
