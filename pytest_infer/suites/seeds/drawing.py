"""The graph of a module as rows of operations, from which a picture of it is drawn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import fx, nn

DEPTH = 2
"""Parts of a submodule's name that make a row: ``blocks.3``, say."""


def drawn_rows(module: nn.Module) -> list[dict[str, Any]]:
    """Return the operations in their order, a row for each block, JSON-able.

    They are those that `torch.fx.symbolic_trace` finds: submodules without children, and functions.
    A row has a ``name``, and ``operations``, each with its ``kind`` and what it is ``told`` as:
    channels and kernel of a convolution.
    """
    from torch import fx

    modules = dict(module.named_modules())
    rows: list[dict[str, Any]] = []
    for node in fx.symbolic_trace(module).graph.nodes:
        if node.op in {"placeholder", "output"}:
            continue
        operation = _operation(node, modules)
        name = _row_of(node, rows)
        if not rows or rows[-1]["name"] != name:
            rows.append({"name": name, "operations": []})
        rows[-1]["operations"].append(operation)
    return rows


def counts_of(rows: list[dict[str, Any]]) -> Counter[str]:
    """Return how many operations there are of each kind."""
    return Counter(each["kind"] for row in rows for each in row["operations"])


def _row_of(node: fx.Node, rows: list[dict[str, Any]]) -> str:
    """Return the row of a node; a function stays in the row of what it works on."""
    if node.op != "call_module":
        return str(rows[-1]["name"]) if rows else ""
    parts = str(node.target).split(".")
    return ".".join(parts[:DEPTH]) if parts[0] == "blocks" else parts[0]


def _operation(node: fx.Node, modules: dict[str, nn.Module]) -> dict[str, Any]:
    if node.op != "call_module":
        return {"kind": getattr(node.target, "__name__", str(node.target)), "told": ""}
    found: Any = modules[str(node.target)]
    kind = type(found).__name__
    told = ""
    if kind == "Conv2d":
        high, wide = found.kernel_size
        stride = f" /{found.stride[0]}" if found.stride[0] > 1 else ""
        told = f"{found.in_channels}-{found.out_channels} {high}x{wide}{stride}"
    if kind == "Linear":
        told = f"{found.in_features}-{found.out_features}"
    return {"kind": kind, "told": told}
