"""Text of others for a terminal and a CI log: nothing in it is a command.

What a library printed, what an engine raised, a model's name: all of it reaches the output.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that move a cursor, change colours or cannot be encoded; tab and newline stay."""

_WORKFLOW = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
"""GitHub's runner obeys lines that begin with ``::``, whatever white space is before."""

_LOGGING = re.compile(r"##(?=\w*\[)")
"""Azure's ``##vso[``, TeamCity's ``##teamcity[`` and GitHub's old ``##[`` count anywhere."""


def plain_text(text: str) -> str:
    """Return ``text`` with control characters told by their code and no command of a CI in it."""
    shown = _CONTROL.sub(lambda found: rf"\x{ord(found[0]):02x}", text)
    return _LOGGING.sub("# #", _WORKFLOW.sub(r"\1: ", shown))
