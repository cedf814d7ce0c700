"""The Torch-TensorRT adapter against a double of its API, recorded from 2.10.0 and 2.14.0a0.

The double runs on the CPU: an "engine" is an operator of the real one's name that calls torch.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.engines.adapters import torch_trt
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Missing
from pytest_infer.errors import BuildError, LoadError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")

# Of the sources' signatures: what torch_tensorrt.dynamo.compile and torch_tensorrt.save take and
# this adapter may use. The real compile takes **kwargs and ignores what it does not know.
COMPILE = {
    "device",
    "disable_tf32",
    "min_block_size",
    "optimization_level",
    "require_full_compilation",
    "workspace_size",
}
SAVE = {"arg_inputs", "inputs", "kwarg_inputs", "output_format", "pickle_protocol", "retrace"}
API = {
    "2.10.0": {
        "compile": {*COMPILE, "enabled_precisions", "use_explicit_typing"},
        "save": SAVE,
    },
    "2.14.0a0": {
        "compile": COMPILE,
        "save": {*SAVE, "dynamic_shapes", "extra_files", "use_legacy_exporter"},
    },
}

SPEC = ModelSpec(
    name="toy",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 3))},
    outputs={"scores": TensorSpec(("batch", 2))},
    source=Source(module="toy"),
)
FEEDS = {"image": np.arange(12, dtype=np.float32).reshape(4, 3) / 8}

ENGINES: list[Any] = []
"""What each engine of the double runs."""


class Toy(torch.nn.Module):
    """A linear layer and an activation: two computing nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)

    def forward(self, image: Any) -> Any:
        """Return scores."""
        return torch.relu(self.linear(image))


class Compiled(torch.nn.Module):
    """The linear layer in an engine, or both nodes; ``rest`` is left to torch."""

    def __init__(self, number: int, rest: Any) -> None:
        super().__init__()
        self.number = number
        self.rest = rest

    def forward(self, image: Any) -> Any:
        """Call the engine, then torch."""
        (value,) = torch.ops.tensorrt.execute_engine([image], self.number)
        return self.rest(value)


@pytest.fixture(scope="module", autouse=True)
def operator() -> Any:
    """Register the operator under the name that the real one has."""
    library = torch.library.Library("tensorrt", "DEF")
    library.define("execute_engine(Tensor[] inputs, int engine) -> Tensor[]")
    library.impl(
        "execute_engine",
        lambda inputs, engine: [ENGINES[engine](*inputs)],
        "CompositeExplicitAutograd",
    )
    torch.library.register_fake(
        "tensorrt::execute_engine",
        lambda inputs, _: [inputs[0].new_empty((inputs[0].shape[0], 2))],
        lib=library,
    )
    yield
    library._destroy()


def _linear(layer: Any, image: Any) -> Any:
    return torch.nn.functional.linear(image, layer.weight, layer.bias)


@dataclass
class Behaviour:
    """What Torch-TensorRT puts into engines, and what it saw."""

    converts: str = "all"
    fails: str = ""
    seen: dict[str, Any] = field(default_factory=dict)


def double(version: str, behaviour: Behaviour) -> ModuleType:
    """Return a double of the module ``torch_tensorrt``."""
    module = ModuleType("torch_tensorrt")
    module.__version__ = version

    def compile(program: Any, ir: str, arg_inputs: Any, **settings: Any) -> Any:  # noqa: A001
        assert ir == "dynamo"
        assert isinstance(program, torch.export.ExportedProgram)
        assert not settings.keys() - API[version]["compile"]
        if behaviour.fails == "compile":
            raise RuntimeError("unsupported operator aten.foo")
        behaviour.seen = {**settings, "dtype": arg_inputs[0].dtype}
        toy = program.module()
        if behaviour.converts == "nothing":
            return toy
        if behaviour.converts == "nothing, and folds":
            return torch.nn.Sequential(torch.nn.Linear(3, 2))
        ENGINES.append(toy if behaviour.converts == "all" else partial(_linear, toy.linear))
        left = {"all": 0, "some": 1, "little": 3}[behaviour.converts]
        rest = torch.nn.Sequential(*(torch.nn.ReLU() for _ in range(left)))
        return Compiled(len(ENGINES) - 1, rest)

    def save(compiled: Any, path: str, *, arg_inputs: Any, **settings: Any) -> None:
        assert not settings.keys() - API[version]["save"]
        assert settings["output_format"] == "exported_program"
        torch.export.save(torch.export.export(compiled, arg_inputs, strict=False), path)

    module.compile, module.save, module.load = compile, save, torch.export.load
    return module


