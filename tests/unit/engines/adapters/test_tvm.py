"""The TVM adapter on programs of a few operators, and the texts of its errors."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.engines.adapters import tvm as adapter
from pytest_infer.engines.adapters.tvm.program import absent_features
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Missing
from pytest_infer.errors import BuildError, LoadError, RunError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

tvm = pytest.importorskip("tvm")
onnx = pytest.importorskip("onnx")

SPEC = ModelSpec(
    name="toy",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 3))},
    outputs={"scores": TensorSpec(("batch", 2))},
    source=Source(module="toy"),
)
SHAPES = {"image": (4, 3)}
WEIGHTS = np.arange(6).reshape(3, 2)
FEEDS = {"image": np.arange(12, dtype=np.float32).reshape(4, 3)}


def _request(precision: str = "fp32", device: str = "cpu", route: str = "onnx") -> BuildRequest:
    return BuildRequest(precision, device, SHAPES, {"route": route})


def _graph(folder: Path, dtype: str, inner: str) -> Graph:
    """Write an ONNX file of a product that is computed in ``inner`` between casts of ``dtype``."""
    outside, inside = (getattr(onnx.TensorProto, name) for name in (dtype, inner))
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            node("Cast", ["image"], ["cast"], to=inside),
            node("MatMul", ["cast", "weights"], ["product"]),
            node("Cast", ["product"], ["scores"], to=outside),
        ],
        "toy",
        [value("image", outside, [4, 3])],
        [value("scores", outside, [4, 2])],
        [onnx.helper.make_tensor("weights", inside, [3, 2], WEIGHTS.ravel().tolist())],
    )
    file = folder / "graph.onnx"
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    onnx.save(model, file)
    return Graph(SPEC, str(file), "digest", GraphRequest("onnx", is_static=True))


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., BuiltEngine]:
    """Build a product in a type, computed in another one perhaps, for a precision."""

    def build(dtype: str = "FLOAT", inner: str = "", precision: str = "fp32") -> BuiltEngine:
        graph, request = _graph(tmp_path, dtype, inner or dtype), _request(precision)
        adapter.ENGINE.build(graph, request, tmp_path)
        return BuiltEngine("tvm", graph, request, str(tmp_path))

    return build


def test_runs_by_names(built: Callable[..., BuiltEngine]) -> None:
    """The named feeds give the named outputs."""
    with adapter.ENGINE.open(built()) as runner:
        outputs = runner.infer(FEEDS)
    assert list(outputs) == ["scores"]
    np.testing.assert_array_equal(outputs["scores"], FEEDS["image"] @ WEIGHTS)


def test_compiles_for_this_processor(tmp_path: Path) -> None:
    """The target names the processor that LLVM detects, and the facts keep it."""
    facts = adapter.ENGINE.build(_graph(tmp_path, "FLOAT", "FLOAT"), _request(), tmp_path)
    processor = tvm.target.Target.from_device(tvm.cpu()).attrs["mcpu"]
    assert f'"mcpu":"{processor}"' in facts["target"]
    assert facts["route"] == "onnx"


@pytest.mark.parametrize(("dtype", "precision"), [("FLOAT", "fp32"), ("FLOAT16", "fp16")])
def test_evidence_is_of_the_kernels(
    built: Callable[..., BuiltEngine], dtype: str, precision: str
) -> None:
    """The precision and the device are those of the tensors of every kernel."""
    with adapter.ENGINE.open(built(dtype, precision=precision)) as runner:
        evidence = runner.evidence()
        after = runner.infer(FEEDS)
    assert (evidence.precision, evidence.precision_share) == (precision, 1.0)
    assert (evidence.device, evidence.device_share) == ("cpu", 1.0)
    assert evidence.details["output_dtypes"] == {"scores": adapter.DTYPES[precision]}
    np.testing.assert_array_equal(after["scores"], FEEDS["image"] @ WEIGHTS)


def test_evidence_tells_a_mixture(built: Callable[..., BuiltEngine]) -> None:
    """A program in fp32 between casts does not pass for the fp16 that it takes and returns."""
    engine = built("FLOAT16", "FLOAT", precision="fp16")
    with adapter.ENGINE.open(engine) as runner:
        evidence = runner.evidence()
    assert evidence.precision == "fp16 with fp32"
    assert evidence.details["output_dtypes"] == {"scores": "float16"}


def test_evidence_runs_no_kernel() -> None:
    """The machine is told to skip kernels and to run what lays out their memory."""

    class Machine:
        def set_instrument(self, look: Any) -> None:
            self.look = look or self.look

        def __getitem__(self, _: str) -> Any:
            return lambda image: image

    machine = Machine()
    graph = Graph(SPEC, "", "digest", GraphRequest("onnx", is_static=True))
    runner = adapter.TvmRunner(machine, tvm.cpu(), BuiltEngine("tvm", graph, _request(), ""))
    runner.evidence()
    skip, run = 1, 0  # VMInstrumentReturnKind
    assert machine.look(None, "fused_conv2d_relu", True, None) == skip
    assert machine.look(None, "fused_conv2d_relu", False, None) == run
    assert machine.look(None, "vm.builtin.alloc_tensor", True, None) == run


def test_a_program_of_another_precision_does_not_run(built: Callable[..., BuiltEngine]) -> None:
    """A program in fp32 refuses what a case in fp16 feeds it."""
    engine = built(precision="fp16")
    with adapter.ENGINE.open(engine) as runner, pytest.raises(RunError) as raised:
        runner.infer(FEEDS)
    assert raised.value.what == "TVM did not run"
    assert raised.value.why.endswith("expect Tensor with dtype float32 but get float16")
    assert raised.value.mend == (
        "see TVM's message; a program has one batch size, and is for one kind of device"
    )


@pytest.mark.parametrize(
    ("feeds", "found"),
    [
        ({}, "no array of that name"),
        ({"image": np.zeros((2, 3), np.float32)}, "shape (2, 3)"),
    ],
)
def test_checks_feeds(built: Callable[..., BuiltEngine], feeds: dict[str, Any], found: str) -> None:
    """A feed that is absent or has another shape never reaches TVM."""
    with adapter.ENGINE.open(built()) as runner:
        for call in (runner.infer, runner.bind):
            with pytest.raises(RunError) as raised:
                call(feeds)
            assert str(raised.value) == (
                "cannot feed image\n"
                f"  why:  the engine was built for shape (4, 3), and the feed has {found}\n"
                "  mend: feed image in shape (4, 3), or build the engine for another batch"
            )


def test_counts_outputs(built: Callable[..., BuiltEngine]) -> None:
    """A program with other outputs than the spec is refused."""
    engine = built()
    spec = ModelSpec(
        "toy", "tensor", SPEC.inputs, {**SPEC.outputs, "boxes": TensorSpec((4,))}, SPEC.source
    )
    graph = Graph(spec, engine.graph.file, "digest", engine.graph.request)
    other = BuiltEngine("tvm", graph, engine.request, engine.folder)
    with adapter.ENGINE.open(other) as runner, pytest.raises(RunError) as raised:
        runner.infer(FEEDS)
    assert str(raised.value) == (
        "toy returned 1 outputs\n"
        "  why:  its spec names 2: scores, boxes\n"
        "  mend: name every output in the model's decorator, in order"
    )


@pytest.mark.parametrize(("route", "other"), [("onnx", "export"), ("export", "onnx")])
def test_a_failed_build_names_the_other_route(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, route: str, other: str
) -> None:
    """The reason is the first line of TVM's message, the mend the other route."""

    def fail(*_: Any) -> None:
        raise ValueError("\nCheck failed: no such operator\n  File x.cc, line 1\n")

    monkeypatch.setattr(adapter, "export_program", fail)
    graph = Graph(SPEC, "graph.onnx", "digest", GraphRequest("onnx", is_static=True))
    with pytest.raises(BuildError) as raised:
        adapter.ENGINE.build(graph, _request(route=route), tmp_path)
    assert str(raised.value) == (
        f"cannot build toy for tvm in fp32 by {route}\n"
        "  why:  ValueError: Check failed: no such operator\n"
        f"  mend: try the other route, --infer-option=tvm.route={other}; "
        "or change what TVM's message names"
    )


