"""What is made once and kept: weights, feeds, graphs, built engines and references."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.hosts.graph_client import GraphClient
from pytest_infer.hosts.model_client import ModelClient
from pytest_infer.session.built_engines import BuiltEngines
from pytest_infer.session.case_graphs import CaseGraphs
from pytest_infer.session.eager import Eager
from pytest_infer.session.identities import Identities
from pytest_infer.session.kept import Kept
from pytest_infer.session.models import Models

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.builds_ahead import BuildsAhead
    from pytest_infer.storage.cache import Cache


class Artefacts:
    """The makers of one run; each makes its things in the host they belong to."""

    def __init__(
        self,
        config: InferConfig,
        cache: Cache,
        hosts: HostPool,
        timings: Callable[[Case], dict[str, bytes]] = lambda _: {},
        ahead: BuildsAhead | None = None,
    ) -> None:
        """Take ``timings``, which returns what is kept of earlier builds beside the baselines."""
        self.client = ModelClient(hosts.models)
        self.files = GraphClient(hosts.models)
        self.kept = Kept()
        """What judges keep for other cases of the run."""
        self.identities = Identities(hosts)
        self.models = Models(config, self.client)
        self.graphs = CaseGraphs(config, cache, hosts, self.client, self.files)
        self.engines = BuiltEngines(
            cache, hosts, self.graphs, timings, keeps_second=not config.thorough, ahead=ahead
        )
        self.eager = Eager(
            cache,
            hosts,
            inputs=self.models,
            graphs=self.graphs,
            identities=self.identities,
        )
