"""A table of latencies on a GPU: by CUDA events around each call, and by CUDA-graph replay.

    python benchmarks/latency_table.py --engine=eager,torchscript,trt --precision=fp32,fp16 \
        --host=trt=popen//python=/opt/trt8/bin/python --option=trt.optimization_level=3

Each engine's cases are built (or found in the cache), opened in one host, warmed up for half a
second and called 200 times on feeds that are resident on the GPU; the figure is the median. What
cannot be built, opened or captured is a row with the reason. An engine without the option
``cuda_graph`` (``eager``, ``tvm``) has an empty column.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_infer import Case, InferError
from pytest_infer.config import InferConfig
from pytest_infer.engines import registry as engines
from pytest_infer.engines.setting import read_options
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.session.session import InferSession

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = "resnet50,mobilenet_v2,efficientnet_b0,detr_resnet50"
GRAPH = "cuda_graph"
WARM_UP_NS, CALLS = 500_000_000, 200


def parse() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engine", required=True, help="names, separated by commas")
    parser.add_argument("--model", default=MODELS)
    parser.add_argument("--precision", default="fp32,fp16")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--host", action="append", default=[], help="ENGINE=SPEC")
    parser.add_argument("--option", action="append", default=[], help="ENGINE.NAME=VALUE")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=None, help="append a line of JSON per row")
    return parser.parse_args()


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Give every case that its engine can run in principle."""
    texts: dict[str, dict[str, str]] = {}
    for each in options.option:
        name, _, value = each.partition("=")
        engine, _, option = name.partition(".")
        texts.setdefault(engine, {})[option] = value
    kind = options.device.partition(":")[0]
    for engine in options.engine.split(","):
        adapter = engines.find(engine)
        named = read_options(adapter.options, engine, texts.get(engine, {}))
        for model in options.model.split(","):
            for precision in options.precision.split(","):
                if precision in adapter.precisions[kind]:
                    settings = tuple(named.items())
                    yield Case(model, engine, precision, 1, options.device, settings)


def timed(session: InferSession, case: Case) -> float:
    """Return the median duration of a call in ms."""
    client = EngineClient(session.hosts.shared(case.engine))
    doing = f"time {case.id}"
    runner = client.open(built=session.artefacts.engines.of(case), doing=doing)
    try:
        feeds = session.artefacts.models.feeds(case.model, case.batch)
        client.bind(runner=runner, feeds=feeds, doing=doing)

        def durations(calls: int) -> list[int]:
            found = client.time(runner=runner, calls=calls, doing=doing)
            return next(iter(found.values()))

        spent = 0
        while spent < WARM_UP_NS:
            spent += sum(durations(10))
        return median(durations(CALLS)) / 1e6
    finally:
        if client.host.is_alive:
            client.close(runner=runner, doing=doing)


def figure(session: InferSession, case: Case) -> float | str:
    """Return the median in ms, or why there is none."""
    try:
        return timed(session, case)
    except InferError as error:
        return f"{error.what}: {error.why}".splitlines()[0]


def row(session: InferSession, case: Case) -> dict[str, Any]:
    """Return both figures of a case."""
    plain = {name: value for name, value in case.options if name != GRAPH}
    events = figure(session, replace(case, options=tuple(sorted(plain.items()))))
    replayed: float | str = ""
    if GRAPH in engines.find(case.engine).options:
        graphed = tuple(sorted((plain | {GRAPH: True}).items()))
        replayed = figure(session, replace(case, options=graphed))
    return {"case": case.id, "events_ms": events, "replay_ms": replayed}


def shown(value: float | str) -> str:
    """Return a cell of the table."""
    return f"{value:.4f}" if isinstance(value, float) else value[:90]


def main() -> None:
    """Print a row as soon as it is known."""
    options = parse()
    hosts = dict(each.split("=", 1) for each in options.host)
    config = InferConfig(device=options.device, cache=options.cache, hosts=hosts, timeout_s=300)
    session = InferSession(config)
    print("| case | events ms | replay ms |\n|---|---|---|")
    try:
        for case in cases(options):
            found = row(session, case)
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(found) + "\n")
            cells = found["case"], shown(found["events_ms"]), shown(found["replay_ms"])
            print(f"| {' | '.join(cells)} |", flush=True)
    finally:
        session.close()


if __name__ == "__main__":
    main()
