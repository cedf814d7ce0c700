"""The TensorRT adapter against recorded doubles of TensorRT 8.6, 10.16 and 11.4."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.arrays import write_arrays
from pytest_infer.engines.adapters import trt
from pytest_infer.engines.adapters.trt import versions as tensorrt_api
from pytest_infer.engines.adapters.trt.calibrator import has_calibrator
from pytest_infer.engines.adapters.trt.layers import layer_precisions
from pytest_infer.engines.adapters.trt.profile import ran_layers
from pytest_infer.engines.kept_timings import join_timings
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, LimitsPrecisions, Missing
from pytest_infer.errors import BuildError, LoadError, OptionError, RunError
from pytest_infer.graphs.graph import OPSET, Graph, GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

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
        """Build into a separate folder from the graph that the adapter wants."""
        request = _request(precision, **options)
        types = tensorrt_api.graph_precision(precision, self.version)
        file = self.folder / "graph.json"
        shapes = {name: tensor.shape for name, tensor in SPEC.outputs.items()}
        inputs = {"image": ["batch", 3]}
        file.write_text(json.dumps({"inputs": inputs, "outputs": shapes, "types": types}))
        calibrates = has_calibrator(request)
        types = "fp32" if calibrates else types
        wanted = GraphRequest("onnx", types, opset=opset, has_calibration=calibrates)
        graph = Graph(SPEC, str(file), "digest", wanted)
        folder = Path(mkdtemp(dir=self.folder))
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


def _request(precision: str = "fp32", **options: Any) -> BuildRequest:
    defaults = {name: option.default for name, option in trt.ENGINE.options.items()}
    return BuildRequest(precision, "cpu", SHAPES, {**defaults, **options})


def _cuda_graphs(state: SimpleNamespace) -> dict[str, Any]:
    """Return doubles of torch's CUDA graphs, which replay what TensorRT's double left there."""

    class CudaGraph:
        def __init__(self) -> None:
            self.calls: list[Any] = []

        def replay(self) -> None:
            state.replays += 1
            for call in self.calls:
                call()

    def graph(graph: CudaGraph, *, stream: Any, capture_error_mode: str) -> Any:
        assert (stream, capture_error_mode) == (state.own[-1], "thread_local")
        state.captures += 1
        return DOUBLE.capture(graph)

    return {"CUDAGraph": CudaGraph, "graph": graph}


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let the host's memory be the GPU's, and streams be numbers."""
    torch = pytest.importorskip("torch")
    empty = torch.empty
    state = SimpleNamespace(current=SimpleNamespace(cuda_stream=7), own=[], captures=0, replays=0)

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

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        before, state.current = state.current, stream
        yield
        state.current = before

    monkeypatch.setattr(torch, "empty", host)
    for name, value in {
        "Stream": Stream,
        "set_device": lambda _: None,
        "get_device_name": lambda _index=0: "NVIDIA GeForce GTX 1070",
        "current_stream": lambda: state.current,
        "stream": on,
        "synchronize": lambda: None,
        **_cuda_graphs(state),
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
    assert bench.profile == {"image": [[4, 3]] * 3}


def test_profile_is_dynamic(bench: Bench) -> None:
    """On request the profile has the bounds of the model's spec; its optimum is the case's."""
    bench.build(dynamic_batch=True)
    assert bench.profile == {"image": [[1, 3], [4, 3], [64, 3]]}


def test_a_batch_beyond_the_bounds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The case's own batch is always inside the profile."""
    monkeypatch.setitem(SHAPES, "image", (80, 3))
    bench.build(dynamic_batch=True)
    assert bench.profile == {"image": [[1, 3], [80, 3], [80, 3]]}


def test_any_batch_of_a_dynamic_profile(bench: Bench) -> None:
    """The buffers follow the feeds' shapes, there and back; so does a bound call."""
    with bench.opened(dynamic_batch=True) as runner:
        for rows in (4, 1, 64, 4):
            feeds = {"image": np.arange(3 * rows, dtype=np.float32).reshape(rows, 3)}
            runner.bind(feeds)()
            expected = 2 * np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
            assert (runner.infer(feeds)["scores"] == expected).all()
        assert runner.evidence().proven["dynamic_batch"] is True


def test_a_batch_beyond_a_dynamic_profile(bench: Bench) -> None:
    """A size outside the profile is an error that names the bounds, and the engine lives on."""
    with bench.opened(dynamic_batch=True) as runner:
        with pytest.raises(RunError) as caught:
            runner.infer({"image": np.zeros((65, 3), np.float32)})
        assert str(caught.value) == (
            "cannot feed image\n"
            "  why:  the engine was built for shapes from (1, 3) to (64, 3), and the feed has "
            "shape (65, 3)\n"
            "  mend: feed image in shapes from (1, 3) to (64, 3), or build the engine for another "
            "batch"
        )
        assert runner.infer(FEEDS)


def test_shapes_that_tensorrt_refuses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shape that was refused once is refused again, never run with the buffers of another."""
    with bench.opened(dynamic_batch=True) as runner:
        monkeypatch.setattr(DOUBLE.Context, "set_input_shape", lambda *_: False)
        for _ in range(2):
            with pytest.raises(RunError) as caught:
                runner.infer({"image": np.zeros((2, 3), np.float32)})
            assert str(caught.value) == (
                "TensorRT does not take the shapes {'image': (2, 3)}\n"
                "  why:  RuntimeError: set_input_shape returned False\n"
                "  mend: give the inputs and shapes that the engine was built for; see the messages"
            )


@pytest.mark.parametrize(("mib", "size"), [(4096, 4 * 1024**3), (1, 1024**2)])
def test_workspace_is_limited(bench: Bench, mib: int, size: int) -> None:
    """A kernel may ask for so much workspace and no more, 4 GiB unless it was set."""
    assert trt.ENGINE.options["workspace_mib"].default == 4096
    bench.build(workspace_mib=mib)
    assert {pool.name: n for pool, n in bench.behaviour.seen["config"]._limits.items()} == {
        "WORKSPACE": size
    }


def test_optimization_level(bench: Bench) -> None:
    """The level is 3, TensorRT's own default, unless it was set."""
    bench.build()
    assert bench.behaviour.seen["config"].builder_optimization_level == 3
    bench.build(optimization_level="0")
    assert bench.behaviour.seen["config"].builder_optimization_level == 0
    with pytest.raises(OptionError, match="choose one of: 0, 1, 2, 3, 4, 5"):
        trt.ENGINE.options["optimization_level"].read("trt.optimization_level", "9")


@only(V8)
def test_a_version_without_levels(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TensorRT that has no optimization level is an error, not a build at another one."""
    monkeypatch.delitem(DOUBLE.API[V8]["IBuilderConfig"], "builder_optimization_level")
    with pytest.raises(BuildError, match=r"no IBuilderConfig\.builder_optimization_level"):
        bench.build()


def test_plugins_are_loaded(bench: Bench) -> None:
    """TensorRT's own plugins are registered before a graph is read, and before a plan is."""
    built = bench.build()
    bench.behaviour.plugins = False
    with pytest.raises(BuildError, match="init_libnvinfer_plugins returned False"):
        bench.build(sparse=True)
    with pytest.raises(LoadError, match="init_libnvinfer_plugins returned False"):
        trt.ENGINE.open(built).__enter__()


@pytest.mark.parametrize(
    ("precision", "options", "flags"),
    [
        ("fp32", {}, []),
        ("tf32", {}, ["TF32"]),
        ("fp16", {}, ["FP16", "TF32"]),
        ("int8", {}, ["INT8"]),
        ("int8", {"mixed": True}, ["FP16", "INT8"]),
        ("fp32", {"mixed": True}, []),
        ("fp16", {"sparse": True}, ["FP16", "SPARSE_WEIGHTS", "TF32"]),
    ],
)
@only(V8, V10)
def test_flags(bench: Bench, precision: str, options: dict[str, Any], flags: list[str]) -> None:
    """TF32, which TensorRT sets by itself, is cleared for fp32 and for the rest of int8."""
    bench.build(precision, **options)
    assert bench.behaviour.seen["flags"] == flags
    assert [name for name, is_set in sorted(bench.facts["flags"].items()) if is_set] == flags


@only(V10)
def test_bf16_is_a_flag_of_10(bench: Bench) -> None:
    """TensorRT 10 has the flag BF16, and the graph stays in fp32."""
    bench.build("bf16")
    assert bench.behaviour.seen["flags"] == ["BF16", "TF32"]
    assert bench.facts["graph_types"] == "fp32"


@pytest.mark.parametrize(
    ("precision", "types", "flags"),
    [
        ("fp32", "fp32", []),
        ("tf32", "fp32", ["TF32"]),
        ("fp16", "fp16", ["TF32"]),
        ("bf16", "bf16", ["TF32"]),
        ("int8", "int8", []),
    ],
)
@only(V11)
def test_types_are_flags_of_11(bench: Bench, precision: str, types: str, flags: list[str]) -> None:
    """TensorRT 11 has a flag for TF32 and none for types, which the graph itself carries."""
    bench.build(precision)
    assert bench.behaviour.seen["flags"] == flags
    assert bench.facts["graph_types"] == types
    assert bench.facts["flags"] == {"TF32": "TF32" in flags, "SPARSE_WEIGHTS": False}


@only(V11)
def test_mixed_is_refused_by_11(bench: Bench) -> None:
    """What is not quantized has the graph's type on TensorRT 11; nothing is built instead."""
    with pytest.raises(BuildError) as caught:
        bench.build("int8", mixed=True)
    assert str(caught.value) == (
        "TensorRT 11.4.0 cannot be allowed FP16\n"
        "  why:  it has no BuilderFlag.FP16, and the graph's own types are int8\n"
        "  mend: ask for another --infer-precision, or leave out trt.mixed, or use a TensorRT that "
        "has this flag"
    )
    assert not bench.behaviour.seen


@only(V8)
def test_bf16_is_refused_by_8(bench: Bench) -> None:
    """TensorRT 8.6 builds nothing instead of bf16."""
    with pytest.raises(BuildError, match=r"TensorRT 8\.6\.0 cannot be allowed BF16"):
        bench.build("bf16")


ROWS = {"image": np.arange(18, dtype=np.float32).reshape(6, 3)}


@pytest.mark.parametrize("algorithm", ["entropy", "minmax"])
@only(V8, V10)
def test_calibrator_is_fed_every_row_once(bench: Bench, algorithm: str) -> None:
    """It gets the rows beside the graph at the case's batch, cyclically, and keeps the scales."""
    write_arrays(bench.folder, ROWS)
    bench.build("int8", calibrator=algorithm)
    first, second = bench.behaviour.seen["calibrated"]
    np.testing.assert_array_equal(first, ROWS["image"][:4])
    np.testing.assert_array_equal(second, ROWS["image"][[4, 5, 0, 1]])
    assert bench.behaviour.seen["flags"] == ["INT8"]
    name = f"calibration-{algorithm}-{bench.version}-toy-digest.bin"
    assert bench.facts["calibration_cache"] == name
    assert (bench.folder / name).read_bytes() == b"scales"
    made = bench.behaviour.seen["config"].int8_calibrator
    assert (repr(made), made.get_batch_size()) == (f"Calibrator({name.removesuffix('.bin')})", 4)


@only(V8, V10)
def test_calibrator_reads_its_cache(bench: Bench) -> None:
    """A second build of the same graph is fed nothing; the other algorithm has its own scales."""
    write_arrays(bench.folder, ROWS)
    bench.build("int8", calibrator="entropy")
    bench.build("int8", calibrator="entropy", optimization_level="1")
    assert bench.behaviour.seen["calibrated"] == []
    bench.build("int8", calibrator="minmax")
    assert len(bench.behaviour.seen["calibrated"]) == 2


@only(V11)
def test_11_has_no_calibrators(bench: Bench) -> None:
    """Nothing is built instead, and the message says what has scales there."""
    with pytest.raises(BuildError) as caught:
        bench.build("int8", calibrator="entropy")
    assert str(caught.value) == (
        "cannot build toy for trt with calibrator=entropy\n"
        "  why:  TensorRT 11.4.0 has no IInt8EntropyCalibrator2: networks are strongly typed, and "
        "only Q/DQ nodes have scales\n"
        "  mend: leave out --infer-option=trt.calibrator=entropy, or use TensorRT 8.6 or 10"
    )
    assert not bench.behaviour.seen


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_graph_of_a_calibrator(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    """In int8 it is the fp32 graph with rows beside it; elsewhere the setting means nothing."""
    monkeypatch.setattr(trt, "installed_version", lambda: V10)
    wanted = trt.ENGINE.graph_request(_request(precision, calibrator="entropy"))
    is_int8 = precision == "int8"
    assert (wanted.precision, wanted.is_symmetric) == ("fp32", False)
    assert wanted.has_calibration is is_int8


@pytest.mark.parametrize(
    ("version", "precision", "is_lacking"),
    [
        ("8.6.0", "bf16", True),
        ("8.6.0", "int8", False),
        ("10.16.1", "bf16", False),
        ("11.4.0", "bf16", False),
        (None, "bf16", False),
    ],
)
def test_lack(
    monkeypatch: pytest.MonkeyPatch, version: str | None, precision: str, is_lacking: bool
) -> None:
    """Without importing TensorRT it is known that 8.6 has no bf16."""
    monkeypatch.setattr(trt, "installed_version", lambda: version)
    assert isinstance(trt.ENGINE, LimitsPrecisions)
    why = "TensorRT 8.6.0 knows no bfloat16: it has no BuilderFlag.BF16"
    mend = "--infer-precision=fp16, or TensorRT 10 or 11 in trt's host"
    assert trt.ENGINE.lack(precision, "cuda:0") == (Missing(why, mend) if is_lacking else None)


@pytest.mark.parametrize("version", DOUBLE.VERSIONS)
def test_what_is_known_of_bf16(version: str) -> None:
    """The recorded bindings say the same of bf16 and of strong typing as the adapter does."""
    double = DOUBLE.tensorrt(version, DOUBLE.Behaviour())
    assert hasattr(double.DataType, "BF16") is (tensorrt_api.lacking("bf16", version) is None)
    has_flag = hasattr(double.BuilderFlag, "FP16")
    assert (tensorrt_api.graph_precision("fp16", version) == "fp32") is has_flag


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


@only(V8)
def test_an_unsafe_opset_is_built_on_purpose(bench: Bench) -> None:
    """The guard lets the very opset through that was asked for, and no other."""
    bench.build(opset=18, unsafe_opset=18)
    assert bench.facts["opset"] == 18
    with pytest.raises(BuildError, match="from a graph of opset 19"):
        bench.build(opset=19, unsafe_opset=18, mixed=True)


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
    assert trt.ENGINE.graph_request(_request()) == GraphRequest("onnx", opset=opset)
    assert "tensorrt" not in sys.modules


def test_asks_for_an_unsafe_opset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The opset that was set is the one that is asked for."""
    monkeypatch.setattr(trt, "installed_version", lambda: V8)
    request = _request(unsafe_opset=20)
    assert trt.ENGINE.graph_request(request) == GraphRequest("onnx", opset=20)


@pytest.mark.parametrize(
    ("version", "precision", "types"),
    [
        (V8, "fp16", "fp32"),
        (V8, "int8", "int8"),
        (V10, "bf16", "fp32"),
        (V10, "int8", "int8"),
        (V11, "fp16", "fp16"),
        (V11, "bf16", "bf16"),
        (V11, "tf32", "fp32"),
        (V11, "int8", "int8"),
    ],
)
def test_asks_for_types(
    monkeypatch: pytest.MonkeyPatch, version: str, precision: str, types: str
) -> None:
    """The graph has Q/DQ nodes for int8 everywhere, and half types where they are no flags."""
    monkeypatch.setattr(trt, "installed_version", lambda: version)
    assert trt.ENGINE.graph_request(_request(precision)).precision == types


def test_asks_for_pruned_weights() -> None:
    """Sparse kernels need a graph whose weights are pruned."""
    assert trt.ENGINE.graph_request(_request(sparse=True)).is_pruned
    assert not trt.ENGINE.graph_request(_request()).is_pruned


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
    """Inference has a separate stream; a bound call is on torch's current one, as the clock."""
    with trt.ENGINE.open(bench.build()) as runner:
        runner.infer(FEEDS)
        assert bench.behaviour.seen["stream"] == cuda.own[0].cuda_stream
        assert cuda.own[0].waited_for == [cuda.current]
        call = runner.bind(FEEDS)
        cuda.current = SimpleNamespace(cuda_stream=9)
        call()
        assert bench.behaviour.seen["stream"] == 9


def test_evidence_of_fp16(bench: Bench) -> None:
    """Two layers of three being Half, and a reformat computing nothing, the engine is fp16."""
    with bench.opened("fp16") as runner:
        evidence = runner.evidence()
    assert evidence.precision == "fp16"
    assert evidence.device == "cpu"
    assert evidence.details["layers"] == {"fp16": 2, "fp32": 1}
    assert evidence.precision_share == pytest.approx(2 / 3)
    assert evidence.device_share == 1
    assert evidence.proven == {
        "sparse": False,
        "dynamic_batch": False,
        "cuda_graph": False,
        "mixed": False,
    }


@only(V10, V11)
def test_evidence_of_bf16(bench: Bench) -> None:
    """Bfloat16 layers make a bf16 engine."""
    with bench.opened("bf16") as runner:
        evidence = runner.evidence()
    assert (evidence.precision, evidence.details["layers"]) == ("bf16", {"bf16": 2, "fp32": 1})


def test_evidence_of_int8(bench: Bench) -> None:
    """Of int8 the products count: a pooling in fp32 beside them is as it should be."""
    with bench.opened("int8") as runner:
        evidence = runner.evidence()
    assert (evidence.precision, evidence.precision_share) == ("int8", 1)
    assert evidence.details["layers"] == {"fp32": 1, "int8": 2}
    assert evidence.details["products"] == {"int8": 2}
    assert "mixed" not in evidence.proven


@only(V8, V10)
def test_evidence_of_mixed(bench: Bench) -> None:
    """An fp16 layer beside int8 ones shows that fp16 is allowed there; without one nothing does."""
    with bench.opened("int8", mixed=True) as runner:
        assert runner.evidence().proven["mixed"] is True
    bench.behaviour.mixed_is_built = False
    with bench.opened("int8", mixed=True) as runner:
        assert "mixed" not in runner.evidence().proven
    with bench.opened("fp32", mixed=True) as runner:
        assert runner.evidence().proven["mixed"] is False


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_what_was_not_built(bench: Bench, precision: str) -> None:
    """An engine whose layers are all Float is fp32, whatever was asked for."""
    bench.behaviour.reduced_is_built = False
    with bench.opened(precision) as runner:
        evidence = runner.evidence()
    assert (evidence.precision, evidence.precision_share) == ("fp32", 1)


@pytest.mark.parametrize(
    "kernel",
    [
        "sm80_xmma_fprop_sparse_conv_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize128x128x64_sptensor",
        "sm80_xmma_fprop_avdt_sparse_int8int8_int8_int32_float",
        "sm90_xmma_gemm_f16f16_SpTensor16x8x32",
    ],
)
def test_sparse_kernels(bench: Bench, kernel: str) -> None:
    """A kernel's name tells that the sparse tensor cores are used."""
    bench.behaviour.sparse_kernel = kernel
    with bench.opened("fp16", sparse=True) as runner:
        evidence = runner.evidence()
    assert evidence.proven["sparse"] is True
    assert evidence.details["sparse_kernels"] == 2


def test_sparse_weights_without_sparse_kernels(bench: Bench) -> None:
    """Pruned weights that dense kernels multiply are not sparse, though TensorRT marks them."""
    bench.behaviour.sparse_kernel = "sm80_xmma_fprop_avdt_dense_f16f16"
    with bench.opened("fp16", sparse=True) as runner:
        evidence = runner.evidence()
    assert evidence.proven["sparse"] is False
    assert evidence.details["layers_with_sparse_weights"] == 2


def test_half_inputs_and_outputs_of_11(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Feeds are cast to the engine's own type; outputs stay as they are, but for bfloat16."""
    bench = Bench(V11, monkeypatch, tmp_path)
    for precision, dtype in {"fp16": "float16", "bf16": "float32", "fp32": "float32"}.items():
        with bench.opened(precision) as runner:
            outputs = runner.infer({"image": FEEDS["image"].astype(np.float64)})
        assert outputs["scores"].dtype == dtype
        assert outputs["scores"].ravel().tolist() == [0, 2, 4, 6, 8, 10, 12, 14]


@only(V8)
def test_fractions_for_integers_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes integers is not fed fractions, which would be cut off."""
    double = sys.modules["tensorrt"]
    monkeypatch.setattr(DOUBLE.Engine, "get_tensor_dtype", lambda *_: double.DataType["INT32"])
    with bench.opened() as runner, pytest.raises(RunError) as caught:
        runner.infer(FEEDS)
    assert str(caught.value) == (
        "cannot feed image\n"
        "  why:  the engine takes int32, and the feed is float32\n"
        "  mend: feed image as int32"
    )


def test_cuda_graph(bench: Bench, cuda: SimpleNamespace) -> None:
    """One capture is replayed by inference and by every bound call, on whatever was fed last."""
    with bench.opened(cuda_graph=True) as runner:
        for factor in (1, 3):
            feeds = {"image": factor * FEEDS["image"]}
            expected = [2 * factor * value for value in range(8)]
            assert runner.infer(feeds)["scores"].ravel().tolist() == expected
        assert cuda.replays == 2
        runner.bind(FEEDS)()
        assert cuda.replays == 3
        assert runner.evidence().proven["cuda_graph"] is True
        assert cuda.captures == 1


@pytest.mark.parametrize("replays", [False, True])
def test_bound_outputs(bench: Bench, cuda: SimpleNamespace, *, replays: bool) -> None:
    """They are what the bound call writes; what it does not write is not what was there."""
    del cuda
    with bench.opened(cuda_graph=replays) as runner:
        call = runner.bind(FEEDS)
        expected = runner.infer(FEEDS)["scores"].tolist()
        assert runner.bound_outputs(call)["scores"].tolist() == expected
        assert runner.bound_outputs(lambda: None)["scores"].tolist() != expected


def test_cuda_graph_of_other_shapes(bench: Bench, cuda: SimpleNamespace) -> None:
    """New shapes are captured again; an older bound call keeps its own memory."""
    with bench.opened(cuda_graph=True, dynamic_batch=True) as runner:
        old = runner.bind(FEEDS)
        outputs = runner.infer({"image": np.ones((2, 3), np.float32)})
        assert outputs["scores"].tolist() == [[2, 2], [2, 2]]
        old()
        assert (cuda.captures, cuda.replays) == (2, 2)


def test_a_graph_that_writes_nothing(bench: Bench) -> None:
    """A capture that holds no call leaves the sentinel in the outputs, and the evidence says so."""
    bench.behaviour.graphs_write = False
    with bench.opened(cuda_graph=True) as runner:
        assert runner.evidence().proven["cuda_graph"] is False


@only(V8)
def test_a_call_that_cannot_be_captured(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that CUDA forbids is an error, not a call without a graph."""
    torch = pytest.importorskip("torch")

    def graph(*_: Any, **__: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", graph)
    with bench.opened(cuda_graph=True) as runner, pytest.raises(RunError) as caught:
        runner.infer(FEEDS)
    assert str(caught.value) == (
        "cannot capture the TensorRT engine in a CUDA graph\n"
        "  why:  RuntimeError: operation not permitted when stream is capturing\n"
        "  mend: leave out trt.cuda_graph: a layer that talks to the host cannot be captured"
    )


@only(V8)
def test_a_replay_that_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA's error in a replay is an error of running."""
    torch = pytest.importorskip("torch")

    def replay(_: Any) -> None:
        raise RuntimeError("illegal memory access")

    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", replay)
    with bench.opened(cuda_graph=True) as runner, pytest.raises(RunError) as caught:
        runner.infer(FEEDS)
    assert caught.value.why == "RuntimeError: illegal memory access"


@pytest.mark.parametrize("asked", ["fp32", "tf32"])
def test_tf32_is_read_from_kernels(bench: Bench, asked: str) -> None:
    """A kernel's name that says TF32 is believed, not the flag."""
    bench.behaviour.kernel = "sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwc"
    assert bench.precision(asked) == "tf32"
    bench.behaviour.kernel = "sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nhwc"
    assert bench.precision(asked) == "fp32"


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


def test_fresh_builds_time_every_kernel_again(bench: Bench) -> None:
    """They start from nothing, and leave what is kept as it is."""
    bench.build("fp32")
    (path,) = bench.folder.glob("timing-cache-*.bin")
    before = path.read_bytes()
    bench.build("tf32", timing_cache="fresh")
    assert not bench.facts["started_with_timings"]
    assert path.read_bytes() == before


def test_builds_start_from_kept_timings(bench: Bench) -> None:
    """Those beside the baselines are joined with those in the cache, and named by the version."""
    assert trt.ENGINE.timings_name() == f"trt-{bench.version}.timing"
    path = trt.ENGINE.timings_file(bench.folder, "cuda:0")
    join_timings(path, bytes([7]), partial(trt.ENGINE.merge_timings, device="cuda:0"))
    bench.build("fp32")
    assert bench.facts["started_with_timings"]
    assert path.read_bytes() == bytes([0, 7])


@pytest.mark.usefixtures("bench")
def test_timings_are_merged_by_the_library() -> None:
    """Either may be empty; of nothing comes nothing."""
    assert trt.ENGINE.merge_timings(bytes([1, 3]), bytes([2]), "cuda:0") == bytes([1, 2, 3])
    assert trt.ENGINE.merge_timings(bytes([1]), b"", "cuda:0") == bytes([1])
    assert trt.ENGINE.merge_timings(b"", bytes([1]), "cuda:0") == bytes([1])
    assert trt.ENGINE.merge_timings(b"", b"", "cuda:0") == b""


@pytest.mark.usefixtures("bench")
def test_timings_are_merged_on_their_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library makes a context on the current one, which may be another run's."""
    devices: list[int] = []
    monkeypatch.setattr(sys.modules["torch"].cuda, "set_device", devices.append)
    trt.ENGINE.merge_timings(bytes([1]), bytes([2]), "cuda:1")
    assert devices == [1]


@pytest.mark.parametrize("other", [b"", bytes([1])])
def test_timings_that_the_library_refuses(bench: Bench, other: bytes) -> None:
    """Those of another GPU are an error, not a build from nothing."""
    bench.behaviour.refuses_timings = True
    with pytest.raises(BuildError) as caught:
        trt.ENGINE.merge_timings(bytes([9]), other, "cuda:0")
    assert "trt.timing_cache=fresh" in caught.value.mend


def test_layers_without_details_are_unknown() -> None:
    """An inspector that gives only names proves nothing."""
    layers = layer_precisions(json.dumps({"Layers": ["convolution", "pooling"]}))
    precision = layers.precision(allows_tf32=False)
    assert precision == "unknown: the inspector names no layer's type"
    assert layers.share_in(precision) == 0


def test_a_mixture_is_no_precision() -> None:
    """A minority of Half layers makes neither fp16 nor fp32."""
    types = ["FP16", "FP32", "FP32", "Int32"]
    layers = [
        {"LayerType": "Pooling", "Outputs": [{"Format/Datatype": f"Row major linear {kind}"}]}
        for kind in types
    ]
    found = layer_precisions(json.dumps({"Layers": layers}))
    assert found.counts == {"fp16": 1, "fp32": 2}
    mixture = found.precision(allows_tf32=False)
    assert mixture == "fp32 with fp16 in 1 of 3 layers"
    assert found.share_in(mixture) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("kernels", "allows_tf32", "precision", "share"),
    [
        (["sgemm", "tf32f32"], False, "tf32", 1 / 2),
        (["sgemm", "sgemm"], True, "fp32", 1.0),
        (["__myl", "__myl"], True, "tf32", 1.0),
        (["__myl", "__myl"], False, "fp32", 1.0),
    ],
)
def test_share_of_tf32(kernels: list[str], allows_tf32: bool, precision: str, share: float) -> None:
    """The share of TF32 is of the kernels that say so, or of all fp32 layers if none tells."""
    weights = {"Type": "Float", "Count": 1}
    layers = [{"LayerType": "gemm", "Weights": weights, "TacticName": name} for name in kernels]
    found = layer_precisions(json.dumps({"Layers": layers}))
    assert found.precision(allows_tf32=allows_tf32) == precision
    assert found.share_in(precision) == share


@pytest.mark.parametrize(
    ("products", "precision", "share"),
    [
        (["Int8", "Int8", "Float"], "int8", 2 / 3),
        (["Int8", "Float"], "int8", 1 / 2),
        (["Int8", "Float", "Float"], "fp32 with int8 in 1 of 5 layers", 4 / 5),
        (["Half", "Half", "Int8"], "fp32 with int8 in 1, fp16 in 2 of 5 layers", 2 / 5),
    ],
)
def test_int8_is_a_share_of_the_products(products: list[str], precision: str, share: float) -> None:
    """Two pointwise layers in fp32 do not count against int8; half of the products must be it."""
    convolutions = [
        {"LayerType": "CaskConvolution", "Weights": {"Type": kind, "Count": 1}} for kind in products
    ]
    pointwise = {"LayerType": "PointWiseV2", "Outputs": [{"Format/Datatype": "Row major FP32"}]}
    found = layer_precisions(json.dumps({"Layers": [*convolutions, pointwise, pointwise]}))
    assert found.precision(allows_tf32=False) == precision
    assert found.share_in(precision) == pytest.approx(share)


@pytest.mark.parametrize(
    ("layer", "is_product"),
    [
        ({"LayerType": "CaskGemmMatrixMultiply"}, True),
        ({"LayerType": "MatrixMultiply"}, True),
        ({"LayerType": "Myelin"}, True),
        ({"LayerType": "gemm"}, True),
        ({"LayerType": "kgen", "ParameterType": "Convolution"}, True),
        ({"LayerType": "CaskPooling"}, False),
        ({"LayerType": "SoftMaxV2"}, False),
        ({"LayerType": "kgen", "Weights": {"Type": "Float", "Count": 0}}, False),
    ],
)
def test_products(layer: dict[str, Any], is_product: bool) -> None:
    """Convolutions, matrix products and blocks that are fused as a whole are products."""
    layer["Outputs"] = [{"Format/Datatype": "Row major FP32"}]
    found = layer_precisions(json.dumps({"Layers": [layer]}))
    assert found.products == ({"fp32": 1} if is_product else {})


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


@pytest.mark.parametrize("options", [{}, {"cuda_graph": True}], ids=["enqueue", "cuda-graph"])
def test_layers_are_timed_by_its_own_profiler(bench: Bench, options: dict[str, Any]) -> None:
    """Each layer's times of the calls after the first, in ns; never those of a replay."""
    bench.behaviour.layers_ms = [("c", 0.25), ("new", 0.5), ("c", 0.125)]
    built = bench.build(**options)
    found = trt.ENGINE.profile(built, FEEDS, warmup=1, calls=3)
    assert found.by == "TensorRT's profiler (IProfiler)"
    assert [(each.name, each.durations_ns) for each in found.layers] == [
        ("c", (375_000,) * 3),
        ("new", (500_000,) * 3),
    ]
    assert (found.layers[0].operator, found.layers[0].precision) == ("CaskConvolution", "fp32")


def test_a_profile_of_an_engine_that_does_not_run(bench: Bench) -> None:
    """It is an error with what TensorRT said."""
    built = bench.build()
    bench.behaviour.runs = False
    with pytest.raises(RunError, match="TensorRT did not run"):
        trt.ENGINE.profile(built, FEEDS, warmup=0, calls=1)


def test_what_layers_were_made_from() -> None:
    """The inspector of 8.6.0 names the nodes of each layer (recorded on an H200)."""
    recorded = json.loads(Path(__file__).with_name("tensorrt_inspector.json").read_text())
    layers = ran_layers(recorded["information"]["fp32"])
    first = layers[0]
    assert (first.operator, first.place, first.precision) == ("Convolution", "GPU", "fp32")
    assert first.covers == ("/conv1/Conv", "/relu/Relu")
    assert len({name for layer in layers for name in layer.covers}) >= len(layers)
