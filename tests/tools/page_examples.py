"""The examples of a page: its fenced blocks, and what a comment before one says about running it.

A comment is ``<!-- test: WORD, ... -->``. Its words:

- ``whole``: run the commands as they stand; otherwise what they start collects its tests only.
- ``fails``: some command must fail.
- ``nightly: REASON``: run whole, and only with ``INFER_NIGHTLY=1``.
- ``skip: REASON``: never run here; the reason says what it needs, and when it was run by hand.
- ``prelude: PYTHON``: names that a snippet takes for granted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENT = re.compile(r"<!-- test: (.*?) -->", re.DOTALL)
_FILE = re.compile(r"# (\S+\.(?:py|toml|ini|cfg|yml))\n")


@dataclass(frozen=True)
class Example:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    words: tuple[str, ...] = ()
    argument: str = ""
    """What follows the colon of the last word."""

    @property
    def file(self) -> str | None:
        """Return the name of the file that it is, which its first line states."""
        found = _FILE.match(self.text)
        return found[1] if found else None


def examples_of(page: Path) -> list[Example]:
    """Return the fenced blocks of a page, in order."""
    return list(_examples(page))


def _examples(page: Path) -> Iterator[Example]:
    said = ""
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "html_block" and (found := _COMMENT.search(token.content)):
            said = found[1]
        elif token.type == "fence":
            words, _, argument = said.partition(": ")
            yield Example(
                page,
                (token.map or [0])[0] + 1,
                token.info.split()[0] if token.info else "",
                token.content,
                tuple(word.strip() for word in words.split(",") if word.strip()),
                argument,
            )
            said = ""
        elif token.type == "inline":
            said = ""