class Bench:
    """A version's double, and what the adapter does with it."""

    def __init__(self, version: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.behaviour = Behaviour()
        self.folder = folder
        self.module = Toy()
        monkeypatch.setitem(sys.modules, "torch_tensorrt", double(version, self.behaviour))
        monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
        monkeypatch.setattr(torch_trt, "module_from_graph", lambda _: self.module)

    def build(self, precision: str = "fp32", **options: Any) -> BuiltEngine:
        """Build into the folder."""
        defaults = {name: option.default for name, option in torch_trt.ENGINE.options.items()}
        request = BuildRequest(precision, "cpu", {"image": (4, 3)}, {**defaults, **options})
        graph = Graph(SPEC, "", "digest", GraphRequest("module"))
        self.facts = torch_trt.ENGINE.build(graph, request, self.folder)
        return BuiltEngine("torch-trt", graph, request, str(self.folder))

    def evidence(self, precision: str = "fp32", **options: Any) -> Any:
        """Return the evidence of an engine built for ``precision``."""
        with torch_trt.ENGINE.open(self.build(precision, **options)) as runner:
            return runner.evidence()


@pytest.fixture(params=API)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """Every recorded version in turn."""
    return Bench(request.param, monkeypatch, tmp_path)


@pytest.mark.parametrize("converts", ["all", "some", "nothing"])
def test_builds_opens_and_runs(bench: Bench, converts: str) -> None:
    """What was saved opens without the model's code, and gives the named outputs."""
    bench.behaviour.converts = converts
    expected = bench.module(torch.from_numpy(FEEDS["image"])).detach().numpy()
    with torch_trt.ENGINE.open(bench.build()) as runner:
        outputs = runner.infer(FEEDS)
        runner.bind(FEEDS)()
    assert list(outputs) == ["scores"]
    assert outputs["scores"] == pytest.approx(expected)


def test_what_is_set(bench: Bench) -> None:
    """TF32 is off, blocks of one operator become engines, and no precision is permitted."""
    bench.build()
    assert bench.behaviour.seen == {
        "device": torch.device("cpu"),
        "disable_tf32": True,
        "dtype": torch.float32,
        "min_block_size": 1,
        "optimization_level": 3,
        "require_full_compilation": False,
        "workspace_size": 4 * 1024**3,
    }


def test_settings(bench: Bench) -> None:
    """Every setting arrives in the library's own units."""
    bench.build(
        min_block_size=5,
        optimization_level="0",
        workspace_mib=1,
        require_full_compilation=True,
    )
    seen = bench.behaviour.seen
    assert (seen["min_block_size"], seen["optimization_level"]) == (5, 0)
    assert (seen["workspace_size"], seen["require_full_compilation"]) == (1024**2, True)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_precision_is_the_types_of_the_model(bench: Bench, precision: str) -> None:
    """Model and inputs are cast, and the loaded graph's values have that type."""
    evidence = bench.evidence(precision)
    dtype = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}[precision]
    assert str(bench.behaviour.seen["dtype"]) == f"torch.{dtype}"
    assert (evidence.precision, evidence.precision_share) == (precision, 1)
    assert evidence.details["values"] == {dtype: 1}


