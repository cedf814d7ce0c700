"""Eager mode beside each case: the outputs that an engine's are compared with."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_infer.arrays import digest_of_arrays, read_arrays, write_arrays
from pytest_infer.devices.device import Device
from pytest_infer.engines.cuda_graph import OPTION
from pytest_infer.engines.protocol import BuiltEngine
from pytest_infer.engines.requests import build_request
from pytest_infer.engines.short_products import AS_NOISE
from pytest_infer.errors import RunError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.pool import EAGER
from pytest_infer.models import registry as models
from pytest_infer.session.kept import Kept
from pytest_infer.session.module_graphs import with_range
from pytest_infer.session.opened_eager import OpenedEager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case, Precision
    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.case_graphs import CaseGraphs
    from pytest_infer.session.identities import Identities
    from pytest_infer.session.models import Models
    from pytest_infer.storage.cache import Cache


class Eager:
    """Runs eager mode in its host, unless the cache has the outputs."""

    def __init__(
        self,
        cache: Cache,
        hosts: HostPool,
        *,
        inputs: Models,
        graphs: CaseGraphs,
        identities: Identities,
    ) -> None:
        self._cache = cache
        self._hosts = hosts
        self._inputs = inputs
        self._graphs = graphs
        self._identities = identities
        self._opened = OpenedEager(hosts)
        self._kept = Kept()

    def rival(self, case: Case, precision: Precision) -> Case:
        """Return eager mode's case beside ``case``: on its device, or else on a CPU elsewhere."""
        return replace(
            case, engine=EAGER, precision=precision, device=self._device(case), options=()
        )

    def replay(self, case: Case) -> Case | None:
        """Return eager mode's case beside ``case`` as a CUDA graph; None where it runs on a CPU."""
        rival = self.rival(case, "fp32")
        return replace(rival, options=((OPTION, True),)) if _is_gpu(rival) else None

    def reference(self, case: Case, precision: Precision, start: int = 0) -> Arrays:
        """Return eager mode's outputs for the photographs from ``start`` on, at ``precision``.

        Where an engine is built from pruned weights, eager mode runs with them too. What the first
        photographs give is kept; the rest is read from the cache each time.
        """
        is_pruned = self._graphs.request(case).is_pruned
        key = (case.model, case.batch, precision, case.device, is_pruned, start)

        def folder() -> Path:
            return self._reference(case, precision, start)

        def read() -> Arrays:
            return read_arrays(self._kept.once(("reference", *key), folder))

        return read() if start else self._kept.once(("outputs", *key), read)

    @contextmanager
    def exact(self, case: Case, model: str) -> Iterator[Callable[[Arrays], Arrays]]:
        """Give a function that runs ``model`` in fp32, unpruned, where ``case`` has eager mode."""
        rival = self.rival(replace(case, model=model), "fp32")
        graph = self._graphs.module(model, is_pruned=False)
        built = BuiltEngine(EAGER, graph, build_request(rival), folder="")
        with self._opened.kept():
            yield lambda feeds: self._opened.outputs(built, feeds, f"run {model} in fp32")

    def series(self) -> AbstractContextManager[None]:
        """Let eager mode stay open while the references of several batches are made."""
        return self._opened.kept()

    def repeats(self, case: Case) -> Sequence[Arrays]:
        """Return eager's outputs in fp32 for the inputs of ``case``, three times, as it runs now.

        Twice of one module, with other inputs in between, then of another one, and never from the
        cache. So what a module keeps from an earlier call is seen.
        """
        is_pruned = self._graphs.request(case).is_pruned
        key = ("repeats", case.model, case.batch, case.device, is_pruned)
        return self._kept.once(key, lambda: self._repeats(case))

    def profiled(self, case: Case, precision: Precision) -> BuiltEngine:
        """Return eager mode for every shape of the model's profile, pruned if ``case`` is."""
        is_pruned = self._graphs.request(case).is_pruned
        graph = self._graphs.wide_module(case.model, is_pruned=is_pruned)
        return BuiltEngine(EAGER, graph, self._request(case, precision), folder="")

    def _device(self, case: Case) -> str:
        if self._hosts.place(EAGER).machine == self._hosts.place(case.engine).machine:
            return case.device
        return self._kept.once(
            ("device", case.device), lambda: "cpu" if self._lacks(case.device) else case.device
        )

    def _lacks(self, device: str) -> bool:
        client = EngineClient(self._hosts.shared(EAGER))
        lack = client.missing(engine=EAGER, device=device, doing=f"ask for {device}")
        return lack is not None

    def _repeats(self, case: Case) -> list[Arrays]:
        built = self._built(case, "fp32")
        feeds = self._inputs.feeds(case.model, case.batch)
        others = self._inputs.feeds(case.model, case.batch, 1)
        outputs: list[Arrays] = []
        for calls in ((feeds, others, feeds), (feeds,)):
            opened = OpenedEager(self._hosts)
            with opened.kept():
                found = [opened.outputs(built, each, f"run {case.model} again") for each in calls]
            outputs += found[::2]
        return outputs

    def _built(self, case: Case, precision: Precision) -> BuiltEngine:
        """Return eager mode at ``precision``, pruned if ``case`` is."""
        is_pruned = self._graphs.request(case).is_pruned
        graph = self._graphs.module(case.model, is_pruned=is_pruned)
        return BuiltEngine(EAGER, graph, self._request(case, precision), folder="")

    def _request(self, case: Case, precision: Precision) -> BuildRequest:
        request = build_request(self.rival(case, precision))
        return replace(request, options={**request.options, AS_NOISE: True})

    def _reference(self, case: Case, precision: Precision, start: int) -> Path:
        feeds = self._inputs.feeds(case.model, case.batch, start)
        built = self._built(case, precision)
        key = {
            "graph": built.graph.digest,
            "feeds": digest_of_arrays(feeds),
            "precision": precision,
            "device": self._identities.device(EAGER, self._device(case)),
            "adapter": self._identities.adapter(EAGER),
        }

        def make(folder: Path) -> dict[str, Any]:
            doing = f"compute {case.model}'s reference in {precision}"
            try:
                outputs = self._opened.outputs(built, feeds, doing)
            except RunError as error:
                raise with_range(error, models.find(case.model)) from error
            write_arrays(folder, outputs)
            return {}

        return self._cache.entry("references", key, make).folder


def _is_gpu(case: Case) -> bool:
    return Device.named(case.device).is_gpu
