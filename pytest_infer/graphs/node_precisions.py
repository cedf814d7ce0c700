"""Which precision a graph computes in, from counts of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

LEAST_SHARE = 0.5
"""What ran is judged by the majority: at least this share of it must be as was asked for.

Compilers leave softmax and normalisation in fp32 and shape arithmetic on the CPU for good reason,
so that all is too much to ask.
"""

NO_FRACTIONS: Final = "no fractions"
"""What is said of the precision where all that computes, computes integers and bools."""

REDUCED: Final = ("int8", "fp16", "bf16")


@dataclass(frozen=True)
class NodePrecisions:
    """How many computing nodes a graph has of each precision."""

    products: Mapping[str, int]
    """Convolutions and matrix products, in which nearly all the arithmetic is."""
    others: Mapping[str, int]
    """Every other node that computes with fractions; moves and integers are in neither."""
    unknown: int = 0
    """Nodes that compute with what is not known."""

    @property
    def precision(self) -> str:
        """Return the graph's precision; a mixture's name is no precision's.

        It is a reduced one if half of the products are in it, and ``fp32`` only if nothing is
        reduced. A graph without products is judged by its other nodes.
        """
        if not self._judged:
            return f"unknown, in {self.unknown} nodes" if self.unknown else NO_FRACTIONS
        for name in REDUCED:
            if self.share(name) >= LEAST_SHARE:
                return name
        every = {
            name: self.products.get(name, 0) + self.others.get(name, 0)
            for name in sorted({*self.products, *self.others})
        }
        reduced = {name: count for name, count in every.items() if name in REDUCED}
        kept = ", ".join(name for name in every if name not in REDUCED) or "nothing else"
        if not reduced:
            return kept
        told = ", ".join(f"{name} in {count}" for name, count in reduced.items())
        return f"{kept} with {told} of {sum(every.values())} nodes"

    def share(self, precision: str) -> float:
        """Return the share of the products in ``precision``, 0 to 1."""
        total = sum(self._judged.values())
        return self._judged.get(precision, 0) / total if total else 0.0

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Return the counts as JSON-able values."""
        return {"products": dict(self.products), "others": dict(self.others)}

    @property
    def _judged(self) -> Mapping[str, int]:
        return self.products or self.others
