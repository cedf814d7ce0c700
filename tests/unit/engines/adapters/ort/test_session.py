"""What is asked of ONNX Runtime's sessions, and that a provider it drops is an error."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from ort_versions import names_nodes

from pytest_infer.engines.adapters import ort
from pytest_infer.engines.adapters.ort.session import (
    CPU,
    CUDA,
    TENSORRT,
    new_session,
    placement,
    providers_for,
    session_options,
)
from pytest_infer.engines.protocol import BuildRequest
from pytest_infer.errors import BuildError, LoadError
from pytest_infer.graphs.export import export_onnx
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.models import registry as models
from pytest_infer.testing.contract_model import contract_cnn

DEFAULTS = {name: option.default for name, option in ort.ENGINE.options.items()}
SPEC = models.find("contract_cnn").spec


def request(precision="fp32", device="cuda:1", **options):
    """Return a request with these settings."""
    return BuildRequest(precision, device, SPEC.input_shapes(1), {**DEFAULTS, **options})


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A real graph."""
    path = tmp_path_factory.mktemp("graph") / "graph.onnx"
    export_onnx(contract_cnn(), SPEC, path, GraphRequest("onnx"), {})
    return path


@pytest.mark.parametrize(("precision", "tf32"), [("fp32", "0"), ("tf32", "1"), ("fp16", "0")])
def test_tf32_is_explicit(precision, tf32):
    """ONNX Runtime allows TF32 by default; here it is on only where it is asked for."""
    (name, options), (last, _) = providers_for(request(precision), Path("/"), 7)
    assert (name, last) == (CUDA, CPU)
    assert options == {
        "device_id": "1",
        "use_tf32": tf32,
        "enable_cuda_graph": "0",
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "user_compute_stream": "7",
    }


def test_tensorrt_provider():
    """Its engines and timings are kept in the folder; CUDA takes what it leaves."""
    asked = request("fp16", provider="tensorrt", cuda_graph=True)
    (name, options), (second, cuda), _ = providers_for(asked, Path("/a"))
    assert (name, second) == (TENSORRT, CUDA)
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == "/a"
    assert (options["trt_fp16_enable"], options["trt_cuda_graph_enable"]) == ("1", "1")
    assert cuda["enable_cuda_graph"] == "0"


def test_no_gpu_provider_on_the_cpu():
    """The CPU's provider alone serves the CPU."""
    assert providers_for(request(device="cpu"), Path("/")) == [(CPU, {})]


def test_threads(file):
    """Threads are set and can be read back; more than one operator at a time runs parallel."""
    asked = request(device="cpu", intra_op_threads=2, inter_op_threads=3)
    options = session_options(asked, level="basic")
    found = new_session(file, options, [(CPU, {})]).get_session_options()
    assert (found.intra_op_num_threads, found.inter_op_num_threads) == (2, 3)
    assert found.execution_mode.name == "ORT_PARALLEL"


@names_nodes
def test_every_node_is_placed(file):
    """On the CPU all nodes are its provider's."""
    session = new_session(file, session_options(request(), level="none"), [(CPU, {})])
    (placed,) = placement(session).items()
    assert placed[0] == CPU
    assert placed[1] >= 3


def test_provider_that_is_lost(file):
    """A build without CUDA warns and runs on the CPU; here that is an error."""
    options = session_options(request(), level="all")
    with pytest.raises(LoadError) as caught:
        new_session(file, options, [(CUDA, {}), (CPU, {})])
    assert caught.value.what == f"cannot run {file} with CUDAExecutionProvider"
    assert caught.value.why.endswith("could not load it and runs with CPUExecutionProvider")


def test_placement_that_cannot_be_told():
    """A version that does not record it, with a GPU's provider, proves nothing."""
    old = SimpleNamespace(get_providers=lambda: [CUDA, CPU])
    with pytest.raises(LoadError) as caught:
        placement(old)
    assert str(caught.value) == (
        "cannot find out where ONNX Runtime has placed the graph's nodes\n"
        "  why:  this version does not record it\n"
        "  mend: pip install 'onnxruntime-gpu>=1.24'"
    )
    assert placement(SimpleNamespace(get_providers=lambda: [CPU])) == {CPU: 1}


def test_tensorrt_provider_cannot_do_fp32(tmp_path):
    """TensorRT would compute fp32 in TF32, and this provider cannot forbid it."""
    graph = SimpleNamespace(spec=SPEC)
    with pytest.raises(BuildError) as caught:
        ort.ENGINE.build(graph, request(provider="tensorrt"), tmp_path)
    assert str(caught.value) == (
        "cannot build contract_cnn for ort in fp32\n"
        "  why:  its TensorRT provider has no switch for TF32, which TensorRT allows by default\n"
        "  mend: ask for --infer-precision=tf32, or use the engine trt"
    )


def test_cuda_graph_with_nodes_on_the_cpu(file, tmp_path, monkeypatch):
    """ONNX Runtime would capture it all the same, and replay without those nodes."""
    monkeypatch.setattr(ort, "providers_for", lambda *_: [(CPU, {})])
    graph = Graph(SPEC, str(file), "", GraphRequest("onnx"))
    with pytest.raises(BuildError) as caught:
        ort.ENGINE.build(graph, request(cuda_graph=True), tmp_path)
    assert caught.value.what == "cannot build contract_cnn for ort in fp32"
    assert re.fullmatch(r"\d+ nodes run on the CPU", caught.value.why)
    ort.ENGINE.build(graph, request(), tmp_path)


@pytest.mark.parametrize(
    ("asked", "graph"),
    [
        (request(), GraphRequest("onnx")),
        (request("tf32"), GraphRequest("onnx")),
        (request("fp16"), GraphRequest("onnx", precision="fp16")),
        (request("tf32", provider="tensorrt"), GraphRequest("onnx", is_static=True)),
        (request(cuda_graph=True), GraphRequest("onnx", is_static=True)),
    ],
)
def test_graph_that_it_wants(asked, graph):
    """fp16 is in the file's types; TensorRT's provider builds for fixed shapes."""
    assert ort.ENGINE.graph_request(asked) == graph


@pytest.mark.parametrize(
    ("owners", "why"),
    [
        (["onnxruntime"], "this onnxruntime has no CUDA provider and would run on the CPU"),
        (
            ["onnxruntime", "onnxruntime-gpu"],
            (
                "onnxruntime and onnxruntime-gpu are both installed; they own the same files, and "
                "what was installed last has won"
            ),
        ),
    ],
)
def test_no_cuda_provider(monkeypatch, owners, why):
    """A build for the CPU, or two builds over each other, are reported before anything runs."""
    monkeypatch.setattr(ort, "missing_gpu", lambda: None)
    monkeypatch.setattr(ort, "_owners", lambda: owners)
    assert ort.ENGINE.missing("cuda:0").why == why


def test_owner_of_the_module():
    """The distribution is found that brings the module here."""
    assert ort._owners() == ["onnxruntime"]
