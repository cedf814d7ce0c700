"""Run what Inductor has compiled, however it was stored, and prove how it was compiled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.device import Device
from pytest_infer.engines.cuda_graph import tensors_of
from pytest_infer.engines.exported_program import DYNAMIC_BATCH, batch_axes, batch_bounds, batch_of
from pytest_infer.engines.feed_check import check_feed
from pytest_infer.engines.torch_runner import TorchRunner, arithmetic, examples
from pytest_infer.errors import RunError
from pytest_infer.models.spec import BATCH

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import OptionValue
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Evidence

MODES = {"default": "default", "max-autotune": "max-autotune-no-cudagraphs"}
"""Inductor's name of each mode.

Its other ones differ in CUDA graphs alone, which the engine leaves to `CudaGraph`, or compile
next to nothing (``lite``).
"""

ARTEFACTS = ("auto", "package", "program")


@dataclass(frozen=True)
class Compiled:
    """A compiled call, and what is known of how it was compiled."""

    artefact: str
    """What it was opened from, one of `ARTEFACTS`."""
    call: Callable[..., Any]
    """Takes the inputs as tensors, in the spec's order."""
    weight_dtypes: Collection[str]
    """torch's names of the weights' floating types."""
    facts: Mapping[str, Any]
    """What `compilation_facts` reported, and more."""


def artefact_of(request: BuildRequest) -> str:
    """Return what is built for a request."""
    asked = str(request.options["artefact"])
    return default_artefact(request.device) if asked == "auto" else asked


def default_artefact(device: str) -> str:
    """Return what ``auto`` means: a package on a CPU, a program on a GPU."""
    return "program" if Device.named(device).is_gpu else "package"


def mode_options(request: BuildRequest) -> dict[str, Any]:
    """Return Inductor's settings of the request's mode."""
    import torch

    mode = MODES[str(request.options["mode"])]
    return dict(torch._inductor.list_mode_options(mode))  # noqa: SLF001 - its documented name


def compilation_facts() -> dict[str, Any]:
    """Return what Dynamo and Inductor have counted, and the flags under which they compiled."""
    import torch
    from torch._dynamo.utils import counters

    tuned = ("select_algorithm_autotune", "coordesc_tuning_bench")
    backends = torch.backends
    return {
        "graphs": counters["stats"]["unique_graphs"],
        "graph_breaks": sum(counters["graph_break"].values()),
        "autotuned": sum(counters["inductor"][name] for name in tuned),
        "allows_tf32": backends.cuda.matmul.allow_tf32 and backends.cudnn.allow_tf32,
    }


class CompileRunner(TorchRunner):
    """A compiled call on named arrays, in the shapes for which it was compiled."""

    def __init__(self, compiled: Compiled, built: BuiltEngine) -> None:
        self._compiled = compiled
        super().__init__(compiled.call, built, compiled.weight_dtypes)

    def evidence(self) -> Evidence:
        """Return a torch module's evidence, and what was counted when it was compiled."""
        found, facts = super().evidence(), self._compiled.facts
        return replace(
            found,
            precision=_precision(found.precision, allowed_tf32=facts["allows_tf32"]),
            proven={
                **found.proven,
                "artefact": self._artefact(),
                "mode": "max-autotune" if facts["autotuned"] else "default",
                **self._dynamic_batch(),
            },
            details={**found.details, "artefact": self._compiled.artefact, **facts},
        )

    def _artefact(self) -> str:
        """Return the setting that is in force; ``auto`` is if it means what was opened."""
        request, opened = self._built.request, self._compiled.artefact
        return str(request.options["artefact"]) if artefact_of(request) == opened else opened

    def _inputs(self, feeds: Arrays) -> list[Tensor]:
        """Refuse feeds of other shapes: neither artefact would look at each of them."""
        spec, request = self._built.graph.spec, self._built.request
        bounds = spec.bounds() if request.options[DYNAMIC_BATCH] else {}
        for name in spec.inputs:
            check_feed(name, feeds, *bounds.get(name, (tuple(request.shapes[name]),)))
        sizes = {
            feeds[name].shape[axis] for name, axes in batch_axes(spec).items() for axis in axes
        }
        if len(sizes) > 1:
            raise RunError(
                f"cannot feed {spec.name}",
                why=f"its inputs have batches of {', '.join(map(str, sorted(sizes)))}",
                mend="feed the same batch to every input",
            )
        # A package reads memory as if it were laid out like the example it was compiled with.
        return [value.contiguous() for value in super()._inputs(feeds)]

    def _dynamic_batch(self) -> dict[str, OptionValue]:
        """Return whether one row more in gives one row more out.

        A package for one shape ignores that row, a program refuses it. A larger batch than the
        spec allows is not tried.
        """
        spec, request = self._built.graph.spec, self._built.request
        batch = batch_of(spec, request)
        if batch is None or batch >= batch_bounds(spec).max:
            return {}
        larger = replace(request, shapes=spec.input_shapes(batch + 1))
        with arithmetic(request.precision):
            try:
                outputs = tensors_of(self._module(*examples(self._built.graph, larger)))
            except (RuntimeError, RunError):
                return {DYNAMIC_BATCH: False}
        rows = [
            value.shape[tensor.shape.index(BATCH)]
            for value, tensor in zip(outputs, spec.outputs.values(), strict=True)
            if BATCH in tensor.shape
        ]
        return {DYNAMIC_BATCH: set(rows) == {batch + 1}}


def _precision(ran: str, *, allowed_tf32: bool) -> str:
    """Return what ran, unless it was compiled for another arithmetic of the same type."""
    compiled = "tf32" if allowed_tf32 else "fp32"
    if ran in {"fp32", "tf32"} and ran != compiled:
        return f"compiled for {compiled}, run as {ran}"
    return ran
