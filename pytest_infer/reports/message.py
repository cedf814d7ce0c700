"""The parts of a record's message: what, and what is said of it under labels (why, mend, ...)."""

from __future__ import annotations

import re
from typing import NamedTuple

_LABEL = re.compile(r"  ([a-z]+):\s+(.*)", re.DOTALL)
_INDENT = re.compile(r"^ {8,10}", re.MULTILINE)


class Part(NamedTuple):
    """What a message says under a label."""

    label: str
    text: str


def parts_of(message: str) -> tuple[str, tuple[Part, ...]]:
    """Return what an `errors.explanation` says first, and its parts in their order.

    Any other message is all what.
    """
    what: list[str] = []
    parts: list[list[str]] = []
    for line in message.splitlines():
        found = _LABEL.fullmatch(line)
        if found:
            parts.append([found[1], found[2]])
        elif parts:
            parts[-1].append(_INDENT.sub("", line))
        else:
            what.append(line)
    return "\n".join(what), tuple(Part(label, "\n".join(lines)) for label, *lines in parts)
