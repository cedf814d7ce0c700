"""Which evaluator of ONNX files is right: each on the node tests of ONNX's own backend suite.

    python benchmarks/onnx_references.py own onnx extended torch onnx2torch onnx2pytorch

The last four are installed by ``pip install onnx-diagnostic onnx2torch onnx2pytorch``. For each
evaluator the table says of how many tests it gives the expected outputs in fp32, and of how many it
does so with every fraction in fp64. Nothing here is imported by the package.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

from pytest_infer.models.onnx_file.evaluator import OnnxEvaluator
from pytest_infer.models.onnx_file.floats import retype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_infer.case import Precision

    Run = Callable[[Path, dict[str, Any], Precision], list[Any]]

KINDS = {"fp32": "FLOAT", "fp64": "DOUBLE"}

LEAST = {"float16": 2e-3, "bfloat16": 2e-2}
"""The tolerance of outputs whose expected values were rounded to few bits."""

RANDOM = ("bernoulli", "training_dropout")
"""Parts of the names of tests whose outputs are drawn."""


def main() -> None:
    """Print a line per evaluator and precision, and with ``--list`` every test that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evaluators", nargs="+", choices=sorted(RUNS))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="", help="a part of the tests' names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("evaluator     precision   right   wrong   raised   of   CPU s")
    for name in options.evaluators:
        for precision in KINDS:
            _table(name, precision, options)


def _table(name: str, precision: Any, options: argparse.Namespace) -> None:
    counts: Counter[str] = Counter()
    began = process_time()
    for case in node_tests(options.only):
        outcome, why = _outcome(RUNS[name], case, precision)
        counts[outcome] += 1
        if options.list and outcome != "right":
            print(f"  {precision} {case.name}: {outcome} {why}", flush=True)
    figures = "".join(f"{counts[each]:8}" for each in ("right", "wrong", "raised"))
    total, took = counts.total(), process_time() - began
    print(f"{name:13} {precision:9}{figures}  {total:5}{took:10.0f}", flush=True)


def node_tests(only: str = "") -> Iterator[Any]:
    """Yield ONNX's node tests without those of training and the expanded twins of functions.

    Their twins compute the same by other operators, each of which has tests of its own.
    """
    from onnx.backend.test.loader import load_model_tests

    for case in load_model_tests(kind="node"):
        domains = {each.domain for each in case.model.opset_import}
        is_drawn = any(each in case.name for each in RANDOM)
        if "expanded" in case.name or is_drawn or any("training" in each for each in domains):
            continue
        if only in case.name:
            yield case


def _outcome(run: Run, case: Any, precision: Precision) -> tuple[str, str]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        onnx.save(case.model, path)
        for inputs, expected in case.data_sets:
            names = [value.name for value in case.model.graph.input]
            feeds = dict(zip(names, map(_value, inputs), strict=False))
            try:
                found = run(path, feeds, precision)
            except Exception as error:  # noqa: BLE001 - whatever an evaluator raises is counted
                return "raised", f"{type(error).__name__}: {str(error)[:150]!r}"
            if flaw := _difference(found, list(map(_value, expected)), case):
                return "wrong", flaw
    return "right", ""


def _value(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return list(value) if isinstance(value, (list, tuple)) else value


def _difference(found: list[Any], expected: list[Any], case: Any) -> str:
    for each, wanted in zip(found, expected, strict=False):
        if isinstance(wanted, list):
            if flaw := _difference(list(each), wanted, case):
                return flaw
            continue
        if wanted is None:
            continue
        actual = np.asarray(each)
        if actual.shape != np.shape(wanted):
            return f"shape {actual.shape}, not {np.shape(wanted)}"
        if np.asarray(wanted).dtype.kind in "OUS":
            if not np.array_equal(actual.astype(str), np.asarray(wanted).astype(str)):
                return "other strings"
            continue
        try:
            least = LEAST.get(np.asarray(wanted).dtype.name, 1e-6)
            np.testing.assert_allclose(
                _wide(actual),
                _wide(wanted),
                rtol=max(case.rtol, 1e-3, least),
                atol=max(case.atol, least),
            )
        except (AssertionError, TypeError) as error:
            return " ".join(str(error).split())[:150]
    return ""


def _wide(value: Any) -> Any:
    value = np.asarray(value)
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)


def _own(path: Path, feeds: dict[str, Any], precision: Precision) -> list[Any]:
    return list(OnnxEvaluator(path, precision)(feeds).values())


def _onnx(path: Path, feeds: dict[str, Any], precision: Precision) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(_model(path, precision)).run(None, _feeds(feeds, precision))


def _extended(path: Path, feeds: dict[str, Any], precision: Precision) -> list[Any]:
    from onnx_diagnostic.reference import ExtendedReferenceEvaluator

    return ExtendedReferenceEvaluator(_model(path, precision)).run(None, _feeds(feeds, precision))


def _torch(path: Path, feeds: dict[str, Any], precision: Precision) -> list[Any]:
    import torch
    from onnx_diagnostic.reference import TorchOnnxEvaluator

    given = {
        name: torch.tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in _feeds(feeds, precision).items()
    }
    return [_array(each) for each in TorchOnnxEvaluator(_model(path, precision)).run(None, given)]


def _onnx2torch(path: Path, feeds: dict[str, Any], precision: Precision) -> list[Any]:
    import torch
    from onnx2torch import convert

    module = convert(_model(path, precision))
    return _called(module.to(getattr(torch, DTYPES[precision])), feeds, precision)


def _onnx2pytorch(path: Path, feeds: dict[str, Any], precision: Precision) -> list[Any]:
    import torch
    from onnx2pytorch import ConvertModel

    module = ConvertModel(_model(path, precision), experimental=True)
    return _called(module.to(getattr(torch, DTYPES[precision])), feeds, precision)


def _called(module: Any, feeds: dict[str, Any], precision: Precision) -> list[Any]:
    import torch

    values = [torch.tensor(value) for value in _feeds(feeds, precision).values()]
    with torch.inference_mode():
        found = module(*values)
    return [_array(each) for each in (found if isinstance(found, (tuple, list)) else [found])]


def _array(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value


DTYPES = {"fp32": "float32", "fp64": "float64"}


def _model(path: Path, precision: Precision) -> Any:
    """Return a model whose fractions are of the precision's type, weights and inputs too."""
    model = onnx.load(path)
    if precision == "fp32":
        return model
    for body in (model.graph, *model.functions):
        retype(body, KINDS[precision])
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    for tensor in model.graph.initializer:
        if tensor.data_type in floats:
            wide = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type in floats:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    return model


def _feeds(feeds: dict[str, Any], precision: Precision) -> dict[str, Any]:
    return {name: _feed(value, precision) for name, value in feeds.items()}


def _feed(value: Any, precision: Precision) -> Any:
    if isinstance(value, list):
        return [_feed(each, precision) for each in value]
    is_float = precision == "fp64" and getattr(value, "dtype", None) in {
        np.dtype("float16"),
        np.dtype("float32"),
    }
    return value.astype(np.float64) if is_float else value


RUNS: dict[str, Run] = {
    "own": _own,
    "onnx": _onnx,
    "extended": _extended,
    "torch": _torch,
    "onnx2torch": _onnx2torch,
    "onnx2pytorch": _onnx2pytorch,
}

if __name__ == "__main__":
    sys.exit(main())
