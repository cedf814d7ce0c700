"""The module of a graph, with the weights in its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.errors import ModelError
from pytest_infer.graphs.pruning import prune
from pytest_infer.models.registry import find
from pytest_infer.models.weights import created
from pytest_infer.models.weights_file import load_weights

if TYPE_CHECKING:
    from torch import nn

    from pytest_infer.graphs.graph import Graph

NO_MODULE = "an ONNX file is no module: nothing can be traced, compiled or called in it"


def module_from_graph(graph: Graph) -> nn.Module:
    """Return a graph's module, called as its spec says, with the weights in its file.

    Whatever the user's forward takes and returns, it is called with one tensor for each input, in
    the spec's order, and returns a tuple of one for each output. In eval mode on the CPU.
    """
    from pytest_infer.models.spec_module import SpecModule

    return SpecModule(own_module(graph), graph.spec)


def own_module(graph: Graph) -> nn.Module:
    """Return the user's own module with the weights in a graph's file, in eval mode on the CPU.

    Raise `ModelError` for a model that is an ONNX file.
    """
    if graph.spec.onnx is not None:
        raise ModelError(
            f"{graph.spec.name} has no module",
            why=NO_MODULE,
            mend="ask for engines that are built from ONNX files, or bring the module itself",
        )
    model = find(graph.spec.name)
    choice = {} if graph.spec.brings_weights else {"pretrained": False}
    module = created(model, **choice)
    load_weights(module, Path(graph.file))
    if graph.request.is_pruned:
        prune(module)
    return module
