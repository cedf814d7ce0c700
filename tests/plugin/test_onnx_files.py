"""An ONNX file is a model like any other: right values, named refusals, and the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RANDOM = np.random.default_rng(0)


def weight(*shape: int) -> Any:
    """Return values that are small enough for sums to stay near 1."""
    return (RANDOM.standard_normal(shape) / 2).astype(np.float32)


WEIGHTS = {
    "kernel": weight(8, 3, 3, 3),
    "bias": weight(8),
    "table": weight(10, 8),
    "head": weight(8, 5),
}

CONFTEST = """
from pathlib import Path

import numpy as np
import pytest

from pytest_infer import TensorSpec, model_from, register
from pytest_infer.testing import FakeEngine, scale

model_from("two.onnx", inputs={"ids": TensorSpec(("batch", "time"), "int64", low=0, high=9)})


def label_of(outputs):
    return [{"label": row.argmax(keepdims=True)} for row in outputs["scores"]]


model_from("two.onnx", name="labelled", postprocess=label_of, labels=lambda: "abcde",
           inputs={"ids": TensorSpec(("batch", 4), "int64", low=0, high=9)})
"""

TESTS = """
import numpy as np
import pytest
import torch


@pytest.mark.infer(models="two")
def test_right_values(engine, feeds, reference):
    from onnx import load, numpy_helper

    stored = {each.name: torch.tensor(numpy_helper.to_array(each)).double()
              for each in load("two.onnx").graph.initializer}
    image, ids = torch.tensor(feeds["image"]).double(), torch.tensor(feeds["ids"])
    assert 0 <= ids.min() and ids.max() <= 9 and ids.shape[1] == 16
    seen = torch.conv2d(image, stored["kernel"], stored["bias"], 2, 1).relu().mean((2, 3))
    words = stored["table"][ids].mean(1)
    expected = ((seen + words) @ stored["head"]).numpy()
    np.testing.assert_allclose(reference.fp64["scores"], expected, rtol=1e-13)
    np.testing.assert_allclose(engine(feeds)["scores"], expected, rtol=1e-4, atol=1e-5)
    assert reference.fp32["scores"].dtype == np.float32


@pytest.mark.infer(models="labelled")
def test_surroundings(model, engine, feeds):
    assert model.labels == tuple("abcde")
    assert [row["label"].shape for row in model.postprocess(engine(feeds))] == [(1,)] * 2
    with pytest.raises(Exception, match="has no module"):
        model.module


@pytest.mark.infer(models="two")
def test_no_eager(engine, eager, feeds, gpu_timer, latency):
    assert eager is None
    samples, none = gpu_timer.interleaved([engine, eager], feeds)
    assert none is None
    assert "speedup" not in latency(samples, none).figures
"""


def value(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
    """Return an input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


CONV = ("image", "kernel", "bias")
BESIDE = {"save_as_external_data": True, "size_threshold": 0}
ANY_LENGTH = "--infer-input=ids:int64[batch,time]:0..9"


