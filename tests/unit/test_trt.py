"""The TensorRT adapter against recorded doubles of TensorRT 8.6, 10.16 and 11.4."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager, nullcontext
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer import tensorrt_api
from pytest_infer.engine import OPSET, BuildRequest, BuiltEngine, Graph, GraphRequest, Missing
from pytest_infer.engines import trt
from pytest_infer.errors import BuildError, LoadError, RunError
from pytest_infer.spec import ModelSpec, Source, TensorSpec
from pytest_infer.tensorrt_layers import layer_precisions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SPEC = ModelSpec(
    name="toy",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 3))},
    outputs={"scores": TensorSpec(("batch", 2))},
    source=Source(module="toy"),
)
SHAPES = {"image": (4, 3)}
FEEDS = {"image": np.arange(12, dtype=np.float32).reshape(4, 3)}


def _double() -> ModuleType:
    spec = spec_from_file_location("double", Path(__file__).with_name("tensorrt_double.py"))
    module = module_from_spec(spec)
    sys.modules["double"] = module
    spec.loader.exec_module(module)
    return module


DOUBLE = _double()
V8, V10, V11 = DOUBLE.VERSIONS


class Bench:
    """A version's double, and what the adapter does with it."""

    def __init__(self, version: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.behaviour = DOUBLE.Behaviour()
        self.folder = folder
        self.version = version
        monkeypatch.setitem(sys.modules, "tensorrt", DOUBLE.tensorrt(version, self.behaviour))
        tensorrt_api.logger.cache_clear()

    def build(self, precision: str = "fp32", opset: int = 17, **options: Any) -> BuiltEngine:
        """Build into a folder of its own from the graph that the adapter wants."""
        defaults = {name: option.default for name, option in trt.ENGINE.options.items()}
        request = BuildRequest(precision, "cpu", SHAPES, {**defaults, **options})
        types = tensorrt_api.graph_precision(precision, self.version)
        file = self.folder / "graph.json"
        shapes = {name: tensor.shape for name, tensor in SPEC.outputs.items()}
        inputs = {"image": ["batch", 3]}
        file.write_text(json.dumps({"inputs": inputs, "outputs": shapes, "types": types}))
        graph = Graph(SPEC, str(file), "digest", GraphRequest("onnx", types, opset=opset))
        folder = self.folder / "".join([precision, *options])
        folder.mkdir()
        self.facts = trt.ENGINE.build(graph, request, folder)
        return BuiltEngine("trt", graph, request, str(folder))

    @contextmanager
    def opened(self, precision: str = "fp32", **options: Any) -> Iterator[Any]:
        """Build and open."""
        with trt.ENGINE.open(self.build(precision, **options)) as runner:
            yield runner

    @property
    def profile(self) -> Any:
        """The shapes of the only profile."""
        (profile,) = self.behaviour.seen["config"]._profiles
        return profile._shapes

    def precision(self, asked: str) -> str:
        """Return the precision of the evidence of an engine built for ``asked``."""
        with trt.ENGINE.open(self.build(asked)) as runner:
            return runner.evidence().precision


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let the host's memory be the GPU's, and streams be numbers."""
    torch = pytest.importorskip("torch")
    empty = torch.empty
    state = SimpleNamespace(current=SimpleNamespace(cuda_stream=7), own=[])

    class Stream:
        def __init__(self) -> None:
            self.cuda_stream = 100 + len(state.own)
            self.waited_for: list[Any] = []
            state.own.append(self)

        def wait_stream(self, other: Any) -> None:
            self.waited_for.append(other)

        def synchronize(self) -> None:
            pass

    def host(shape: Any, *, pin_memory: bool = False, **kwargs: Any) -> Any:
        del pin_memory
        return empty(shape, **kwargs)

    monkeypatch.setattr(torch, "empty", host)
    for name, value in {
        "Stream": Stream,
        "set_device": lambda _: None,
        "get_device_name": lambda: "NVIDIA GeForce GTX 1070",
        "current_stream": lambda: state.current,
        "stream": nullcontext,
        "empty_cache": lambda: None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return state


@pytest.fixture(params=DOUBLE.VERSIONS)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """Every recorded version in turn."""
    return Bench(request.param, monkeypatch, tmp_path)


pytestmark = pytest.mark.usefixtures("cuda")


def only(*versions: str) -> pytest.MarkDecorator:
    """Run a test with ``bench`` on these versions."""
    return pytest.mark.parametrize("bench", versions, indirect=True)


def test_builds_opens_and_runs(bench: Bench) -> None:
    """What was built opens, and gives the named outputs of its inputs, on every version."""
    with trt.ENGINE.open(bench.build()) as runner:
        outputs = runner.infer(FEEDS)
    assert list(outputs) == ["scores"]
    assert outputs["scores"].ravel().tolist() == [0, 2, 4, 6, 8, 10, 12, 14]


def test_profile_is_static(bench: Bench) -> None:
    """Minimum, optimum and maximum of the profile are the request's shape."""
    bench.build()
    (profile,) = bench.behaviour.seen["config"]._profiles
    assert profile._shapes == {"image": [[4, 3]] * 3}


def test_workspace_is_limited(bench: Bench) -> None:
    """A kernel may ask for 4 GiB of workspace and no more."""
    bench.build()
    ((pool, size),) = bench.behaviour.seen["config"]._limits.items()
    assert (pool.name, size) == ("WORKSPACE", 4 * 1024**3)


@pytest.mark.parametrize(
    ("precision", "flags"), [("fp32", []), ("tf32", ["TF32"]), ("fp16", ["FP16", "TF32"])]
)
@only(V8, V10)
def test_flags_of_precisions(bench: Bench, precision: str, flags: list[str]) -> None:
    """TF32, which TensorRT sets by itself, is cleared for fp32; fp16 sets FP16."""
    bench.build(precision)
    assert bench.behaviour.seen["flags"] == flags
    assert bench.facts["flags"] == {"TF32": "TF32" in flags, "FP16": "FP16" in flags}


@pytest.mark.parametrize(("precision", "flags"), [("fp32", []), ("tf32", ["TF32"])])
@only(V11)
def test_flags_of_11(bench: Bench, precision: str, flags: list[str]) -> None:
    """TensorRT 11 has a flag for TF32 and none for FP16."""
    bench.build(precision)
    assert bench.behaviour.seen["flags"] == flags
    assert bench.facts["flags"] == {"TF32": bool(flags)}


@only(V11)
def test_fp16_is_refused_by_11(bench: Bench) -> None:
    """FP16 of an fp32 graph is an error on TensorRT 11, and nothing is built instead."""
    with pytest.raises(BuildError) as caught:
        bench.build("fp16")
    assert str(caught.value) == (
        "cannot build fp16 with TensorRT 11.4.0\n"
        "  why:  it has no BuilderFlag.FP16: its networks are strongly typed, and the graph's "
        "types are those of the fp32 model\n"
        "  mend: ask for --infer-precision=fp32, or use TensorRT 8.6 or 10"
    )
    assert not bench.behaviour.seen


def test_explicit_batch(bench: Bench) -> None:
    """The flag for an explicit batch is set where it exists: not on TensorRT 11."""
    bench.build()
    assert bench.behaviour.seen["network_flags"] == (0 if bench.version == V11 else 1)


@only(V8)
def test_opset_18_is_refused_by_8(bench: Bench) -> None:
    """TensorRT 8.6 would reduce over all axes, so it is not given opset 18."""
    with pytest.raises(BuildError) as caught:
        bench.build(opset=18)
    assert str(caught.value) == (
        "cannot build toy for trt from a graph of opset 18\n"
        "  why:  TensorRT 8.6.0 reads opsets up to 17; of a later one it accepts reductions whose "
        "axes are an input, and reduces over all axes\n"
        "  mend: export the graph at opset 17"
    )


@only(V10, V11)
def test_opset_18_is_read_by_later_versions(bench: Bench) -> None:
    """TensorRT 10 and 11 build a graph of opset 18."""
    bench.build(opset=18)


@pytest.mark.parametrize(
    ("version", "opset"), [("8.6.1", 17), ("10.16.1", OPSET), ("11.4.0", OPSET), (None, OPSET)]
)
def test_asks_for_the_opset_it_reads(
    monkeypatch: pytest.MonkeyPatch, version: str | None, opset: int
) -> None:
    """The adapter asks for opset 17 by the installed version, without importing TensorRT."""
    monkeypatch.setattr(trt, "installed_version", lambda: version)
    request = BuildRequest("fp32", "cuda:0", SHAPES)
    assert trt.ENGINE.graph_request(request) == GraphRequest("onnx", opset=opset)
    assert "tensorrt" not in sys.modules


@only(V8)
def test_parser_errors_of_8(bench: Bench) -> None:
    """Every error of the parser is given, by the node's number."""
    bench.behaviour.parser_errors = [
        {"node": 3, "desc": "No importer registered for op: Foo"},
        {"node": 5, "desc": "Unsupported type"},
    ]
    with pytest.raises(BuildError) as caught:
        bench.build()
    assert str(caught.value) == (
        "cannot build toy for trt in fp32\n"
        "  why:  node 3: No importer registered for op: Foo\n"
        "        node 5: Unsupported type\n"
        "  mend: export without the operators that the errors name, or use a newer TensorRT"
    )


@only(V10, V11)
def test_parser_errors_name_nodes(bench: Bench) -> None:
    """Later versions give a node's name and operator too."""
    bench.behaviour.parser_errors = [
        {"node": 3, "desc": "No importer", "name": "/foo", "operator": "Foo"}
    ]
    with pytest.raises(BuildError, match=r"why:  node 3 /foo Foo: No importer"):
        bench.build()


def test_failed_build_gives_the_logged_errors(bench: Bench) -> None:
    """A build that returns nothing is explained by what TensorRT logged as errors."""
    bench.behaviour.builds = False
    bench.behaviour.logs = ["Error Code 10: Could not find any implementation for node conv"]
    with pytest.raises(BuildError) as caught:
        bench.build()
    assert str(caught.value) == (
        "cannot build toy for trt in fp32\n"
        "  why:  Error Code 10: Could not find any implementation for node conv\n"
        "        RuntimeError: build_serialized_network returned None\n"
        "  mend: see what the messages name; a part of the graph may be beyond this TensorRT"
    )
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_errors_of_an_earlier_stage_are_not_repeated(bench: Bench) -> None:
    """An error that a successful build logged explains no later failure."""
    bench.behaviour.logs = ["Myelin: harmless"]
    built = bench.build()
    built.path(trt.PLAN).write_bytes(b"truncated")
    with pytest.raises(LoadError) as caught, trt.ENGINE.open(built):
        pass
    assert caught.value.why == (
        "magicTag does not match\nRuntimeError: deserialize_cuda_engine returned None"
    )


def test_failed_run(bench: Bench) -> None:
    """An enqueue that returns False is an error, in a bound call too."""
    with trt.ENGINE.open(bench.build()) as runner:
        call = runner.bind(FEEDS)
        bench.behaviour.runs = False
        with pytest.raises(RunError, match="execute_async_v3 returned False"):
            runner.infer(FEEDS)
        with pytest.raises(RunError, match="execute_async_v3 returned False"):
            call()


@pytest.mark.parametrize(
    ("feeds", "why"),
    [
        ({}, "has no array of that name"),
        ({"image": np.zeros((1, 3), np.float32)}, r"has shape \(1, 3\)"),
    ],
)
@only(V8)
def test_other_feeds_are_refused(bench: Bench, feeds: dict[str, Any], why: str) -> None:
    """A missing input, or one that would have to be broadcast, is an error of running."""
    with trt.ENGINE.open(bench.build()) as runner, pytest.raises(RunError, match=why):
        runner.infer(feeds)


@only(V8)
def test_streams(bench: Bench, cuda: SimpleNamespace) -> None:
    """Inference has a stream of its own; a bound call is on torch's current one, as the clock."""
    with trt.ENGINE.open(bench.build()) as runner:
        runner.infer(FEEDS)
        assert bench.behaviour.seen["stream"] == cuda.own[0].cuda_stream
        assert cuda.own[0].waited_for == [cuda.current]
        call = runner.bind(FEEDS)
        cuda.current = SimpleNamespace(cuda_stream=9)
        call()
        assert bench.behaviour.seen["stream"] == 9


@only(V8, V10)
def test_evidence_of_fp16(bench: Bench) -> None:
    """Two layers of three being Half, and a reformat computing nothing, the engine is fp16."""
    with trt.ENGINE.open(bench.build("fp16")) as runner:
        evidence = runner.evidence()
    assert evidence.precision == "fp16"
    assert evidence.device == "cpu"
    assert evidence.details["layers"] == {"fp16": 2, "fp32": 1}
    assert evidence.details["fp16_share"] == pytest.approx(2 / 3)


@only(V8, V10)
def test_fp16_that_was_not_built(bench: Bench) -> None:
    """An engine whose layers are all Float is not fp16, whatever was asked for."""
    bench.behaviour.fp16_is_built = False
    assert bench.precision("fp16") == "fp32"


@pytest.mark.parametrize("asked", ["fp32", "tf32"])
def test_tf32_is_read_from_kernels(bench: Bench, asked: str) -> None:
    """A kernel's name that says TF32 is believed, not the flag."""
    bench.behaviour.kernel = "sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwc"
    assert bench.precision(asked) == "tf32"
    bench.behaviour.kernel = "sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nhwc"
    built = BuiltEngine(
        "trt",
        Graph(SPEC, "", "", GraphRequest("onnx")),
        BuildRequest(asked, "cpu", SHAPES),
        str(bench.folder / asked),
    )
    with trt.ENGINE.open(built) as runner:
        assert runner.evidence().precision == "fp32"


@pytest.mark.parametrize("asked", ["fp32", "tf32"])
def test_tf32_is_the_flag_if_no_kernel_tells(bench: Bench, asked: str) -> None:
    """Kernels without telling names leave the flag, and the evidence says so."""
    bench.behaviour.kernel = "__myl_fused"
    with trt.ENGINE.open(bench.build(asked)) as runner:
        evidence = runner.evidence()
    assert evidence.precision == asked
    assert evidence.details["tf32_known_from"] == "build flags"


def test_timings_are_shared(bench: Bench) -> None:
    """The second build starts with the first one's timings, and keeps them."""
    bench.build("fp32")
    assert not bench.facts["started_with_timings"]
    bench.build("tf32")
    assert bench.facts["started_with_timings"]
    (path,) = bench.folder.glob("timing-cache-*.bin")
    assert path.name == f"timing-cache-{bench.version}-nvidia-geforce-gtx-1070.bin"
    assert path.read_bytes() == bytes([0, 1])


def test_layers_without_details_are_unknown() -> None:
    """An inspector that gives only names proves nothing."""
    layers = layer_precisions(json.dumps({"Layers": ["convolution", "pooling"]}))
    assert layers.precision(allows_tf32=False) == "unknown: the inspector names no layer's type"


def test_a_mixture_is_no_precision() -> None:
    """A minority of Half layers makes neither fp16 nor fp32."""
    types = ["FP16", "FP32", "FP32", "Int32"]
    layers = [
        {"LayerType": "Pooling", "Outputs": [{"Format/Datatype": f"Row major linear {kind}"}]}
        for kind in types
    ]
    found = layer_precisions(json.dumps({"Layers": layers}))
    assert found.counts == {"fp16": 1, "fp32": 2}
    assert found.precision(allows_tf32=False) == "fp32 with fp16 in 1 of 3 layers"


@pytest.mark.parametrize(
    ("text", "precision"),
    [("Half", "fp16"), ("BFloat16", "bf16"), ("Int8", "int8"), ("Float", "fp32"), ("BF16", "bf16")],
)
def test_types_of_weights(text: str, precision: str) -> None:
    """The type of weights decides, by each version's word for it."""
    layer = {"LayerType": "gemm", "Weights": {"Type": text, "Count": 1}, "Outputs": []}
    assert layer_precisions(json.dumps({"Layers": [layer]})).counts == {precision: 1}


NO_GPU = Missing("no NVIDIA GPU", "get one")


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_an_absent_gpu_comes_first(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """Without a GPU nothing else is said, whatever is installed and asked for."""
    monkeypatch.setattr(trt, "missing_gpu", lambda: NO_GPU)
    assert trt.ENGINE.missing(device) is NO_GPU


@pytest.mark.parametrize(
    ("device", "installed", "missing"),
    [
        (
            "cpu",
            ["tensorrt", "torch"],
            Missing("TensorRT needs an NVIDIA GPU, and the device is cpu", "--infer-device=cuda"),
        ),
        ("cuda", ["torch"], Missing("tensorrt not installed", trt.MISSING_MEND)),
        ("cuda", [], Missing("tensorrt and torch not installed", trt.MISSING_MEND)),
        ("cuda", ["tensorrt", "torch"], None),
    ],
)
def test_missing(
    monkeypatch: pytest.MonkeyPatch, device: str, installed: list[str], missing: Missing | None
) -> None:
    """With a GPU, the device asked for and what is installed decide."""
    monkeypatch.setattr(trt, "missing_gpu", lambda: None)
    monkeypatch.setattr(trt, "find_spec", lambda name: name if name in installed else None)
    assert trt.ENGINE.missing(device) == missing


@pytest.mark.parametrize("version", DOUBLE.VERSIONS)
def test_the_double_is_strict(version: str) -> None:
    """The double refuses what a version does not have: members, keywords, enumeration members."""
    double = DOUBLE.tensorrt(version, DOUBLE.Behaviour())
    builder = double.Builder(None)
    with pytest.raises(AttributeError, match=r"no Builder\.max_batch_size"):
        _ = builder.max_batch_size
    with pytest.raises(TypeError, match="incompatible"):
        builder.create_network(flag=1)
    assert hasattr(double.BuilderFlag, "FP16") is (version != V11)
    with pytest.raises(AttributeError):
        _ = double.BuilderFlag.FP17


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16"])
def test_what_a_real_inspector_wrote(precision: str) -> None:
    """8.6 on an H200 writes control characters into its JSON; the layers still tell the truth."""
    recorded = json.loads((Path(__file__).parent / "tensorrt_inspector.json").read_text())
    information = recorded["information"][precision]
    assert "\x1e" in information
    assert layer_precisions(information).precision(allows_tf32=False) == precision