def test_a_file_that_is_no_library_is_not_opened(
    built: Callable[..., BuiltEngine], tmp_path: Path
) -> None:
    """A truncated library is an error of loading."""
    engine = built()
    path = tmp_path / adapter.FILE
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LoadError) as raised, adapter.ENGINE.open(engine):
        pass
    assert raised.value.what == f"cannot load {path}"
    assert str(path) in raised.value.why
    assert raised.value.mend == (
        "its files are as they were built: see what TVM misses: a library, or memory on the device"
    )


@pytest.mark.parametrize("route", ["onnx", "export"])
def test_asks_for_what_its_route_reads(route: str) -> None:
    """The ONNX route takes a static file in the case's precision, the other one the module."""
    wanted = adapter.ENGINE.graph_request(_request("fp16", route=route))
    assert (
        wanted
        == {
            "onnx": GraphRequest("onnx", precision="fp16", is_static=True),
            "export": GraphRequest("module"),
        }[route]
    )


@pytest.mark.parametrize(
    ("device", "absent", "why"),
    [
        ("cpu", {"tvm"}, "apache-tvm not installed"),
        ("cpu", {"tvm", "onnx"}, "apache-tvm, onnx not installed"),
        ("cuda:0", {"torch"}, "torch not installed"),
    ],
)
def test_says_what_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, device: str, absent: set[str], why: str
) -> None:
    """Each absent distribution is named; torch is needed on a GPU only."""
    monkeypatch.setattr(adapter, "missing_gpu", lambda: None)
    monkeypatch.setattr(adapter, "find_spec", lambda name: None if name in absent else name)
    assert adapter.ENGINE.missing(device) == Missing(why, "pip install 'pytest-infer[tvm]'")


