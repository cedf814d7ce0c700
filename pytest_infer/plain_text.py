"""Text of others for a terminal and a CI log: nothing in it is a command.

What a library printed, what an engine raised, a model's name: all of it reaches the output.
"""

from __future__ import annotations

import re
import sys

_WORKFLOW = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
"""GitHub's runner obeys lines that begin with ``::``, whatever white space is before."""

_LOGGING = re.compile(r"##(?=\w*\[)")
"""Azure's ``##vso[``, TeamCity's ``##teamcity[`` and GitHub's old ``##[`` count anywhere."""

_SIGNS = str.maketrans({"\u2500": "-", "\u2026": "...", "\u2192": "->", "\u00b5": "u"})
"""Ours, in ASCII: the lines of tables first."""

SHOWN_CHARACTERS = 100


def plain_text(text: str) -> str:
    """Return ``text`` with no command of a CI in it, and by its code what is no visible character.

    Those move a cursor, change colours, turn the direction of writing, end a line or cannot be
    encoded; tab and newline stay.
    """
    visible = text if text.isprintable() else "".join(map(_visible, text))
    return _LOGGING.sub("# #", _WORKFLOW.sub(r"\1: ", visible))


def shown(text: str) -> str:
    """Return a text of others as it may be printed within ours: on one line, short."""
    begin = text[:SHOWN_CHARACTERS]
    safe = "".join(each if each.isprintable() else _code(each) for each in begin)
    return safe if len(text) <= SHOWN_CHARACTERS else f"{safe}..."


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


def _visible(character: str) -> str:
    return character if character.isprintable() or character in "\t\n" else _code(character)


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x100:  # noqa: PLR2004 - what \x can say
        return rf"\x{number:02x}"
    return rf"\u{number:04x}" if number < 0x10000 else rf"\U{number:08x}"  # noqa: PLR2004