def test_a_precision_that_was_not_compiled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph whose values are fp32 is fp32, whatever was asked for."""
    monkeypatch.setattr(torch_trt, "torch_dtype", lambda _: torch.float32)
    monkeypatch.setattr(torch_trt, "examples", lambda *_: (torch.zeros(4, 3),))
    with torch_trt.ENGINE.open(bench.build("fp16")) as runner:
        monkeypatch.setattr(
            torch_trt.TorchRunner, "evidence", lambda _: SimpleNamespace(device="cpu")
        )
        assert runner.evidence().precision == "fp32"


@pytest.mark.parametrize(
    ("converts", "engines", "left", "share"),
    [
        ("all", 1, [], 1.0),
        ("some", 1, ["aten.relu.default"], 0.5),
        ("nothing", 0, ["aten.linear.default", "aten.relu.default"], 0.0),
        ("nothing, and folds", 0, ["aten.linear.default"], 0.0),
    ],
)
def test_share_of_tensorrt(
    bench: Bench, converts: str, engines: int, left: list[str], share: float
) -> None:
    """What torch runs is seen in the loaded graph; a graph of torch's alone has no engine."""
    bench.behaviour.converts = converts
    evidence = bench.evidence()
    assert evidence.device == "cpu"
    assert evidence.device_share == share
    assert evidence.proven == ({"require_full_compilation": False} if left else {})
    assert evidence.details["engines"] == engines
    assert evidence.details["operators_left_to_torch"] == left
    assert evidence.details["nodes_left_to_torch"] == len(left)
    assert evidence.details["nodes_exported"] == bench.facts["nodes"] == 2


def test_more_is_left_than_was_exported(bench: Bench) -> None:
    """Lowering may leave more nodes than it was given; the share is never negative."""
    bench.behaviour.converts = "little"
    evidence = bench.evidence()
    assert evidence.details["nodes_left_to_torch"] == 3
    assert evidence.device_share == 0


def test_failed_build(bench: Bench) -> None:
    """What Torch-TensorRT raises is an error of building."""
    bench.behaviour.fails = "compile"
    with pytest.raises(BuildError) as caught:
        bench.build("fp16")
    assert str(caught.value) == (
        "cannot build toy for torch-trt in fp16\n"
        "  why:  RuntimeError: unsupported operator aten.foo\n"
        "  mend: make forward() exportable by torch.export.export, or see which operators "
        "Torch-TensorRT names"
    )


def test_failed_load(bench: Bench) -> None:
    """A truncated program is an error of loading."""
    built = bench.build()
    built.path(torch_trt.FILE).write_bytes(b"truncated")
    with pytest.raises(LoadError) as caught, torch_trt.ENGINE.open(built):
        pass
    assert caught.value.what == f"cannot load {built.path(torch_trt.FILE)}"
    assert caught.value.mend == (
        "its files are as they were built: see whether the GPU has memory left, and whether this "
        "process has another TensorRT"
    )


NO_GPU = Missing("no NVIDIA GPU", "get one")
MEND = "pip install 'pytest-infer[torch-trt]'"


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_an_absent_gpu_comes_first(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """Without a GPU nothing else is said."""
    monkeypatch.setattr(torch_trt, "missing_gpu", lambda: NO_GPU)
    assert torch_trt.ENGINE.missing(device) is NO_GPU


@pytest.mark.parametrize(
    ("device", "version", "missing"),
    [
        (
            "cpu",
            "2.12.1",
            Missing(
                "Torch-TensorRT needs an NVIDIA GPU, and the device is cpu", "--infer-device=cuda"
            ),
        ),
        ("cuda", None, Missing("torch_tensorrt is not installed", MEND)),
        ("cuda", "2.9.0", Missing("torch-tensorrt 2.9.0 is older than 2.10", MEND)),
        ("cuda", "2.10.0", None),
        ("cuda", "2.14.0a0", None),
    ],
)
def test_missing(
    monkeypatch: pytest.MonkeyPatch, device: str, version: str | None, missing: Missing | None
) -> None:
    """With a GPU, the device asked for and the installed version decide."""
    monkeypatch.setattr(torch_trt, "missing_gpu", lambda: None)
    monkeypatch.setattr(torch_trt, "find_spec", lambda _: version)
    monkeypatch.setattr(
        torch_trt, "runtime_fingerprint", lambda _: {"torch-tensorrt": version} if version else {}
    )
    assert torch_trt.ENGINE.missing(device) == missing


def test_asks_for_a_module() -> None:
    """torch.export needs the model's code."""
    request = BuildRequest("fp16", "cuda:0", {"image": (4, 3)})
    assert torch_trt.ENGINE.graph_request(request) == GraphRequest("module")