def write(path: Path, *, opset: int = 17, rows: Any = "N", **options: Any) -> None:
    """Write a network of an image and of words, whose weights are `WEIGHTS`."""
    nodes = [
        helper.make_node(
            "Conv", ["image", "kernel", "bias"], ["seen"], pads=[1] * 4, strides=[2, 2]
        ),
        helper.make_node("Relu", ["seen"], ["lit"]),
        helper.make_node("ReduceMean", ["lit"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("ReduceMean", ["words"], ["said"], axes=[1], keepdims=0),
        helper.make_node("Add", ["mean", "said"], ["both"]),
        helper.make_node("MatMul", ["both", "head"], ["scores"], name="head"),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [value("image", [rows, 3, 8, 8]), value("ids", [rows, "time"], TensorProto.INT64)],
        [value("scores", [rows, 5])],
        [numpy_helper.from_array(each, name) for name, each in WEIGHTS.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    onnx.save_model(helper.make_model(graph, opset_imports=opsets, ir_version=8), path, **options)


@pytest.fixture
def suite(bare_run: Callable[..., pytest.RunResult], cache: Path):
    """Run the suites on files of the test's folder, on the CPU, with few calls."""
    options = (
        f"--infer-cache={cache}", "--infer-calls=5", "--infer-warmup=1", "--infer-device=cpu",
    )  # fmt: skip

    def run(*more: str, conftest: str = "") -> pytest.RunResult:
        return bare_run(*options, *more, conftest=conftest)

    return run


def test_models(suite, pytester):
    """Values are torch's, what surrounds the file is the user's, and eager is not there."""
    write(pytester.path / "two.onnx")
    pytester.makepyfile(test_own=TESTS)
    result = suite("--engine=ort", "--infer-batch=2", "test_own.py", conftest=CONFTEST)
    result.assert_outcomes(passed=3)


def test_suites(suite, pytester):
    """The bundled suites pass; what is made from a module is excluded by name."""
    write(pytester.path / "two.onnx", location="two.bin", **BESIDE)
    what = ("--engine=ort,eager,torchscript", "--infer-precision=fp32,int8", "--infer-batch=2")
    result = suite("--infer-model=two", *what, conftest=CONFTEST)
    found = result.parseoutcomes()
    assert not found.keys() & {"failed", "errors"}
    assert found["new"] == 2
    named = "two on eager in fp32, torchscript in fp32 (2 cases)"
    result.stdout.fnmatch_lines([f"could not run: {named}: an ONNX file has no module*"])


def test_fault(suite, pytester):
    """An engine that is wrong by a thousandth is seen, and the error names the file's layer."""
    write(pytester.path / "two.onnx")
    fault = CONFTEST + "register(FakeEngine('fake', inner='ort', outputs=scale(1.001)))\n"
    result = suite("--infer-model=two", "--engine=fake", "test_parity.py", conftest=fault)
    assert result.parseoutcomes()["failed"] >= 1
    result.stdout.fnmatch_lines(["*two-fake-fp32-b1*diverged from eager fp64*"])


def test_fixed_batch(suite, pytester):
    """A file that is fixed at a batch has cases of that batch only."""
    write(pytester.path / "four.onnx", rows=4)
    wish = "--infer-input=ids:int64[4,time]:0..9"
    batches = "--infer-batch=1,4"
    result = suite("--infer-model=four.onnx", wish, "--engine=ort", batches, "test_parity.py")
    assert result.parseoutcomes() == {"passed": 3, "deselected": 1}
    lack = "the sizes in its file are fixed, at a batch of 4; mend: --infer-batch=4, *"
    result.stdout.fnmatch_lines([f"could not run: four at batch 1 (1 case): {lack}"])


def damaged(path: Path) -> None:
    """Cut a file off."""
    path.write_bytes(path.read_bytes()[:400])


def test_bad_files(suite, pytester):
    """Each bad file gives its error, and the other models of the run go on."""
    folder = pytester.path
    for name in ("good", "cut", "new", "odd", "bare"):
        write(
            folder / f"{name}.onnx",
            opset=99 if name == "new" else 17,
            **({"location": "w.bin", **BESIDE} if name == "bare" else {}),
        )
    damaged(folder / "cut.onnx")
    model = onnx.load(folder / "odd.onnx")
    model.graph.node[-1].op_type = "MatMall"
    onnx.save(model, folder / "odd.onnx")
    (folder / "w.bin").unlink()
    names = "good.onnx,cut.onnx,new.onnx,odd.onnx,bare.onnx,lost.onnx"
    result = suite(f"--infer-model={names}", ANY_LENGTH, "--engine=ort", "test_truth.py")
    assert result.parseoutcomes() == {"passed": 2, "errors": 10}
    result.stdout.fnmatch_lines_random(
        [
            "could not run: cut (1 case): it is damaged, cut off, or no ONNX file: *",
            "could not run: new (1 case): its operator set is 99; onnx * knows 9 to *",
            "could not run: odd (1 case): the node 'head' (MatMall): ONNX has no such operator *",
            "could not run: bare (1 case): its weights are in 'w.bin', and * has no such file; *",
            "could not run: lost (1 case): there is no such file; mend: *",
        ]
    )


def test_wrong_spec(suite, pytester):
    """What is stated of an input, and is not so, is refused in words."""
    write(pytester.path / "two.onnx")
    wish = "--infer-input=ids:int32[batch,time]"
    result = suite("--infer-model=two.onnx", wish, "--engine=ort", "test_truth.py")
    result.stdout.fnmatch_lines(["*input 'ids' is stated otherwise than the file has it"])
    result.stdout.fnmatch_lines(["*two.onnx: its dtype is int64, not int32"])


def test_name_clash(suite, pytester):
    """Two files of one name in one run are told apart by a name that the user gives."""
    write(pytester.path / "two.onnx")
    (pytester.path / "other").mkdir()
    write(pytester.path / "other" / "two.onnx")
    result = suite(
        "--infer-model=two.onnx,other/two.onnx", ANY_LENGTH, "--engine=ort", "test_truth.py"
    )
    result.stdout.fnmatch_lines(["*two models are called 'two'*"])
    named = "--infer-model=two.onnx,second=other/two.onnx"
    suite(named, ANY_LENGTH, "--engine=ort", "test_truth.py").assert_outcomes(passed=4)


def test_changed_file(suite, pytester):
    """A file with other weights is another model: its reference and engine are made again."""
    path = pytester.path / "two.onnx"
    write(path, location="two.bin", **BESIDE)
    for built, found in ((1, 0), (0, 1)):
        result = suite("--infer-model=two.onnx", ANY_LENGTH, "--engine=ort", "test_parity.py")
        result.stdout.fnmatch_lines([f"engines: {built} built, {found} found in the cache"])
    bytes_ = bytearray((pytester.path / "two.bin").read_bytes())
    bytes_[4:8] = np.float32(0.77).tobytes()
    (pytester.path / "two.bin").write_bytes(bytes_)
    result = suite("--infer-model=two.onnx", ANY_LENGTH, "--engine=ort", "test_parity.py")
    result.stdout.fnmatch_lines(["engines: 1 built, 0 found in the cache"])
    assert "failed" not in result.parseoutcomes()
