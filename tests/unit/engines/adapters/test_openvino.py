"""The OpenVINO adapter asks for what it was asked for, and tells what the library did instead."""

import sys

import numpy as np
import pytest

from pytest_infer.arrays import write_arrays
from pytest_infer.engines.adapters import openvino as adapter
from pytest_infer.engines.adapters.openvino import nncf as quantizer
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, LimitsPrecisions, Missing
from pytest_infer.errors import BuildError, LoadError, RunError
from pytest_infer.graphs.export import export_onnx
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.graphs.quantization import calibration_feeds, quantize_onnx
from pytest_infer.models import registry as models
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec
from pytest_infer.testing import contract_model  # noqa: F401 - registers the model

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

MODEL = models.find("contract_cnn")
FEEDS = calibration_feeds(MODEL, "")
DEFAULTS = {name: option.default for name, option in adapter.ENGINE.options.items()}

names_both = pytest.mark.skipif(
    torch.__version__.startswith("2.10"),
    reason="torch 2.10 names the outputs of one tensor by the last one; the export is refused",
)
can_bf16 = pytest.mark.skipif(
    adapter.ENGINE.lack("bf16", "cpu") is not None, reason="this CPU does not multiply in bf16"
)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """The model exported in fp32, and quantized."""
    folder = tmp_path_factory.mktemp("graphs")
    export_onnx(MODEL.create(), MODEL.spec, folder / "fp32.onnx", GraphRequest("onnx"), {})
    quantize_onnx(folder / "fp32.onnx", FEEDS, folder / "int8.onnx", is_symmetric=False)
    return folder


@pytest.fixture
def build(graphs, tmp_path):
    """Build an engine of 8 rows for a precision and options."""

    def built(precision="fp32", *, graph="", **options):
        request = BuildRequest(precision, "cpu", MODEL.spec.input_shapes(8), DEFAULTS | options)
        wanted = adapter.ENGINE.graph_request(request)
        file = graph or str(graphs / f"{wanted.precision}.onnx")
        exact = Graph(MODEL.spec, file, "digest", wanted)
        adapter.ENGINE.build(exact, request, tmp_path)
        return BuiltEngine("openvino", exact, request, str(tmp_path))

    return built


def evidence(built):
    """Return the evidence of an engine."""
    with adapter.ENGINE.open(built) as runner:
        return runner.evidence()


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=can_bf16), "int8"])
def test_precision_is_what_every_product_runs_in(build, precision):
    """Each precision that was asked for is found in the runtime model, in all its products."""
    found = evidence(build(precision))
    assert (found.precision, found.precision_share) == (precision, 1.0)
    assert found.details["nodes"]["products"] == {precision: 5}
    assert (found.device, found.device_share) == ("cpu", 1.0)


@can_bf16
def test_default_is_not_fp32_and_shows(build, monkeypatch):
    """Without the hint OpenVINO would run an fp32 graph in bf16, and the evidence would say so."""
    built = build("fp32")
    settings = adapter._settings

    def forgetful(request):
        given = settings(request)
        del given["INFERENCE_PRECISION_HINT"]
        return given

    monkeypatch.setattr(adapter, "_settings", forgetful)
    found = evidence(built)
    assert (found.precision, found.details["hint"]) == ("bf16", "bf16")


def test_unquantized_graph_is_not_int8(build, graphs):
    """A graph without Q/DQ nodes runs in fp32, whatever was asked for."""
    assert evidence(build("int8", graph=str(graphs / "fp32.onnx"))).precision == "fp32"


def test_weights_are_saved_in_fp32(build):
    """The file holds every weight in four bytes; OpenVINO's default would halve them."""
    weights = sum(each.numel() for each in MODEL.create().parameters())
    assert build().path("model.bin").stat().st_size >= 4 * weights


@pytest.mark.parametrize(("threads", "proven"), [(1, {"threads": 1}), (0, {})])
def test_threads_are_proven_where_they_were_chosen(build, threads, proven):
    """OpenVINO's own choice is a detail, and is no proof of a setting."""
    found = evidence(build(threads=threads))
    assert found.proven == {"dynamic_batch": False, **proven}
    assert found.details["threads"] >= 1


