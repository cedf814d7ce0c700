"""Which nodes of a graph are drawn in one row: those of a module that is small enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    Path = tuple[str, ...]

MOST_UNITS = 14
"""Units (layers, or nodes on their own) of a module that is one row."""

FEW_UNITS = 2
"""A module of so few that lies directly in one that is split has no row of its own."""

TOP = "(outermost)"
"""What the row of nodes is called that are in no module."""


@dataclass(frozen=True)
class Block:
    """Nodes of one row, by their numbers."""

    name: str
    nodes: Sequence[int]


def blocks_of(paths: Sequence[Path], units: Sequence[Hashable]) -> list[Block]:
    """Return the rows of a graph whose nodes have these paths, and are parts of these units.

    A module with more than `MOST_UNITS`, or one of numbered blocks, is split into its parts. What
    lies directly in a split module, and its parts of `FEW_UNITS` that are no numbered blocks, are
    a row where they follow each other.
    """
    under: dict[Path, set[Hashable]] = {}
    for path, unit in zip(paths, units, strict=True):
        for depth in range(len(path) + 1):
            under.setdefault(path[:depth], set()).add(unit)
    split = _split(under)
    whole: dict[Path, list[int]] = {}
    rows: list[tuple[Path, list[int]]] = []
    loose: list[int] = []
    for number, path in enumerate(paths):
        module, is_row = _row_of(path, under, split)
        if is_row:
            if module not in whole:
                rows.append((module, whole.setdefault(module, [])))
            whole[module].append(number)
        elif rows and rows[-1][0] == module and rows[-1][1] is loose:
            loose.append(number)
        else:
            loose = [number]
            rows.append((module, loose))
    named = [
        Block(
            ".".join(module)
            if numbers is whole.get(module)
            else _loose_name(module, [paths[each] for each in numbers]),
            numbers,
        )
        for module, numbers in rows
    ]
    return _together(named, units)


def _together(blocks: Sequence[Block], units: Sequence[Hashable]) -> list[Block]:
    """Return the rows with those of `FEW_UNITS` that follow each other as one.

    Numbered blocks stay apart: they may repeat.
    """
    found: list[Block] = []
    was_few = False
    for block in blocks:
        is_numbered = block.name.rpartition(".")[2].isdecimal()
        is_few = len({units[each] for each in block.nodes}) <= FEW_UNITS and not is_numbered
        if is_few and was_few and len(found[-1].nodes) < MOST_UNITS:
            before = found.pop()
            first = before.name.partition(" … ")[0]
            name = first if first == block.name else f"{first} … {block.name}"
            block = Block(name, [*before.nodes, *block.nodes])  # noqa: PLW2901 - the two as one
        found.append(block)
        was_few = is_few
    return found


def _split(under: Mapping[Path, set[Hashable]]) -> set[Path]:
    """Return the modules that are too large for a row, or hold numbered blocks."""
    blocks: dict[Path, list[bool]] = {}
    for path in under:
        if path and len(under[path]) >= FEW_UNITS:
            blocks.setdefault(path[:-1], []).append(path[-1].isdecimal())
    held = [path for path, numbered in blocks.items() if len(numbered) > 1 and all(numbered)]
    around = {path[:depth] for path in held for depth in range(len(path) + 1)}
    return around | {path for path, units in under.items() if len(units) > MOST_UNITS}


def _row_of(path: Path, under: Mapping[Path, set[Hashable]], split: set[Path]) -> tuple[Path, bool]:
    """Return the module whose row has a node, and whether it has all of that module."""
    prefixes = (path[:depth] for depth in range(1, len(path) + 1))
    small = next((each for each in prefixes if each not in split), None)
    if small is None:
        return path, False
    is_block = small[-1].isdecimal() and small[:-1] in split and len(under[small]) == FEW_UNITS
    return (small, True) if is_block or len(under[small]) > FEW_UNITS else (small[:-1], False)


def _loose_name(module: Path, paths: Sequence[Path]) -> str:
    """Return the first and the last part of a module that are in a row."""
    parts = list(dict.fromkeys(path[len(module)] for path in paths if len(path) > len(module)))
    ends = f"{parts[0]} … {parts[-1]}" if len(parts) > 1 else "".join(parts)
    return ".".join(filter(None, (*module, ends))) or TOP
