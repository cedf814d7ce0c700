"""The adapter of Inductor: what it refuses, and what it reads back; nothing is compiled here."""

from __future__ import annotations

import shutil
from dataclasses import replace
from threading import Lock
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from pytest_infer.engines.adapters import compile as adapter
from pytest_infer.engines.adapters.compile import ENGINE, toolchain
from pytest_infer.engines.adapters.compile.package import weight_dtypes_of
from pytest_infer.engines.adapters.compile.runner import (
    Compiled,
    CompileRunner,
    artefact_of,
    default_artefact,
)
from pytest_infer.engines.exported_program import exported_program
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.errors import BuildError, LoadError, RunError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec

OPTIONS = {name: option.default for name, option in ENGINE.options.items()}
FACTS = {"graphs": 1, "graph_breaks": 0, "autotuned": 0, "allows_tf32": False}


def _graph(**dims: Dim) -> Graph:
    spec = ModelSpec(
        name="toy",
        task="tensor",
        inputs={"image": TensorSpec(("batch", 2) if dims else (3, 2))},
        outputs={"scores": TensorSpec(("batch", 2) if dims else (3, 2))},
        source=Source(module="toy"),
        dims=dims,
    )
    return Graph(spec, "", "digest", GraphRequest("module"))


GRAPH = _graph(batch=Dim(1, 3, 8))


