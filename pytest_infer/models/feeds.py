"""The named inputs of a case, made from photographs wherever the model takes photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.own_code import own_code
from pytest_infer.models.spec import BATCH

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.models.registry import Model
    from pytest_infer.models.spec import ModelSpec, TensorSpec

SEED = 0

DRAWN_ROWS = 8
"""Different rows for a model that takes no photographs: as many as photographs are carried."""


def make_feeds(model: Model, batch: int, images: Path | None, *, start: int = 0) -> Arrays:
    """Return ``batch`` photographs from number ``start`` on, through the model's preprocessing.

    They come in a cycle. A model without preprocessing takes no photographs: its inputs are drawn
    from fixed seeds (`draw`), a row's values from its own, so that they are the same in any batch.
    """
    if model.preprocess is None:
        return _drawn(model, batch, start)
    from pytest_infer.models import photographs

    rows = photographs.batch(photographs.pictures(images), batch, start=start)
    with own_code(f"prepare {model.spec.name}'s inputs", "preprocess"):
        found = model.preprocess(rows)
    return _checked(found, model.spec)


def _checked(found: Any, spec: ModelSpec) -> Arrays:
    """Return what preprocess returned, if it has an array for each input."""
    import numpy as np

    arrays = found if isinstance(found, Mapping) else {}
    odd = [name for name in spec.inputs if not isinstance(arrays.get(name), np.ndarray)]
    if not odd:
        return dict(arrays)
    told = f"a {type(found).__name__}"
    if arrays:
        kind = type(arrays[odd[0]]).__name__ if odd[0] in arrays else "absent"
        told = f"a dict in which {odd[0]!r} is {kind}"
    raise ModelError(
        f"preprocess of {spec.name} does not return the model's inputs",
        why=f"it returned {told}; the inputs are {', '.join(spec.inputs)}",
        mend="return a dict with a numpy array for each input, its rows the photographs",
    )


def row_names(model: Model, images: Path | None) -> list[str]:
    """Return what each different row is called, in the order of the cycle: two or more."""
    if model.preprocess is None:
        return [f"drawn row {number}" for number in range(1, DRAWN_ROWS + 1)]
    from pytest_infer.models import photographs

    names = [picture.name for picture in photographs.pictures(images)]
    return [f"photograph {number} ({name})" for number, name in enumerate(names, 1)]


def _drawn(model: Model, batch: int, start: int) -> Arrays:
    rows = [(start + row) % DRAWN_ROWS for row in range(batch)]
    if model.draw is not None:
        return _joined(model.spec, [model.draw(model.spec, row) for row in rows])
    sizes = {name: dim.opt for name, dim in model.spec.dims.items()}
    return {
        name: _input(tensor, number, sizes, rows)
        for number, (name, tensor) in enumerate(model.spec.inputs.items())
    }


def _joined(spec: ModelSpec, rows: list[Arrays]) -> Arrays:
    """Return rows as one batch; an input without a dimension for them is the first row's."""
    import numpy as np

    return {
        name: np.concatenate([row[name] for row in rows]) if tensor.has_rows else rows[0][name]
        for name, tensor in spec.inputs.items()
    }


def _input(tensor: TensorSpec, number: int, sizes: dict[str, int], rows: list[int]) -> Array:
    """Return one input for the ``rows``; without a dimension for them it is the first row's."""
    import numpy as np

    from pytest_infer.models.drawn_values import draw

    def row(turn: int) -> Array:
        random = np.random.default_rng([SEED, turn, number])
        return draw(tensor, tensor.resolved({**sizes, BATCH: 1}), random, turn=turn)

    if BATCH not in tensor.shape:
        return row(rows[0])
    return np.concatenate([row(turn) for turn in rows], axis=tensor.shape.index(BATCH))
