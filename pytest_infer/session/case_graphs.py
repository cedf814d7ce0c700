"""What the engine of each case is built from: a model's module, or a file made from it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pytest_infer.engines.requests import build_request
from pytest_infer.errors import OptionError
from pytest_infer.graphs.onnx_copies import request_of_file
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.models import registry as models
from pytest_infer.plain_text import shown
from pytest_infer.session.graph_maker import Graphs
from pytest_infer.session.kept import Kept
from pytest_infer.session.module_graphs import ModuleGraphs
from pytest_infer.storage.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.graphs.facts import GraphFacts
    from pytest_infer.graphs.graph import Graph, GraphRequest
    from pytest_infer.hosts.graph_client import GraphClient
    from pytest_infer.hosts.model_client import ModelClient
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.storage.cache import Cache


class CaseGraphs:
    """Gives each case the graph that its engine asks for, made once."""

    def __init__(
        self,
        config: InferConfig,
        cache: Cache,
        hosts: HostPool,
        client: ModelClient,
        files: GraphClient,
    ) -> None:
        self._hosts = hosts
        self._asked = files
        self._files = Graphs(config, cache, files)
        self._unquantized = config.unquantized
        self._kept = Kept()
        self.modules = ModuleGraphs(config, cache, client)

    def of(self, case: Case) -> Graph:
        """Return what the engine of ``case`` is built from."""
        wanted = self.request(case)
        key = ("graph", case.model, wanted, case.batch if wanted.is_static else 0)
        return self._kept.once(key, lambda: self._made(case, wanted))

    def request(self, case: Case) -> GraphRequest:
        """Return what graph the engine of ``case`` wants."""
        return self._kept.once(("wanted", case), lambda: self._wanted(case, build_request(case)))

    def is_calibrated(self, case: Case) -> bool:
        """Return whether the graph of ``case`` is quantized here, not by whoever made the file."""
        wanted, onnx = self.request(case), models.find(case.model).spec.onnx
        is_int8 = wanted.precision == "int8" or wanted.has_calibration
        return is_int8 and not (onnx and onnx.precision)

    def exact(self, case: Case) -> Graph:
        """Return the fp32 graph from which the int8 graph of ``case`` is made."""
        wanted = self.request(case)
        module = self.module(case.model, is_pruned=wanted.is_pruned)
        return self._files.exact(module, wanted, build_request(case).shapes)

    def without(self, case: Case, nodes: Sequence[str]) -> Graph:
        """Return the int8 graph of ``case`` with these nodes, too, left in fp32."""
        wanted = self.request(case)
        return self._made(
            case, replace(wanted, unquantized=tuple(sorted({*wanted.unquantized, *nodes})))
        )

    def facts(self, graph: Graph) -> GraphFacts:
        """Return what an exported file really is, read from it."""
        return self._asked.facts(graph=graph, doing=f"read {graph.file}")

    def module(self, model: str, *, is_pruned: bool = False) -> Graph:
        """Return a model's code and weights."""
        return self.modules.module(model, is_pruned=is_pruned)

    def wide(self, case: Case, request: BuildRequest) -> Graph:
        """Return a graph in which every dimension is dynamic that the network allows to be.

        The other graphs keep the dimensions of the model's spec.
        """
        wanted = self._wanted(case, request)
        module = self.wide_module(case.model, is_pruned=wanted.is_pruned)
        if wanted.format == "module":
            return module
        return _with_dims(self._files.exported(module, wanted, request.shapes), module.spec)

    def wide_module(self, model: str, *, is_pruned: bool) -> Graph:
        """Return a model's code and weights, with the spec that `wide` has."""
        spec = models.find(model).spec.widened()
        return _with_dims(self.module(model, is_pruned=is_pruned), spec)

    def _wanted(self, case: Case, request: BuildRequest) -> GraphRequest:
        client = EngineClient(self._hosts.shared(case.engine))
        wanted = client.graph_request(
            engine=case.engine,
            request=request,
            doing=f"ask {case.engine} what it is built from",
        )
        wanted = request_of_file(wanted, models.find(case.model).spec)
        nodes = self._unquantized.get(case.model, ())
        if nodes and wanted.has_calibration:
            raise OptionError(
                f"cannot leave {shown(nodes[0])} of {case.model} in fp32",
                why=f"{case.engine}'s own library chooses what is quantized, not the graph",
                mend=f"leave out --infer-unquantized={case.model}=…, or the engine's setting that "
                "lets it find the scales",
            )
        if wanted.precision != "int8" or not nodes:
            return wanted
        onnx = models.find(case.model).spec.onnx
        if onnx and onnx.precision:
            raise OptionError(
                f"cannot leave {shown(nodes[0])} of {case.model} in fp32",
                why="the file is in int8 already",
                mend=f"leave out --infer-unquantized={case.model}=…",
            )
        return replace(wanted, unquantized=nodes)

    def _made(self, case: Case, wanted: GraphRequest) -> Graph:
        module = self.module(case.model, is_pruned=wanted.is_pruned)
        if wanted.format == "module":
            return module
        return self._files.exported(module, wanted, build_request(case).shapes)


def _with_dims(graph: Graph, spec: ModelSpec) -> Graph:
    """Return the graph as one of ``spec``, whose bounds are in no file and decide what is built."""
    dims = {name: asdict(dim) for name, dim in spec.dims.items()}
    shapes = {name: list(tensor.shape) for name, tensor in spec.inputs.items()}
    key = {"graph": graph.digest, "dims": dims, "shapes": shapes}
    return replace(graph, spec=spec, digest=digest_of(key))
