"""ONNX's own node tests, each as a model that engines are built from and judged on.

    python benchmarks/onnx_node_tests.py ort openvino --list

Each file is read as a user's would be, its reference is computed in fp64 and fp32, the engine is
built, opened and fed the test's own inputs, and its outputs are judged with the derived tolerance.
An engine that ends the process is counted, and the next test gets a new one.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx_references

OUTCOMES = (
    "agrees", "differs", "crashed", "not built", "not run", "proves nothing", "no reference",
    "no model",
)  # fmt: skip
"""no model: the file takes or gives what no spec has, a sequence or a string say."""


def main() -> None:
    """Print how many tests had each outcome, and with ``--list`` what was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="+")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="", help="a part of the tests' names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for engine in options.engines:
        counts: Counter[str] = Counter()
        for name, outcome, why in _outcomes(engine, options.only):
            counts[outcome] += 1
            if options.list and outcome != "agrees":
                print(f"  {engine} {name}: {outcome}: {why}", flush=True)
        told = ", ".join(f"{counts[each]} {each}" for each in OUTCOMES)
        print(f"{engine}: {counts.total()} tests: {told}", flush=True)


def _outcomes(engine: str, only: str) -> Any:
    pool = ProcessPoolExecutor(1)
    for case in onnx_references.node_tests(only):
        names = [value.name for value in case.model.graph.input]
        inputs, _ = case.data_sets[0]
        feeds = dict(zip(names, map(onnx_references._value, inputs), strict=False))
        try:
            found = pool.submit(_outcome, engine, case.model.SerializeToString(), feeds).result()
        except BrokenProcessPool:
            found = "crashed", "the process ended"
            pool = ProcessPoolExecutor(1)
        yield case.name, *found
    pool.shutdown()


def _outcome(engine: str, content: bytes, feeds: dict[str, Any]) -> tuple[str, str]:
    """Return what became of one test, and why."""
    from pytest_infer.errors import InferError
    from pytest_infer.judges.parity import judge_outputs
    from pytest_infer.models.onnx_file.evaluator import OnnxEvaluator

    with TemporaryDirectory() as folder, redirect_stderr(StringIO()):
        path = Path(folder, "node.onnx")
        path.write_bytes(content)
        try:
            spec = _spec(path, feeds)
        except InferError as error:
            return "no model", error.why
        precision: Any = spec.onnx.precision or "fp32"
        if precision in {"bf16", "fp64"}:
            return "no model", f"it is in {precision}, which neither engine runs"
        try:
            truth = OnnxEvaluator(path, "fp64")(feeds)
            eager = OnnxEvaluator(path, precision if precision == "fp16" else "fp32")(feeds)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no reference
            return "no reference", _first(error)
        outputs = _run(engine, path, spec, feeds, precision)
        if isinstance(outputs, tuple):
            return outputs
        arrays = [
            {name: np.asarray(value) for name, value in each.items()}
            for each in (outputs, truth, eager)
        ]
        verdict = judge_outputs(*arrays, precision=precision)
        if verdict.status == "pass":
            return "agrees", ""
        kind = "proves nothing" if verdict.code == "vacuous" else "differs"
        return kind, f"{verdict.code}: {' '.join(verdict.message.split())[:300]}"


def _run(engine: str, path: Path, spec: Any, feeds: dict[str, Any], precision: Any) -> Any:
    """Return the engine's outputs, or how far it came."""
    from pytest_infer.engines import registry as engines
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
    from pytest_infer.graphs.graph import Graph, GraphRequest

    adapter = engines.find(engine)
    settings = {name: option.default for name, option in adapter.options.items()}
    shapes = {name: np.shape(value) for name, value in feeds.items()}
    # OpenVINO takes a hint of what it computes in, and has none for fp16 on a CPU
    wanted = precision if precision == "int8" else "fp32"
    request = BuildRequest(wanted, "cpu", shapes, settings)
    graph = Graph(spec, str(path), "digest", GraphRequest("onnx", opset=spec.onnx.opset))
    with TemporaryDirectory() as folder:
        try:
            adapter.build(graph, request, Path(folder))
            opened = adapter.open(BuiltEngine(engine, graph, request, folder))
            runner = opened.__enter__()
        except Exception as error:  # noqa: BLE001 - an engine that cannot build is an outcome
            return "not built", _first(error)
        try:
            return runner.infer(feeds)
        except Exception as error:  # noqa: BLE001 - the same
            return "not run", _first(error)
        finally:
            opened.__exit__(None, None, None)


def _spec(path: Path, feeds: dict[str, Any]) -> Any:
    from pytest_infer.errors import ModelError
    from pytest_infer.models.declaration import check_declaration, dims_of
    from pytest_infer.models.onnx_file.signature import read_signature
    from pytest_infer.models.source import Source
    from pytest_infer.models.spec import ModelSpec

    if not feeds or not all(isinstance(value, np.ndarray) for value in feeds.values()):
        raise ModelError("no feeds", why="it takes no tensor", mend="none")
    found = read_signature(path)
    spec = ModelSpec(
        name="node",
        task="tensor",
        inputs=found.inputs,
        outputs=found.outputs,
        source=Source(file=str(path)),
        dims=dims_of(found.inputs, {}, found.dims),
        brings_weights=True,
        onnx=found.facts,
    )
    check_declaration(spec)
    return spec


def _first(error: Exception) -> str:
    why = getattr(error, "why", str(error))
    return f"{type(error).__name__}: {' '.join(str(why).split())[:220]}"


if __name__ == "__main__":
    sys.exit(main())
