"""Refuse a feed that an engine was not built for, before the engine computes garbage of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.errors import RunError

if TYPE_CHECKING:
    from pytest_infer.engine import Arrays

    Shape = tuple[int, ...]


def check_feed(name: str, feeds: Arrays, low: Shape, high: Shape | None = None) -> None:
    """Raise `RunError` unless the feed ``name`` has the shape ``low``, or one up to ``high``."""
    high = low if high is None else high
    found = feeds[name].shape if name in feeds else None
    if found is not None and len(found) == len(low) and all(map(_is_within, found, low, high)):
        return
    takes = f"shape {low}" if low == high else f"shapes from {low} to {high}"
    raise RunError(
        f"cannot feed {name}",
        why=f"the engine was built for {takes}, and the feed has "
        + (f"shape {found}" if found is not None else "no array of that name"),
        mend=f"feed {name} in {takes}, or build the engine for another batch",
    )


def _is_within(size: int, low: int, high: int) -> bool:
    return low <= size <= high
