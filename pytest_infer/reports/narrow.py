"""Make a table of cases as narrow as a terminal, without breaking a word or a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.plain_text import plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 3
"""Between two columns."""

ALIKE = ("precision", "batch")
"""Columns that are told once if every row says the same."""

MODEL, VERDICT = "model", "verdict"


@dataclass(frozen=True)
class Narrow:
    """A table that fits, in sections with a title each, and what it had to leave out."""

    headings: tuple[str, ...]
    sections: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    """A title, empty for the only section of a whole table, and its rows."""
    notes: tuple[str, ...] = ()


def narrow(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    dispensable: Sequence[str] = (),
) -> Narrow:
    """Return the table within ``width`` characters, as far as that can be.

    In this order: what all rows say alike is told once; empty columns and ``dispensable`` ones go;
    a verdict goes without its code; a model's name becomes the title of its rows.
    """
    kept = {
        heading: [plain_text(row[index]) for row in rows] for index, heading in enumerate(headings)
    }
    notes: list[str] = []
    dropped: list[str] = []
    is_wide = _width(kept) > width
    alike = [each for each in ALIKE if is_wide and len(set(kept.get(each, ()))) == 1]
    told = [f"{heading} {kept.pop(heading)[0]}" for heading in alike]
    for heading in [each for each in kept if is_wide and not any(kept[each])]:
        del kept[heading]
    for heading in dispensable:
        if _width(kept) > width and heading in kept:
            del kept[heading]
            dropped.append(heading)
    if told:
        notes.append(f"all rows: {', '.join(told)}")
    if dropped:
        notes.append(
            f"not shown in {width} columns: {', '.join(dropped)} (a wider terminal or "
            "--infer-report has them)"
        )
    if _width(kept) > width and VERDICT in kept:
        kept[VERDICT] = [cell.partition(":")[0] for cell in kept[VERDICT]]
    titles = kept.pop(MODEL) if _width(kept) > width else [""] * len(rows)
    lines = list(zip(*kept.values(), strict=True))
    sections = tuple(
        (title, tuple(line for line, its in zip(lines, titles, strict=True) if its == title))
        for title in dict.fromkeys(titles)
    )
    return Narrow(tuple(kept), sections, tuple(notes))


def _width(columns: dict[str, list[str]]) -> int:
    widths = [max(map(len, [heading, *cells])) for heading, cells in columns.items()]
    return sum(widths) + GAP * (len(widths) - 1) + 1