def test_more_threads_than_cores_show(build):
    """OpenVINO takes no more threads than there are cores, and the evidence has its number."""
    assert evidence(build(threads=100_000)).proven["threads"] < 100_000


def test_dynamic_batch_is_proven(build):
    """The dimensions stay dynamic if asked to, and the outputs are the same."""
    feeds = {name: value[:8] for name, value in FEEDS.items()}
    outputs = []
    for is_dynamic in (False, True):
        built = build(dynamic_batch=is_dynamic)
        assert evidence(built).proven["dynamic_batch"] is is_dynamic
        with adapter.ENGINE.open(built) as runner:
            outputs.append(runner.infer(feeds))
    static, dynamic = outputs
    for name, value in static.items():
        np.testing.assert_allclose(dynamic[name], value, rtol=1e-5, atol=1e-6)


def test_outputs_are_owned(build):
    """Outputs are arrays with separate memory, not views of OpenVINO's."""
    with adapter.ENGINE.open(build()) as runner:
        assert all(value.flags.owndata for value in runner.infer(FEEDS).values())


def test_bound_feeds_are_apart_from_others(build):
    """Neither a later inference nor a change of the caller's array reaches what was bound."""
    feeds = {name: value.copy() for name, value in FEEDS.items()}
    with adapter.ENGINE.open(build()) as runner:
        before = runner.infer(feeds)
        call = runner.bind(feeds)
        for value in feeds.values():
            value[:] = 0
        runner.infer(feeds)
        results = call()
    for output, value in results.items():
        assert (value == before[output.get_any_name()]).all()


@pytest.mark.parametrize(
    ("feeds", "has"),
    [
        ({}, "no array of that name"),
        ({"image": np.zeros((1, 3, 56, 56), np.float32)}, "shape (1, 3, 56, 56)"),
    ],
)
def test_wrong_feed(build, feeds, has):
    """A missing feed and a shape that the engine is not for are refused by name."""
    for is_dynamic in (False, True):
        takes = "shape (8, 3, 56, 56)"
        if is_dynamic:
            takes = "shapes from (1, 3, 56, 56) to (64, 3, 56, 56)"
            feeds = {name: np.zeros((65, 3, 56, 56), np.float32) for name in feeds}
            has = has.replace("(1,", "(65,")
        with adapter.ENGINE.open(build(dynamic_batch=is_dynamic)) as runner:
            for use in (runner.infer, runner.bind):
                with pytest.raises(RunError) as caught:
                    use(feeds)
                assert str(caught.value) == (
                    f"cannot feed image\n  why:  the engine was built for {takes}, and the feed "
                    f"has {has}\n  mend: feed image in {takes}, or build the engine for another "
                    "batch"
                )


def test_dynamic_engine_takes_other_batches(build):
    """An engine that keeps its dynamic dimensions takes every batch of the model's bounds."""
    with adapter.ENGINE.open(build(dynamic_batch=True)) as runner:
        assert runner.infer({"image": FEEDS["image"][:1]})["scores"].shape == (1, 16)


def test_unreadable_graph(build, tmp_path):
    """What OpenVINO says of a graph is the reason."""
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(BuildError) as caught:
        build(graph=str(tmp_path / "broken.onnx"))
    what, why, *_, mend = str(caught.value).splitlines()
    assert what == "cannot build contract_cnn for openvino in fp32"
    assert why.startswith("  why:  RuntimeError: ")
    assert mend == "  mend: see which operator or shape it names, or leave openvino out"


def test_truncated_engine(build):
    """A built engine whose weights are gone is an error of loading."""
    built = build()
    built.path("model.bin").write_bytes(b"")
    with pytest.raises(LoadError) as caught:
        evidence(built)
    what, why, *_, mend = str(caught.value).splitlines()
    assert what == f"cannot load {built.path('model.xml')}"
    assert why.startswith("  why:  RuntimeError: ")
    assert mend == (
        "  mend: its files are as they were built: see which operator or type OpenVINO names; "
        "change it in the model, or leave openvino out"
    )


