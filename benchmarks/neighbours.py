"""How long replays of a CUDA graph take by who else has a context on the GPU, and does nothing.

    python benchmarks/neighbours.py --device=cuda:0
    python benchmarks/neighbours.py --device=cuda:0 --engine=torchscript --option=cuda_graph=true

The first command replays a graph of 200 short kernels, in fresh processes beside an idle neighbour
of each kind. With an engine a model is measured in each way that this package has: alone, in turns
with eager mode, and as the gate does, without and with a neighbour.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pytest_infer import Case, EngineUnderTest
from pytest_infer.config import InferConfig
from pytest_infer.engines import registry as engines
from pytest_infer.engines.setting import read_options
from pytest_infer.session.gate_timer import reference_case
from pytest_infer.session.session import InferSession
from pytest_infer.timing.clock import time_on_gpu

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer import Arrays

KERNELS, CALLS = 200, 100
NEIGHBOURS = ("nobody", "context", "memory", "torch", "nobody")
"""What a neighbour has: a context; 4 KiB beside it; what torch loads for a first kernel."""

MEMORY_BYTES = 4096

WAYS = ("alone", "empty host", "before eager", "after eager", "gate")
"""Alone, beside a host that has opened nothing, in turns with eager, and in the gate's process."""


def main() -> None:
    """Print a row per neighbour, or per way to measure."""
    options = _options()
    if options.be:
        _be(options.be, options.device)
    elif options.replay:
        print(_replay_us(options.device))
    elif options.engine:
        _measure(options)
    else:
        for kind in NEIGHBOURS:
            with _neighbour(kind, options.device):
                durations = [_fresh_replay_us(options.device) for _ in range(options.processes)]
            print(f"{kind:8}", *(f"{us:7.1f} us" for us in durations), flush=True)


def _be(kind: str, device: str) -> None:
    """Take what a neighbour of this kind has, say so, and wait for the end of the input."""
    if kind == "torch":
        import torch

        torch.zeros(1, device=device).add_(1)
        torch.cuda.synchronize(device)
    else:
        driver = ctypes.CDLL("libcuda.so.1")
        context, memory = ctypes.c_void_p(), ctypes.c_uint64()
        index = int(device.partition(":")[2] or 0)
        codes = [driver.cuInit(0), driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), index)]
        if kind == "memory":
            size = ctypes.c_size_t(MEMORY_BYTES)
            codes += [
                driver.cuCtxPushCurrent_v2(context),
                driver.cuMemAlloc_v2(ctypes.byref(memory), size),
            ]
        if any(codes):
            raise SystemExit(f"the driver refused: {codes}")
    print("ready", flush=True)
    sys.stdin.read()


@contextmanager
def _neighbour(kind: str, device: str) -> Iterator[None]:
    """Keep a neighbour meanwhile."""
    if kind == "nobody":
        yield
        return
    command = [sys.executable, __file__, f"--device={device}", f"--be={kind}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if not (process.stdin and process.stdout and process.stdout.readline() == b"ready\n"):
            raise SystemExit(f"the neighbour {kind!r} did not start")
        yield


def _fresh_replay_us(device: str) -> float:
    command = [sys.executable, __file__, f"--device={device}", "--replay"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _replay_us(device: str) -> float:
    """Return the median duration of a replay in this process."""
    import torch

    numbers = torch.zeros(64, device=device)
    graph = torch.cuda.CUDAGraph()
    numbers.add_(1)
    with torch.cuda.device(device), torch.cuda.graph(graph):
        for _ in range(KERNELS):
            numbers.add_(1)
    time_on_gpu(device, graph.replay, CALLS)
    return median(time_on_gpu(device, graph.replay, CALLS)["cuda-event"]) / 1000


def _measure(options: argparse.Namespace) -> None:
    """Print the median of a case in ms by each way, beside nobody and beside a neighbour."""
    hosts = dict(each.split("=", 1) for each in options.host)
    session = InferSession(InferConfig(device=options.device, cache=options.cache, hosts=hosts))

    def under_test(engine: str, texts: list[str]) -> EngineUnderTest:
        named = dict(text.split("=", 1) for text in texts)
        settings = tuple(read_options(engines.find(engine).options, engine, named).items())
        case = Case(options.model, engine, options.precision, 1, options.device, settings)
        return EngineUnderTest(case, session.artefacts.engines.of(case), session.hosts)

    try:
        engine, eager = under_test(options.engine, options.option), under_test("eager", [])
        feeds = session.artefacts.models.feeds(options.model, 1)
        session.artefacts.engines.of(reference_case(engine.case))
        session.hosts.close()  # what has built has a context, too
        print(f"{engine.case.id}\n{'':8}", *(f"{way:>13}" for way in WAYS))
        for kind in ("nobody", "context"):
            with _neighbour(kind, options.device):
                row = _ways_ms(session, engine, eager, feeds)
            print(f"{kind:8}", *(f"{ms:13.4f}" for ms in row), flush=True)
    finally:
        session.close()


def _ways_ms(
    session: InferSession, engine: EngineUnderTest, eager: EngineUnderTest, feeds: Arrays
) -> list[float]:
    """Return the engine's median by each of `WAYS`."""
    timer = session.timer
    alone = timer(engine, feeds)
    with session.hosts.fresh(eager.case.engine):
        beside_a_host = timer(engine, feeds)
    first, _ = timer.interleaved([engine, eager], feeds)
    _, last = timer.interleaved([eager, engine], feeds)
    timed = [each.percentile_ms(50) for each in (alone, beside_a_host, first, last)]
    return [*timed, session.gate_timer(engine, feeds).engine_ms]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--processes", type=int, default=3, help="fresh ones beside each neighbour")
    parser.add_argument("--engine", default="")
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--precision", default="fp16")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--host", action="append", default=[], help="ENGINE=SPEC")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--be", default="", help=argparse.SUPPRESS)
    parser.add_argument("--replay", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
