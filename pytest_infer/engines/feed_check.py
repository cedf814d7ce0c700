"""Refuse feeds that an engine was not built for, before the engine computes garbage of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.arrays import Arrays
    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.models.spec import ModelSpec

    Shape = tuple[int, ...]


def check_feeds(spec: ModelSpec, request: BuildRequest, feeds: Arrays) -> None:
    """Raise `RunError` for feeds that no engine built from ``spec`` for ``request`` can take.

    Names, dtypes, ranks and fixed sizes are the spec's; a dynamic size is within its bounds, or
    the one that was asked for, above zero unless the bounds begin there, and one size for all
    inputs that share the dimension. An engine that was built for fewer shapes refuses the others
    itself.
    """
    _check_names(spec, feeds)
    for name, tensor in spec.inputs.items():
        if str(feeds[name].dtype) != tensor.dtype:
            raise RunError(
                f"cannot feed {name}",
                why=f"its spec names {tensor.dtype}, and the feed is {feeds[name].dtype}",
                mend=f"feed {name} as {tensor.dtype}",
            )
        low, high = _bounds(spec, name, request)
        check_feed(name, feeds, low, high)
    _check_dims(spec, request, feeds)


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


def _check_names(spec: ModelSpec, feeds: Arrays) -> None:
    if feeds.keys() == spec.inputs.keys():
        return
    raise RunError(
        f"cannot feed {spec.name}",
        why=f"its inputs are {', '.join(spec.inputs)}, and the feeds are "
        f"{', '.join(sorted(feeds)) or 'none'}",
        mend="feed one array to each input, by its name",
    )


def _bounds(spec: ModelSpec, name: str, request: BuildRequest) -> tuple[Shape, Shape]:
    """Return the least and the greatest shape of an input; the one asked for is between them."""
    low, high = spec.bounds()[name]
    asked = request.shapes[name]
    return tuple(map(min, low, asked)), tuple(map(max, high, asked))


def _check_dims(spec: ModelSpec, request: BuildRequest, feeds: Arrays) -> None:
    """Raise `RunError` if inputs disagree on a dimension, or its size is no multiple as it must."""
    fed = _sizes(spec, {name: feed.shape for name, feed in feeds.items()})
    asked = _sizes(spec, request.shapes)
    for dim, sizes in fed.items():
        if len(sizes) > 1:
            raise RunError(
                f"cannot feed {spec.name}",
                why=f"its inputs have a {dim} of {', '.join(map(str, sorted(sizes)))}",
                mend=f"feed the same {dim} to every input",
            )
        multiple = spec.dims[dim].multiple
        (size,) = sizes
        if size % multiple and size not in asked[dim]:
            raise RunError(
                f"cannot feed {spec.name}",
                why=f"its {dim} is a multiple of {multiple}, and the feeds have {size}",
                mend=f"feed a {dim} of {size - size % multiple or multiple}",
            )


def _sizes(spec: ModelSpec, shapes: Mapping[str, Shape]) -> dict[str, set[int]]:
    """Return the sizes that inputs give each dynamic dimension."""
    found: dict[str, set[int]] = {}
    for name, tensor in spec.inputs.items():
        for dim, size in zip(tensor.shape, shapes[name], strict=True):
            if isinstance(dim, str):
                found.setdefault(dim, set()).add(size)
    return found


def _is_within(size: int, low: int, high: int) -> bool:
    return low <= size <= high
