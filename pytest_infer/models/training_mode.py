"""Programs and traces that were made in training mode, which no eval() can change any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import nn

_OPERATORS = {
    "dropout": "train",
    "feature_dropout": "train",
    "alpha_dropout": "train",
    "native_dropout": "train",
    "batch_norm": "training",
    "native_batch_norm": "training",
    "_native_batch_norm_legit_functional": "training",
}
"""The argument by which an operator of torch's computes as in training."""

_STATISTICS = "running_mean"
"""Without it a batch norm computes from its batch at all times."""


def refuse_training(module: nn.Module, name: str) -> None:
    """Raise `ModelError` for a trace or an exported program with training written into it.

    Its dropout is random, and its batch norms mix the rows of a batch. Exporters and engines take
    such operators in different ways. A module that still has a mode is no matter of this.
    """
    found = list(dict.fromkeys(_training(module)))
    if found:
        raise ModelError(
            f"cannot use {name}: it was traced or exported in training mode",
            why=f"{', '.join(found)} compute as in training, whatever the mode is now",
            mend="call module.eval(), and then trace or export it again",
        )


def _training(module: nn.Module) -> Iterator[str]:
    from torch import fx, jit

    if isinstance(module, jit.ScriptModule):
        yield from _in_script(module)
    for part in module.modules():
        if isinstance(part, fx.GraphModule):
            yield from _in_program(part)


def _in_script(module: Any) -> Iterator[str]:
    graph = module.inlined_graph  # nodes of it end with it
    for name in _OPERATORS:
        for node in graph.findAllNodes(f"aten::{name}", recurse=True):
            constants = [
                value.toIValue() if value.node().kind() == "prim::Constant" else value
                for value in node.inputs()
            ]
            yield from _if_training(name, _named(node.schema(), constants))


def _named(schema: str, values: list[Any]) -> dict[str, Any]:
    """Return the values by the names in a schema's text."""
    arguments = schema.partition("(")[2].partition(")")[0].split(", ")
    names = [each.split()[-1].partition("=")[0] for each in arguments]
    return dict(zip(names, values, strict=False))


def _in_program(module: Any) -> Iterator[str]:
    for node in module.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if node.op == "call_function" and schema is not None:
            names = [each.name for each in schema.arguments]
            name = schema.name.rpartition("::")[2]
            yield from _if_training(
                name, {**dict(zip(names, node.args, strict=False)), **node.kwargs}
            )


def _if_training(name: str, arguments: dict[str, Any]) -> Iterable[str]:
    is_on = arguments.get(_OPERATORS.get(name, "")) is True
    is_always = _STATISTICS in arguments and arguments[_STATISTICS] is None
    return [name] if is_on and not is_always else []
