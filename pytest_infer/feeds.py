"""The named inputs of a case, made from photographs wherever the model takes photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.own_code import own_code

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.engine import Arrays
    from pytest_infer.models import Model

SEED = 0


def make_feeds(model: Model, batch: int, images: Path | None) -> Arrays:
    """Return the first ``batch`` photographs, cyclically, through the model's preprocessing.

    A model without preprocessing takes no photographs: its floating inputs are drawn from a
    standard normal distribution, its integers from 0 and 1, from a fixed seed.
    """
    if model.preprocess is None:
        return _drawn(model, batch)
    from pytest_infer import photographs

    rows = photographs.batch(photographs.photographs(images), batch)
    with own_code(f"prepare {model.spec.name}'s inputs", "preprocess"):
        return model.preprocess(rows)


def _drawn(model: Model, batch: int) -> Arrays:
    import numpy as np

    draw = np.random.default_rng(SEED)
    return {
        name: draw.standard_normal(shape).astype(model.spec.inputs[name].dtype)
        if model.spec.inputs[name].dtype.startswith("float")
        else draw.integers(0, 2, shape).astype(model.spec.inputs[name].dtype)
        for name, shape in model.spec.input_shapes(batch).items()
    }