def _request(graph: Graph = GRAPH, batch: int = 3, **options: bool | str) -> BuildRequest:
    return BuildRequest("fp32", "cpu", graph.spec.input_shapes(batch), {**OPTIONS, **options})


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Build a module into a folder, or see why not."""

    def call(module=None, graph=GRAPH, **options):
        monkeypatch.setattr(adapter, "module_from_graph", lambda _: module or torch.nn.ReLU())
        request = _request(graph, **options)
        ENGINE.build(graph, request, tmp_path)
        return BuiltEngine("compile", graph, request, str(tmp_path))

    return call


def _doubled(image):
    return [2 * image]


def _first_three_doubled(image):
    """Return what a package for three rows returns, which does not look how many there are."""
    return [2 * image[:3]]


def _runner(
    call=_first_three_doubled,
    graph: Graph = GRAPH,
    batch: int = 3,
    facts=FACTS,
    opened="package",
    **options,
) -> CompileRunner:
    built = BuiltEngine("compile", graph, _request(graph, batch, **options), folder="")
    return CompileRunner(Compiled(opened, call, {"float32"}, facts), built)


def test_what_is_missing(monkeypatch):
    """A compiler is looked for where Inductor looks: CXX, which may have arguments, or else g++."""
    monkeypatch.setattr(shutil, "which", lambda name: name if name in {"ccache", "g++"} else None)
    monkeypatch.delenv("CXX", raising=False)
    assert ENGINE.missing("cpu") is None
    monkeypatch.setenv("CXX", "ccache g++ -m64")
    assert ENGINE.missing("cpu") is None
    for absent in ("/nonexistent", ""):
        monkeypatch.setenv("CXX", absent)
        lack = ENGINE.missing("cpu")
        assert lack.why == f"Inductor compiles C++, and there is no compiler {absent!r}"
        assert lack.mend == "apt-get install g++, or name another compiler: CXX=clang++"


def test_missing_cuda_toolkit(monkeypatch):
    """On a GPU CUDA's headers are looked for where torch looks."""
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "nvcc" else name)
    monkeypatch.setattr(toolchain.os.path, "exists", lambda _: False)
    for name in ("CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)
    lack = toolchain.missing_cuda_headers()
    assert lack.why == "AOTInductor compiles against CUDA's headers, and there is no CUDA toolkit"
    assert (
        lack.mend == "install the toolkit of torch's CUDA version, and set CUDA_HOME to its folder"
    )
    monkeypatch.setenv("CUDA_HOME", "/opt/cuda")
    assert toolchain.missing_cuda_headers() is None


def test_what_triton_needs(monkeypatch, tmp_path):
    """On a GPU a C compiler is looked for where Triton looks, then Python's headers."""
    monkeypatch.setattr(adapter, "missing_torch", lambda _: None)
    monkeypatch.setattr(toolchain, "find_spec", lambda name: name)
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(toolchain.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "clang" else None)
    assert ENGINE.missing("cuda:0") is None
    monkeypatch.setenv("CC", "icx")
    assert ENGINE.missing("cuda:0").why == "Triton compiles C, and there is no compiler 'icx'"
    monkeypatch.delenv("CC")
    (tmp_path / "Python.h").unlink()
    lack = ENGINE.missing("cuda:0")
    assert lack.why == (
        f"Triton compiles C against Python's headers, and there is no {tmp_path / 'Python.h'}"
    )
    assert lack.mend == "apt-get install python3-dev, or use a Python that comes with its headers"
    monkeypatch.setattr(toolchain, "find_spec", lambda _: None)
    assert ENGINE.missing("cuda:0").why == (
        "triton, Inductor's compiler for GPUs, is not installed"
    )


def test_graph_break(build):
    """What would run in two graphs is not built, and dynamo's reason is given."""

    class Broken(torch.nn.Module):
        def forward(self, image):
            torch._dynamo.graph_break()
            return image

    with pytest.raises(BuildError) as caught:
        build(Broken())
    assert caught.value.what == "cannot export toy for compile"
    assert "graph_break()" in caught.value.why
    assert caught.value.mend == (
        "make forward() exportable by torch.export.export(strict=True) as one graph"
    )


def test_graph_break_that_was_only_counted(build, monkeypatch):
    """A tracer that goes on after a break does not pass either."""
    from torch._dynamo.utils import counters

    def export(*_, **__):
        counters["graph_break"].update({"print": 2, "item": 1})

    monkeypatch.setattr(torch.export, "export", export)
    with pytest.raises(BuildError) as caught:
        build()
    assert str(caught.value) == (
        "toy has 3 graph breaks\n  why:  item\n        print\n"
        "  mend: remove from forward() what cannot be traced"
    )


@pytest.mark.parametrize(
    ("compiler", "mend"),
    [
        ("g++", "see what the compiler says, or use another mode"),
        ("/nonexistent", "apt-get install g++, or name another compiler: CXX=clang++"),
    ],
)
def test_compiler_that_fails(build, monkeypatch, compiler, mend):
    """Inductor's error is kept as the reason; without a compiler the mend is to install one."""

    def compile_(*_, **__):
        raise RuntimeError("C++ compile error")

    monkeypatch.setenv("CXX", compiler)
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "g++" else None)
    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", compile_)
    with pytest.raises(BuildError) as caught:
        build()
    assert str(caught.value) == (
        "cannot compile toy for compile in fp32\n"
        f"  why:  RuntimeError: C++ compile error\n  mend: {mend}"
    )


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (_graph(batch=Dim(1, 1, 2)), "its spec's batches are 1 to 2, and the case's is 3"),
        (_graph(), "no input of its spec has a dimension called batch"),
    ],
)
def test_dynamic_batch_that_cannot_be(build, graph, why):
    """A batch beyond the spec's bounds, and a spec without a batch, are refused."""
    with pytest.raises(BuildError) as caught:
        build(graph=graph, dynamic_batch=True)
    assert str(caught.value) == (
        f"cannot build toy for compile with a dynamic batch\n  why:  {why}\n"
        "  mend: choose a batch within the bounds, widen them in the model's decorator, or leave "
        "dynamic_batch out"
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"batch": 1}, {"shape": (1, 2), "dims": None, "searches": None}),
        ({"batch": 1, "dynamic_batch": True}, {"shape": (2, 2), "dims": [0], "searches": None}),
        ({"mode": "max-autotune"}, {"shape": (3, 2), "dims": None, "searches": True}),
    ],
)
def test_what_is_asked_of_torch(build, monkeypatch, options, expected):
    """A batch of 1 is never the example of a dynamic one; CUDA graphs are not Inductor's here."""
    asked = {}

    def export(_, inputs, *, dynamic_shapes, strict):
        dims = dynamic_shapes and list(dynamic_shapes[0][0])
        asked.update(shape=tuple(inputs[0].shape), dims=dims, strict=strict)

    def compile_(_, *, package_path, inductor_configs):
        asked.update(path=package_path, **inductor_configs)
        asked["searches"] = inductor_configs.get("max_autotune")

    monkeypatch.setattr(torch.export, "export", export)
    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", compile_)
    build(**options)
    assert asked["strict"] is True
    assert {name: asked[name] for name in expected} == expected
    assert asked["autotune_local_cache"] is False
    assert "triton.cudagraphs" not in asked
    assert asked["path"].endswith(".pt2")


