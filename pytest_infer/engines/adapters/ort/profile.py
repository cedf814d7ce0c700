"""ONNX Runtime's own profile of a session, by node."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.adapters.ort.layers import origins, short_place
from pytest_infer.engines.adapters.ort.session import (
    FILE,
    new_session,
    providers_for,
    session_options,
)
from pytest_infer.engines.protocol import LayerTime, LayerTimes
from pytest_infer.errors import TimingError
from pytest_infer.graphs.onnx_precision import operator_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_infer.engines.protocol import BuiltEngine

BY = "ONNX Runtime's profile (enable_profiling)"

PREFIX = "profile"
"""How the files begin that ONNX Runtime writes."""

SUFFIX = "_kernel_time"
"""Ends the names of events that are the work of a node."""

FLOATING = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "double": "fp64"}

NS_PER_US = 1000


def profiled(
    built: BuiltEngine,
    bind: Callable[[Any], Callable[[], object]],
    *,
    warmup: int,
    calls: int,
) -> LayerTimes:
    """Return what each node takes on the CPU, in a session that writes its profile.

    ``bind`` returns a call of a session. The profile's clock counts microseconds.
    """
    path = built.path(FILE)
    with TemporaryDirectory() as folder:
        options = session_options(built.request, level="none")
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, PREFIX))
        try:
            session = new_session(path, options, providers_for(built.request, built.path("")))
            call = bind(session)
            for _ in range(warmup + calls):
                call()
            text = Path(session.end_profiling()).read_text(encoding="utf-8", errors="replace")
            events = json.loads(text, strict=False)
        except Exception as error:
            raise TimingError(
                f"cannot profile {path}", why=str(error), mend="leave out --infer-profile"
            ) from error
    return layer_times(events, warmup=warmup, calls=calls)


def layer_times(events: Iterable[Mapping[str, Any]], *, warmup: int, calls: int) -> LayerTimes:
    """Return the durations of each node in each of ``calls``, which come after ``warmup`` others.

    A node has an event per call, in their order; one within a loop has several, which are added.
    """
    found: dict[tuple[str, str], list[int]] = {}
    about: dict[tuple[str, str], Mapping[str, Any]] = {}
    for event in events:
        name, args = str(event.get("name", "")), event.get("args", {})
        if event.get("cat") == "Node" and name.endswith(SUFFIX):
            key = (name.removesuffix(SUFFIX), str(args.get("node_index", "")))
            found.setdefault(key, []).append(int(event["dur"]) * NS_PER_US)
            about.setdefault(key, args)
    return LayerTimes(
        BY,
        tuple(
            _layer_time(name or f"node {index}", _per_call(own, warmup, calls), about[name, index])
            for (name, index), own in found.items()
        ),
    )


def _per_call(durations_ns: list[int], warmup: int, calls: int) -> list[int]:
    times = max(1, len(durations_ns) // (warmup + calls))
    parts = [durations_ns[n : n + times] for n in range(0, len(durations_ns), times)]
    return [sum(part) for part in parts[warmup : warmup + calls]]


def _layer_time(name: str, durations: list[int], about: Mapping[str, Any]) -> LayerTime:
    operator = str(about.get("op_name", ""))
    kinds = [kind for each in about.get("input_type_shape", ()) for kind in each]
    floating = next((FLOATING[kind] for kind in kinds if kind in FLOATING), "")
    return LayerTime(
        name,
        operator,
        tuple(durations),
        short_place(str(about.get("provider", ""))),
        operator_precision(operator, floating),
        origins(name),
    )
