"""What an engine is asked to build for a case, and which settings a request cannot have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuildRequest, Missing, TakesShapes
from pytest_infer.errors import BuildError
from pytest_infer.models import registry as models
from pytest_infer.models.spec import BATCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.case import Case
    from pytest_infer.engines.setting import EngineOption
    from pytest_infer.graphs.graph import GraphFormat


def build_request(case: Case) -> BuildRequest:
    """Return what the built engine of ``case`` must be able to do."""
    defaults = {name: option.default for name, option in engines.find(case.engine).options.items()}
    shapes = models.find(case.model).spec.input_shapes(case.batch)
    return BuildRequest(case.precision, case.device, shapes, {**defaults, **dict(case.options)})


def profile_request(case: Case) -> BuildRequest | Missing:
    """Return what an engine for every shape of a model's profile must be able to do.

    Shapes are the optimum. For an engine that is built for one shape at a time, return why.
    """
    request, engine = build_request(case), engines.find(case.engine)
    if not isinstance(engine, TakesShapes):
        return Missing(f"{case.engine} builds for one shape", "choose an engine that takes several")
    options = engine.profile_options(request.options)
    if isinstance(options, Missing):
        return options
    spec = models.find(case.model).spec.widened()
    batch = spec.dims[BATCH].opt if BATCH in spec.dims else 1
    return replace(request, shapes=spec.input_shapes(batch), options=options)


def shape_request(case: Case, sizes: Mapping[str, int]) -> BuildRequest:
    """Return what an engine for one shape of a model's profile must be able to do."""
    inputs = models.find(case.model).spec.widened().inputs
    shapes = {name: tensor.resolved(sizes) for name, tensor in inputs.items()}
    return replace(build_request(case), shapes=shapes)


def graph_format(case: Case) -> GraphFormat:
    """Return what the engine of ``case`` is built from, which no library's version decides."""
    return engines.find(case.engine).graph_request(build_request(case)).format


def refuse_gpu_settings(
    options: Mapping[str, EngineOption], engine: str, request: BuildRequest
) -> None:
    """Raise `BuildError` if ``request`` asks for a CPU and for what only a GPU does."""
    if Device.named(request.device).is_gpu:
        return
    for name, option in options.items():
        value = request.options.get(name, option.default)
        if option.gpu_only and value != option.default:
            text = str(value).lower()
            raise BuildError(
                f"cannot build for {engine} with {name}={text}",
                why=f"the device is {request.device}, and {name} is for a GPU",
                mend=f"--infer-device=cuda, or leave out --infer-option={engine}.{name}={text}",
            )


def with_threads(
    request: BuildRequest, options: Mapping[str, EngineOption], threads: int
) -> BuildRequest:
    """Return ``request`` for ``threads`` threads per inference, where ``options`` can say so.

    An engine without such a setting takes its threads from the environment, or has none.
    """
    counts = {name: threads for name, option in options.items() if option.counts_threads}
    return replace(request, options={**request.options, **counts})
