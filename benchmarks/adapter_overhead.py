"""How much an adapter's call costs over the library's own, in one process on one built engine.

    python benchmarks/adapter_overhead.py --engine=trt --precision=fp16 --device=cuda:0

For each engine a case is built (or found in the cache), opened once, and its bound call is timed
in turns with the library's own call on the same objects: 20 blocks of each, in random order. The
figure is the median of the blocks' medians; overhead is adapter over library, less one.

On a GPU both are timed by CUDA events. ONNX Runtime's own call waits for the GPU, which events
would count as its own: it and the adapter's are timed by the host's clock, until the GPU has ended.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_infer import Case
from pytest_infer.config import InferConfig
from pytest_infer.engines import registry as engines
from pytest_infer.engines.setting import read_options
from pytest_infer.engines.torch_runner import arithmetic
from pytest_infer.session.session import InferSession
from pytest_infer.timing.clock import clock_for

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCKS, CALLS, WARM_UP = 20, 30, 20


def torch_call(runner: Any, feeds: Any) -> Callable[[], object]:
    """Return the module's own call, or the captured graph's replay."""
    if runner._graph is not None:
        return runner._graph._graph.replay
    return partial(runner._module, *runner._inputs(feeds))


def ort_call(runner: Any, feeds: Any) -> Callable[[], object]:
    """Return the session's own call."""
    session = runner._session
    if not hasattr(runner, "_upload"):
        names = [output.name for output in session.get_outputs()]
        return lambda: session.run(names, dict(feeds))
    binding = runner._upload(feeds).binding
    return lambda: session.run_with_iobinding(binding)


def trt_call(runner: Any, feeds: Any) -> Callable[[], object]:
    """Return the context's own call on torch's current stream, or the captured graph's replay."""
    import torch

    runner.bind(feeds)
    if runner._replays:
        return runner._capture().graph.replay
    context = runner._context
    return lambda: context.execute_async_v3(torch.cuda.current_stream().cuda_stream)


def openvino_call(runner: Any, feeds: Any) -> Callable[[], object]:
    """Return the request's own call."""
    runner.bind(feeds)
    return runner._request.infer


LIBRARY = {
    "eager": torch_call,
    "torchscript": torch_call,
    "compile": torch_call,
    "ort": ort_call,
    "trt": trt_call,
    "openvino": openvino_call,
}


def main() -> None:
    """Print a row per engine."""
    options = _options()
    session = InferSession(InferConfig(device=options.device, cache=options.cache, hosts=_hosts()))
    print(f"{'case':40} {'library us':>11} {'adapter us':>11} {'overhead':>9}")
    try:
        for engine in options.engine.split(","):
            _row(session, engine, options)
    finally:
        session.close()


def _row(session: InferSession, engine: str, options: argparse.Namespace) -> None:
    texts = dict(text.split("=") for text in options.option)
    settings = read_options(engines.find(engine).options, engine, texts)
    case = Case(
        options.model, engine, options.precision, 1, options.device, tuple(settings.items())
    )
    built = session.artefacts.engines.of(case)
    feeds = session.artefacts.models.feeds(case.model, 1)
    with arithmetic(case.precision), engines.find(engine).open(built) as runner:
        calls = {"adapter": runner.bind(feeds), "library": LIBRARY[engine](runner, feeds)}
        durations: dict[str, list[float]] = {name: [] for name in calls}
        clock = clock_for(options.device)
        order = Random(0)
        for call in calls.values():
            clock(call, WARM_UP)
        for _ in range(BLOCKS):
            for name in order.sample(list(calls), len(calls)):
                found = clock(calls[name], CALLS)
                timed = found["monotonic"] if engine == "ort" else next(iter(found.values()))
                durations[name].append(median(timed) / 1000)
    library, adapter = median(durations["library"]), median(durations["adapter"])
    print(f"{case.id:40} {library:11.1f} {adapter:11.1f} {adapter / library - 1:9.2%}", flush=True)


def _hosts() -> dict[str, str]:
    """Return hosts in this process: both calls must meet the same objects."""
    return dict.fromkeys(engines.registered(), "inline")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__)
    parser.add_argument("--engine", default="eager,torchscript,ort")
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--cache", type=Path, default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