def test_weights_in_a_package(tmp_path):
    """Both ways of declaring a type are read; integers are no precision."""
    path = tmp_path / "module.pt2"
    with ZipFile(path, "w") as package:
        package.writestr(
            "module/data/aotinductor/model/abc.wrapper.cpp",
            "constants_info_[0].dtype = cached_torch_dtype_float16;\n"
            "constants_info_[1].dtype = static_cast<int32_t>(cached_torch_dtype_bfloat16);\n"
            "constants_info_[12].dtype = cached_torch_dtype_int64;\n"
            "auto x = cached_torch_dtype_float64;\n",
        )
    assert weight_dtypes_of(path) == {"float16", "bfloat16"}


def test_package_that_cannot_be_read(tmp_path):
    """A file that is no package is an error of loading."""
    (tmp_path / "module.pt2").write_bytes(b"no zip")
    built = BuiltEngine("compile", GRAPH, _request(), str(tmp_path))
    with pytest.raises(LoadError) as caught, ENGINE.open(built):
        pass
    assert caught.value.what == f"cannot load {tmp_path / 'module.pt2'}"
    assert caught.value.mend == (
        "its files are as they were built: see what torch misses: a compiler, a library, or memory "
        "on the device"
    )


def test_evidence():
    """Precision and settings are what the package shows, details what the build counted."""
    evidence = _runner(facts={**FACTS, "compiled_for": "cpu"}).evidence()
    assert (evidence.precision, evidence.device) == ("fp32", "cpu")
    assert evidence.proven == {
        "artefact": "auto",
        "cuda_graph": False,
        "dynamic_batch": False,
        "mode": "default",
    }
    assert evidence.details["graph_breaks"] == 0
    assert evidence.details["compiled_for"] == "cpu"
    assert evidence.details["artefact"] == "package"


@pytest.mark.parametrize(
    ("asked", "opened", "proven"),
    [
        ("auto", "package", "auto"),
        ("auto", "program", "program"),
        ("package", "package", "package"),
        ("package", "program", "program"),
        ("program", "program", "program"),
        ("program", "package", "package"),
    ],
)
def test_evidence_of_the_artefact(asked, opened, proven):
    """The artefact is the one that was opened; on a CPU only a package is what auto means."""
    assert _runner(artefact=asked, opened=opened).evidence().proven["artefact"] == proven


def test_default_artefact():
    """On a CPU it is a package, on any GPU a program."""
    asked = [default_artefact(device) for device in ("cpu", "cuda", "cuda:1")]
    assert asked == ["package", "program", "program"]
    assert artefact_of(replace(_request(), device="cuda:0")) == "program"
    assert artefact_of(replace(_request(artefact="package"), device="cuda:0")) == "package"


def test_evidence_contradicts_the_request():
    """What was asked for is not believed: neither the mode, nor the batch, nor the arithmetic."""
    asked = {"dynamic_batch": True, "mode": "max-autotune"}
    proven = _runner(**asked).evidence().proven
    assert (proven["mode"], proven["dynamic_batch"]) == ("default", False)
    tuned = _runner(_doubled, facts={**FACTS, "autotuned": 2}).evidence().proven
    assert (tuned["mode"], tuned["dynamic_batch"]) == ("max-autotune", True)
    other = _runner(facts={**FACTS, "allows_tf32": True}).evidence()
    assert other.precision == "compiled for tf32, run as fp32"


