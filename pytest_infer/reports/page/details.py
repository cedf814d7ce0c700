"""The details of cases, packed: a page of thousands opens as fast as its table does."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK = 25
"""Cases that are packed together: what they have in common is stored once."""

LEVEL = 9


def packed(details: Sequence[str]) -> list[str]:
    """Return blocks of `BLOCK` texts each, as JSON that is deflated and written in base64."""
    groups = [details[begin : begin + BLOCK] for begin in range(0, len(details), BLOCK)]
    return [b64encode(zlib.compress(json.dumps(each).encode(), LEVEL)).decode() for each in groups]
