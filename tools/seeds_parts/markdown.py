"""Pieces of Markdown: tables, lists, links from the page to files of the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UP = "../../"
"""From the page's folder to the repository's root."""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def points(texts: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {text}" for text in texts)


def link(file: str) -> str:
    """Return a link to a file, by its name in the repository."""
    return f"[`{file}`]({UP}{file})"


def figure(value: float | None, form: str = "{:.4g}") -> str:
    """Return a figure; empty for one that there is not."""
    return "" if value is None else form.format(value)


def factor(above: float | None, below: float | None) -> str:
    """Return how many times ``above`` is ``below``; empty without one of them."""
    return f"{above / below:.2f}x" if above and below else ""
