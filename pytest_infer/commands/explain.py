"""``pytest-infer explain``: what a verdict's code means, and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.commands.printed import print_text
from pytest_infer.errors import unknown

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

PAGE = "codes.md"

_SECTION = re.compile(r"^### `([a-z0-9-]+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def add_commands(nouns: _SubParsersAction[ArgumentParser]) -> None:
    """Add this noun's command."""
    told = "say what a verdict's code means, and what to do about it"
    noun = nouns.add_parser("explain", help=told, description=told)
    noun.add_argument("codes", metavar="CODE", nargs="+", help="such as diverged or no-baseline")
    noun.set_defaults(run=_explain)


def sections() -> dict[str, str]:
    """Return the section of each code, from the page of the documentation that has them."""
    inside = Path(__file__).with_name(PAGE)  # in a wheel
    page = inside if inside.is_file() else _in_clone()
    found = _SECTION.findall(page.read_text(encoding="utf-8"))
    return {code: text.strip() for code, text in found}


def _in_clone() -> Path:
    return Path(__file__).parents[2] / "docs" / "reference" / PAGE


def _explain(options: Namespace) -> int:
    known = sections()
    for code in options.codes:
        if code not in known:
            raise unknown("code", code, known)
    texts = [f"{code}\n\n{_plain(known[code])}" for code in options.codes]
    print_text("\n\n".join(texts))
    return 0


def _plain(text: str) -> str:
    """Return Markdown without what only a page needs: links and stars."""
    return _LINK.sub(r"\1", text).replace("*", "")