class Viewed(torch.nn.Linear):
    """OpenVINO drops the view, and its one tensor then has the names of both."""

    def __init__(self):
        super().__init__(8, 8)

    def forward(self, x):
        """Return a view of what a linear layer returns."""
        y = super().forward(x)
        return y.view(y.shape[0], -1)


class Twice(torch.nn.Linear):
    """Two outputs of one tensor."""

    def __init__(self):
        super().__init__(8, 8)

    def forward(self, x):
        """Return the same twice."""
        y = super().forward(x)
        return y, y


@pytest.mark.parametrize("is_dynamic", [False, True])
@pytest.mark.parametrize(
    ("make", "shape", "names"),
    [
        (Viewed, (8,), ("y",)),
        (Viewed, (8,), ("aa",)),
        pytest.param(Twice, (8,), ("y", "a"), marks=names_both),
        (lambda: torch.nn.GroupNorm(2, 8), (8, 6, 6), ("y",)),
    ],
)
def test_a_port_goes_by_the_name_that_was_exported(tmp_path, make, shape, names, is_dynamic):
    """Whatever other names its tensor has, and whichever is first by alphabet."""
    tensor, path = TensorSpec(("batch", *shape)), tmp_path / "graph.onnx"
    outputs = dict.fromkeys(names, tensor)
    spec = ModelSpec("toy", "tensor", {"x": tensor}, outputs, Source(module="toy"))
    torch.manual_seed(0)
    module = make().eval()
    export_onnx(module, spec, path, GraphRequest("onnx"), {})
    options = DEFAULTS | {"dynamic_batch": is_dynamic}
    request = BuildRequest("fp32", "cpu", spec.input_shapes(3), options)
    graph = Graph(spec, str(path), "digest", GraphRequest("onnx"))
    adapter.ENGINE.build(graph, request, tmp_path)
    x = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    with adapter.ENGINE.open(BuiltEngine("openvino", graph, request, str(tmp_path))) as runner:
        found = runner.infer({"x": x})
    with torch.no_grad():
        expected = module(torch.from_numpy(x))
    assert set(found) == set(names)
    for values in found.values():
        one = expected if isinstance(expected, torch.Tensor) else expected[0]
        np.testing.assert_allclose(values, one.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operator", ["Max", "Min", "Sum", "Identity"])
@pytest.mark.parametrize("is_dynamic", [False, True])
def test_an_output_that_is_an_input_unchanged(tmp_path, operator, is_dynamic):
    """OpenVINO drops such an operator, and one of the two names with it."""
    onnx = pytest.importorskip("onnx")
    value, make = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    ends = [value(name, onnx.TensorProto.FLOAT, ["batch", 3]) for name in ("w", "x", "y", "z")]
    nodes = [make(operator, ["x"], ["y"]), make("Add", ["w", "x"], ["z"])]
    opset, tensor = [onnx.helper.make_opsetid("", 17)], TensorSpec(("batch", 3))
    graph = onnx.helper.make_graph(nodes, "toy", ends[:2], ends[2:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset), tmp_path / "graph.onnx")
    inputs, outputs = dict.fromkeys(("w", "x"), tensor), dict.fromkeys(("y", "z"), tensor)
    spec = ModelSpec("toy", "tensor", inputs, outputs, Source(module="toy"))
    options = DEFAULTS | {"dynamic_batch": is_dynamic}
    request = BuildRequest("fp32", "cpu", spec.input_shapes(2), options)
    file = Graph(spec, str(tmp_path / "graph.onnx"), "digest", GraphRequest("onnx"))
    adapter.ENGINE.build(file, request, tmp_path)
    w, x = np.float32([[1, 2, 3], [4, 5, 6]]), np.float32([[9, 8, 7], [6, 5, 4]])
    with adapter.ENGINE.open(BuiltEngine("openvino", file, request, str(tmp_path))) as runner:
        found = runner.infer({"w": w, "x": x})
    np.testing.assert_array_equal(found["y"], x)
    np.testing.assert_array_equal(found["z"], w + x)


def test_a_port_of_no_known_name_is_shown_by_its_own():
    """So that the judge of outputs can say what came instead."""

    class Port:
        def __init__(self, *names):
            self.names = names

        def get_names(self):
            return set(self.names)

        def get_any_name(self):
            return min(self.names)

    first, both, other = Port("a", "y"), Port("b", "z"), Port("c", "d")
    found = adapter._ports([first, both, other], ["y", "z", "w"], ["x"])
    assert found == {"y": first, "z": both, "c": other}


def test_missing(monkeypatch):
    """The library is looked for without importing it, then the device."""
    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    monkeypatch.setattr(adapter, "find_spec", lambda _: None)
    assert adapter.ENGINE.missing("cpu") == Missing(
        "openvino is not installed", "pip install 'pytest-infer[openvino]'"
    )
    monkeypatch.setattr(adapter, "find_spec", lambda _: object())
    assert adapter.ENGINE.missing("cpu") is None
    assert adapter.ENGINE.missing("cuda:0") == Missing(
        "this adapter drives OpenVINO on the CPU only, and the device is cuda:0",
        "--infer-device=cpu",
    )
    assert "openvino" not in sys.modules


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_bf16_needs_a_flag_of_the_cpu(monkeypatch, tmp_path, flag):
    """A CPU without bf16 instructions lacks bf16 and nothing else."""
    assert isinstance(adapter.ENGINE, LimitsPrecisions)
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(adapter, "CPU_INFO", info)
    info.write_text("flags\t\t: fpu avx512f avx512_bf16x\n")
    assert adapter.ENGINE.lack("bf16", "cpu") == Missing(
        f"the CPU has none of the flags amx_bf16, avx512_bf16 in {info}",
        "run on a CPU that has one, or leave out --infer-precision=bf16",
    )
    assert adapter.ENGINE.lack("int8", "cpu") is None
    info.write_text(f"flags\t\t: fpu {flag} avx512f\n")
    assert adapter.ENGINE.lack("bf16", "cpu") is None


def test_graph_of_nncf():
    """In int8 it is the exported graph with rows beside it; elsewhere the setting means nothing."""
    for precision in ("fp32", "int8"):
        options = DEFAULTS | {"quantizer": "nncf"}
        request = BuildRequest(precision, "cpu", MODEL.spec.input_shapes(8), options)
        is_int8 = precision == "int8"
        assert adapter.ENGINE.graph_request(request) == GraphRequest(
            "onnx", has_calibration=is_int8
        )


def test_nncf_is_missing(build, monkeypatch):
    """Nothing is built instead, in fp32 least of all."""
    monkeypatch.setattr(quantizer, "find_spec", lambda _: None)
    with pytest.raises(BuildError) as caught:
        build("int8", quantizer="nncf")
    assert str(caught.value) == (
        "cannot quantize contract_cnn for openvino by NNCF\n"
        "  why:  nncf is not installed where openvino is\n"
        "  mend: pip install nncf, or leave out --infer-option=openvino.quantizer=nncf"
    )


def test_nncf(graphs, build):
    """Its graph computes its products in int8, and the model's outputs within 15 %."""
    pytest.importorskip("nncf")
    write_arrays(graphs, FEEDS)
    built = build("int8", quantizer="nncf")
    found = evidence(built)
    assert (found.precision, found.precision_share) == ("int8", 1)
    with adapter.ENGINE.open(built) as runner:
        outputs = runner.infer(FEEDS)
    with torch.no_grad():
        exact, _ = MODEL.create()(torch.from_numpy(FEEDS["image"]))
    error = np.linalg.norm(outputs["scores"] - exact.numpy()) / np.linalg.norm(exact.numpy())
    assert 0 < error < 0.15
