"""Where int8 loses most: what the records of a run have of it, for every kind of report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_infer.reports.record import Record

DETAIL = "int8_loss"
"""The name in a record's details."""

HEADINGS = ("model", "layer", "operator", "int8 loss", "of all")

MOST_SHOWN = 10
"""Layers of a model that are shown; JSON has more."""


@dataclass(frozen=True)
class Layer:
    """A layer, and what the outputs lose if only this one is in int8, as a relative L2."""

    node: str
    operator: str = ""
    tensor: str = ""
    loss: float = 0.0


@dataclass(frozen=True)
class Losses:
    """What one quantized graph loses; the engine's own loss with it and without its worst nodes."""

    model: str = ""
    together: float = 0.0
    layers: Sequence[Layer] = ()
    count: int = 0
    without: Sequence[float] = ()
    leave_out: Sequence[str] = ()
    before: float | None = None
    after: float | None = None
    note: str = ""
    """Why nothing is known of it."""

    @property
    def shown(self) -> Sequence[Layer]:
        """Return the layers that lose most."""
        return self.layers[:MOST_SHOWN]

    @property
    def option(self) -> str:
        """Return what leaves the nodes in fp32, for a shell; empty where it is no gain."""
        nodes = ",".join(f"{self.model}={node}" for node in self.leave_out)
        return f"--infer-unquantized={quote(nodes)}" if nodes else ""

    def share(self, layer: Layer) -> float:
        """Return the loss of a layer as a share of that of all layers together."""
        return layer.loss / self.together if self.together else 0.0

    def cells(self) -> list[tuple[str, ...]]:
        """Return the texts under `HEADINGS`."""
        return [
            (
                self.model,
                each.node,
                each.operator,
                f"{each.loss:.2e}",
                f"{self.share(each):.0%}",
            )
            for each in self.shown
        ]


@dataclass(frozen=True)
class CaseLosses:
    """The losses of one graph, and of the engines that were built from it."""

    losses: Losses
    engines: Sequence[tuple[str, Losses]]
    """The ids of cases, and what their engines lose."""

    @property
    def summary(self) -> str:
        """Return in one sentence what is lost, and what is not without the worst layers."""
        losses = self.losses
        if losses.note:
            return f"int8 of {self.engines[0][0]}: where it loses is not known: {losses.note}"
        begin = f"int8 of {losses.model} loses {losses.together:.2e} in {losses.count} layers"
        if not losses.leave_out:
            return f"{begin}; without its worst ones it loses nearly as much"
        number = len(losses.leave_out)
        worst = "the worst one" if number == 1 else f"the {number} worst"
        return f"{begin}, {losses.without[number - 1]:.2e} without {worst}{self._engines()}"

    def _engines(self) -> str:
        told = [
            f"{case_id} {each.before:.2e} -> {each.after:.2e}"
            for case_id, each in self.engines
            if each.before is not None and each.after is not None
        ]
        return f" ({', '.join(told)})" if told else ""


def losses_of(records: Iterable[Record]) -> list[CaseLosses]:
    """Return what records say of losses, once for each graph."""
    found: dict[str, list[tuple[str, Losses]]] = {}
    for record in records:
        if DETAIL in record.details:
            losses = _read(record.details[DETAIL])
            key = repr((losses.model, losses.together, losses.layers, losses.note))
            found.setdefault(key, []).append((record.case_id, losses))
    return [CaseLosses(each[0][1], each) for each in found.values()]


def loss_cells(records: Iterable[Record]) -> list[list[tuple[str, ...]]]:
    """Return the lines under `HEADINGS`, a section for each graph."""
    return [cells for each in losses_of(records) if (cells := each.losses.cells())]


def loss_lines(records: Iterable[Record]) -> list[str]:
    """Return a sentence for each graph, and the option that leaves its worst nodes in fp32."""
    return [
        line for each in losses_of(records) for line in (each.summary, each.losses.option) if line
    ]


def _read(details: Mapping[str, Any]) -> Losses:
    try:
        return msgspec.convert(details, Losses)
    except msgspec.ValidationError as error:
        return Losses(note=f"its details cannot be read: {error}")
