"""Tables for a terminal: filled, coloured, rendered as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.plain_text import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table


COLORS = {
    "fail": "red",
    "inconclusive": "yellow",
    "known": "yellow",
    "new": "cyan",
    "pass": "green",
}

TEXTS = (
    *("model", "engine", "precision", "verdict", "", "kind", "note", "state", "made of"),
    *("case", "device", "course", "date", "commit", "speed", "outputs", "layer", "operator"),
)
"""Headings of columns without figures."""

WIDE = 500


def filled_table(headings: Sequence[str], sections: Iterable[Sequence[Sequence[str]]]) -> Table:
    """Return a table of texts, a line after each section."""
    from rich.text import Text

    table = _empty(headings)
    for rows in sections:
        for cells in rows:
            table.add_row(*map(Text, map(plain_text, cells)))
        table.add_section()
    return table


def _empty(headings: Sequence[str], title: str = "") -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title=Text(title) if title else None,
        title_justify="left",
        caption_justify="left",
    )
    for heading in headings:
        numeric = heading not in TEXTS
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    return table


def rendered(table: Table, *, color: bool = False) -> str:
    """Return a table as text, as wide as it needs to be."""
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=WIDE, force_terminal=color, highlight=False)
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())