def test_cpu_needs_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host for the ONNX route on a CPU needs TVM and onnx alone."""
    monkeypatch.setattr(adapter, "find_spec", lambda name: None if name == "torch" else name)
    assert adapter.ENGINE.missing("cpu") is None


def test_without_a_gpu_nothing_else_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without a GPU that is the reason, whatever is installed."""
    lack = Missing("no GPU", "bring one")
    monkeypatch.setattr(adapter, "missing_gpu", lambda: lack)
    monkeypatch.setattr(adapter, "find_spec", lambda _: None)
    assert adapter.ENGINE.missing("cuda:0") == lack


def test_a_bound_call_on_a_gpu_is_on_torchs_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timed calls are launched inside TVM's context for torch's current stream, feeds before it."""
    events: Counter[str] = Counter()
    is_inside = False

    @contextmanager
    def stream() -> Iterator[None]:
        nonlocal is_inside
        is_inside = True
        yield
        is_inside = False

    def main(image: Any) -> Any:
        events["inside" if is_inside else "outside"] += 1
        return image

    monkeypatch.setattr("tvm_ffi.use_torch_stream", stream)
    built = BuiltEngine(
        "tvm",
        Graph(SPEC, "", "digest", GraphRequest("onnx", is_static=True)),
        _request(device="cuda:0"),
        "",
    )
    runner = adapter.TvmRunner({"main": main}, tvm.cpu(), built)
    call = runner.bind(FEEDS)
    assert not events
    call()
    assert events == {"inside": 1}
    runner.infer(FEEDS)
    assert events == {"inside": 1, "outside": 1}


@pytest.mark.parametrize(
    ("flags", "absent"),
    [
        # A virtual machine of the Zen 4 name without AVX-512: programs died by SIGILL.
        (("avx", "avx2", "fma"), ["-avx512f", "-avx512vnni"]),
        (("avx", "avx2", "fma", "avx512f", "avx512_vnni"), []),
        ((), []),
    ],
)
def test_what_the_name_promises_and_the_cpu_lacks(flags, absent):
    """Only vector instructions are turned off, and only where the kernel tells what there is."""
    named = ("avx", "avx2", "fma", "avx512f", "avx512vnni", "prefer-256-bit", "64bit")
    assert absent_features(named, flags) == absent
