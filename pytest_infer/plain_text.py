"""Text of others for a terminal and a CI log: nothing in it is a command.

What a library printed, what an engine raised, a model's name: all of it reaches the output.
"""

from __future__ import annotations

import re
import sys

_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"  # those that are not seen, or turn the direction of writing
    "\u2028\u2029"  # other ends of a line
    "\ud800-\udfff]"  # halves of characters, which cannot be encoded
)

_WORKFLOW = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
"""GitHub's runner obeys lines that begin with ``::``, whatever white space is before."""

_LOGGING = re.compile(r"##(?=\w*\[)")
"""Azure's ``##vso[``, TeamCity's ``##teamcity[`` and GitHub's old ``##[`` count anywhere."""

_SIGNS = str.maketrans({"\u2500": "-", "\u2026": "...", "\u2192": "->", "\u00b5": "u"})
"""Ours, in ASCII: the lines of tables first."""

SHOWN_CHARACTERS = 100


def plain_text(text: str) -> str:
    """Return ``text`` with acting characters shown by their code and no command of a CI in it."""
    shown_codes = _ACTING.sub(_code, text)
    return _LOGGING.sub("# #", _WORKFLOW.sub(r"\1: ", shown_codes))


def shown(text: str) -> str:
    """Return a text of others as it may be printed within ours: on one line, short."""
    safe = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text[: SHOWN_CHARACTERS + 1]
    )
    return safe if len(text) <= SHOWN_CHARACTERS else f"{safe[:SHOWN_CHARACTERS]}..."


def encodable(text: str, encoding: str | None = None) -> str:
    """Return ``text`` as ``encoding`` can hold it, standard output's if it is None.

    pytest escapes a text that its terminal cannot encode as a whole, the ends of lines too.
    """
    into = encoding or getattr(sys.__stdout__, "encoding", None) or "utf-8"
    try:
        text.encode(into)
    except UnicodeEncodeError:
        return text.translate(_SIGNS).encode(into, "backslashreplace").decode(into)
    return text


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:  # noqa: PLR2004 - what \x can say
        return rf"\x{number:02x}"
    return rf"\u{number:04x}" if number < 0x10000 else rf"\U{number:08x}"  # noqa: PLR2004
