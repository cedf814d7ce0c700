"""Find the layer from which an engine is wrong, among the errors of all layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.graphs.layer import Layer
from pytest_infer.judges.tolerance import FLOOR_ROUNDOFFS, UNIT_ROUNDOFF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.case import Precision

JUMP = 20.0
"""A layer that multiplies the error by less only passes on, or rounds, what it was given."""

_SHOWN = 3  # layers before and after


@dataclass(frozen=True)
class LayerError:
    """A layer's relative L2 error, and the largest of those before it."""

    layer: Layer
    error: float
    before: float

    def jump(self, precision: Precision) -> float:
        """Return how many times the error grows in this layer, rounding not counted."""
        return self.error / (self.before + FLOOR_ROUNDOFFS * UNIT_ROUNDOFF[precision])


def layer_errors(layers: Sequence[Layer], errors: Mapping[str, float]) -> list[LayerError]:
    """Return the layers whose errors are known, each beside the largest error of its inputs.

    Of an input without a known error, such as an integer or one that was not looked at, the inputs
    count instead.
    """
    reach: dict[str, float] = {}
    found = []
    for layer in layers:
        before = max((reach.get(name, 0.0) for name in layer.inputs), default=0.0)
        known = errors.get(layer.tensor)
        reach[layer.tensor] = before if known is None else known
        if known is not None:
            found.append(LayerError(layer, known, before))
    return found


def first_divergence(found: Sequence[LayerError], precision: Precision) -> LayerError | None:
    """Return the layer in which the error jumps most; None if it grows by rounding alone."""
    worst = max(found, key=lambda each: each.jump(precision), default=None)
    return worst if worst and worst.jump(precision) >= JUMP else None


def told(found: Sequence[LayerError], worst: LayerError) -> str:
    """Return a table of the layers around the one that diverges."""
    place = list(found).index(worst)
    rows = found[max(place - _SHOWN, 0) : place + _SHOWN + 1]
    heading = "tensor"
    width = max(len(heading), *(len(each.layer.tensor) for each in rows))
    lines = [f"  {heading:{width}}  {'relative L2':>11}  operator"]
    lines += [
        f"{'>' if each is worst else ' '} {each.layer.tensor:{width}}  {each.error:11.2e}  "
        f"{each.layer.operator} {each.layer.node}".rstrip()
        for each in rows
    ]
    return "\n".join(lines)