def test_batches_that_are_not_tried():
    """Beyond the spec's largest batch, and without a batch, nothing is tried or claimed."""
    assert "dynamic_batch" not in _runner(batch=8).evidence().proven
    assert "dynamic_batch" not in _runner(graph=_graph()).evidence().proven


@pytest.mark.parametrize(
    ("shape", "is_dynamic", "passes"),
    [
        ((3, 2), False, True),
        ((4, 2), False, False),
        ((1, 2), True, True),
        ((8, 2), True, True),
        ((9, 2), True, False),
        ((3, 4), True, False),
        ((3,), True, False),
    ],
)
def test_feeds_of_other_shapes(shape, is_dynamic, passes):
    """What was compiled does not look at shapes; the runner refuses what it is not for."""
    runner = _runner(_doubled, dynamic_batch=is_dynamic)
    takes = "shapes from (1, 2) to (8, 2)" if is_dynamic else "shape (3, 2)"
    feeds = {"image": np.ones(shape, np.float32)}
    if passes:
        assert runner.infer(feeds)["scores"].tolist() == (feeds["image"] * 2).tolist()
        return
    with pytest.raises(RunError) as caught:
        runner.infer(feeds)
    assert str(caught.value) == (
        f"cannot feed image\n  why:  the engine was built for {takes}, and the feed has "
        f"shape {shape}\n  mend: feed image in {takes}, or build the engine for another batch"
    )


def test_feeds_of_different_batches():
    """Inputs whose batches are within the bounds and differ are refused."""
    pair = {name: TensorSpec(("batch", 2)) for name in ("left", "right")}
    graph = replace(GRAPH, spec=replace(GRAPH.spec, inputs=pair))
    runner = _runner(lambda left, right: [left + right], graph, dynamic_batch=True)
    with pytest.raises(RunError) as caught:
        runner.infer({"left": np.ones((1, 2), np.float32), "right": np.ones((3, 2), np.float32)})
    assert str(caught.value) == (
        "cannot feed toy\n  why:  its inputs have batches of 1, 3\n"
        "  mend: feed the same batch to every input"
    )


def test_feeds_of_another_layout():
    """A package looks at no strides: it gets every feed as it was compiled for."""
    seen = []
    runner = _runner(lambda image: [seen.append(image.is_contiguous()) or 2 * image])
    runner.infer({"image": np.asfortranarray(np.ones((3, 2), np.float32))})
    assert seen == [True]


def test_every_dynamic_dimension_is_free(build, monkeypatch):
    """Each has its own bounds; one of multiples is a multiple of another."""
    tensor = TensorSpec(("batch", 2, "height"))
    dims = {"batch": Dim(1, 3, 8), "height": Dim(8, 16, 32, multiple=8)}
    spec = replace(GRAPH.spec, inputs={"image": tensor}, dims=dims)
    asked = {}

    def export(_, inputs, *, dynamic_shapes, strict):
        asked.update(shape=tuple(inputs[0].shape), dims=dynamic_shapes[0][0], strict=strict)

    monkeypatch.setattr(torch.export, "export", export)
    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", lambda *_, **__: None)
    build(graph=replace(GRAPH, spec=spec), dynamic_batch=True)
    assert asked["shape"] == (2, 2, 16)
    found = {axis: (dim.min, dim.max) for axis, dim in asked["dims"].items()}
    assert found == {0: (1, 8), 2: (8, 32)}


class _SetUp(torch.nn.Module):
    """A module that sets something up at its first call, under a lock, as transformers does."""

    def __init__(self):
        super().__init__()
        self.lock, self.is_set_up = Lock(), False

    def forward(self, image):
        """Double the image."""
        if not self.is_set_up:
            with self.lock:
                self.is_set_up = True
        return image * 2


def test_what_a_first_call_sets_up_is_not_traced():
    """Dynamo does not enter a lock; once the module was called it need not."""
    program = exported_program(_SetUp(), GRAPH, _request())
    image = torch.ones(3, 2)
    assert torch.equal(program.module()(image), image * 2)
