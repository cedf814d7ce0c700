"""Handwritten digits in low precision: a small form of examples/low_precision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from pytest_infer.devices.cpu_products import weight_bits
from pytest_infer.graphs.quantization import quantize_onnx
from pytest_infer.judges.accuracy import AccuracyBounds, Graded, judge_accuracy
from pytest_infer.models.evaluation import row_digests
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from pytest_infer.arrays import Array
    from pytest_infer.verdict import Verdict

pytest.importorskip("sklearn")
torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

EXAMPLE = Path(__file__).parents[2] / "examples" / "low_precision"
INPUTS = {"image": TensorSpec(("batch", 1, 8, 8))}
SPEC = ModelSpec(
    "digits", "classification", INPUTS, {"scores": TensorSpec(("batch", 10))}, Source()
)


@pytest.fixture(scope="module", autouse=True)
def example() -> Any:
    """Let the example's package be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        yield


@pytest.fixture(scope="module")
def trained() -> Any:
    """The network after half of its training."""
    from infer_digits.training import trained

    return trained(epochs=6)


def module_outputs(module: Any, images: Array) -> Array:
    """Return a module's scores."""
    with torch.no_grad():
        found: Array = module(torch.from_numpy(images)).numpy()
    return found


def file_outputs(path: Path, images: Array) -> Array:
    """Return a file's scores by ONNX Runtime.

    Where weights of 8 bits overflow, for lack of VNNI, Q and DQ stay what they are: roundings.
    """
    options = onnxruntime.SessionOptions()
    if weight_bits() < 8:
        basic = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.graph_optimization_level = basic
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": images})
    return found


def judged(scores: Array, module: Any) -> Verdict:
    """Judge scores beside those of the module in fp32."""
    from infer_digits.digits import evaluation

    images, digits = evaluation()
    exact = module_outputs(module, images).argmax(1) == digits
    graded = Graded(scores.argmax(1) == digits, exact, guess=0.11)
    return judge_accuracy(graded, AccuracyBounds(), subject="digits")


def images() -> Array:
    """Return the held-out images."""
    from infer_digits.digits import evaluation

    return evaluation()[0]


def test_parts_share_no_digit() -> None:
    """Every image is in one part only, by content."""
    from infer_digits.digits import CALIBRATION, EVALUATION, TRAINING, rows

    found = [
        row_digests({"image": rows(part)[0]}, SPEC) for part in (TRAINING, CALIBRATION, EVALUATION)
    ]
    assert [len(each) for each in found] == [700, 97, 1000]
    assert len({digest for each in found for digest in each}) == 1797


def test_after_training(trained: Any, tmp_path: Path) -> None:
    """Calibrated on digits it keeps its accuracy; on images 20 times as dark it does not."""
    from infer_digits.digits import calibration
    from infer_digits.onnx_file import write_onnx

    exact = tmp_path / "exact.onnx"
    write_onnx(trained, exact)
    verdicts = {}
    for name, scale in (("digits", 1), ("dark", 0.05)):
        target = tmp_path / f"{name}.onnx"
        feeds = {"image": (calibration() * scale).astype(np.float32)}
        quantize_onnx(exact, feeds, target, is_symmetric=False)
        verdicts[name] = judged(file_outputs(target, images()), trained)
    assert verdicts["digits"].status != "fail"
    assert verdicts["digits"].figures["accuracy"] > 0.95
    assert verdicts["dark"].code == "accuracy-drop"


def test_by_modelopt(trained: Any, tmp_path: Path) -> None:
    """Its file is in int8, as ONNX Runtime takes it, and loses few digits."""
    pytest.importorskip("modelopt", reason="pip install './examples/low_precision[modelopt]'")
    from infer_digits.with_modelopt import calibrated, write_calibrated

    path = tmp_path / "digits.onnx"
    write_calibrated(calibrated(trained, is_unsigned=True), path)
    assert judged(file_outputs(path, images()), trained).status != "fail"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    nodes = [each.op_type for each in onnx.load(options.optimized_model_filepath).graph.node]
    assert nodes.count("QLinearConv") == 3


def test_pruned(trained: Any) -> None:
    """Two of each four inputs are zero, and training with the mask wins the accuracy back."""
    from infer_digits.sparse import sparse

    found = sparse(trained, epochs=3)
    for layer in (found[3], found[6], found[11]):
        groups = layer.weight.detach().movedim(1, -1).reshape(-1, 4)
        assert ((groups == 0).sum(dim=1) >= 2).all()
    assert judged(module_outputs(found, images()), trained).status != "fail"


@pytest.mark.nightly
def test_during_training(trained: Any, tmp_path: Path) -> None:
    """The file has Q and DQ nodes, and answers as the module that was trained."""
    pytest.importorskip("torchao")
    from infer_digits.onnx_file import write_onnx
    from infer_digits.quantized import quantized

    rounded = quantized(trained, epochs=1)
    path = tmp_path / "qat.onnx"
    write_onnx(rounded, path)
    found, expected = file_outputs(path, images()), module_outputs(rounded, images())
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.995
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02
    assert judged(found, trained).status != "fail"
