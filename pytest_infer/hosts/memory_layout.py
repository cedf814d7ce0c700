"""How an array lies in memory: the same values, other strides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.arrays import Array, Arrays

CONTIGUOUS = "contiguous"
BROADCAST = "broadcast"
"""One row in memory, seen as every row of the batch."""


def arranged(feeds: Arrays, layout: str) -> Arrays:
    """Return the same values in another layout, one of `LAYOUTS`; what is between them is junk.

    Rows must be equal for ``broadcast``.
    """
    return {
        name: _ARRANGERS[layout](feed) if feed.ndim else feed.copy() for name, feed in feeds.items()
    }


def _channels_last(feed: Array) -> Array:
    axis = min(1, feed.ndim - 1)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(feed, axis, -1)), -1, axis)


def _transposed(feed: Array) -> Array:
    """Return the array with its axes in memory the other way round."""
    return np.asfortranarray(feed)


def _every_second(feed: Array) -> Array:
    twice = _junk((*feed.shape[:-1], 2 * feed.shape[-1]), feed)
    twice[..., ::2] = feed
    return twice[..., ::2]


def _offset(feed: Array) -> Array:
    """Return a view that starts one element after the start of its memory."""
    longer = _junk((feed.size + 1,), feed)
    longer[1:] = feed.ravel()
    return longer[1:].reshape(feed.shape)


def _broadcast(feed: Array) -> Array:
    return np.broadcast_to(feed[:1].copy(), feed.shape)


def _junk(shape: tuple[int, ...], like: Array) -> Array:
    value = np.nan if like.dtype.kind == "f" else 1
    return np.full(shape, value, like.dtype)


_ARRANGERS: Mapping[str, Callable[[Array], Array]] = {
    CONTIGUOUS: np.ascontiguousarray,
    "offset": _offset,
    "every_second": _every_second,
    "channels_last": _channels_last,
    "transposed": _transposed,
    BROADCAST: _broadcast,
}

LAYOUTS = tuple(_ARRANGERS)
"""From the plainest on."""

STRIDED = tuple(name for name in LAYOUTS if name not in (CONTIGUOUS, BROADCAST))
"""Those that any feeds can have and that a reader of plain memory takes for other values."""
