"""What eager mode says of its precision, of a module that fails, and of one that is traced."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_infer.engines.adapters.eager import EagerRunner, runner_of
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.engines.short_products import AS_NOISE
from pytest_infer.engines.torch_runner import TorchRunner
from pytest_infer.errors import ExportError, RunError
from pytest_infer.graphs.export import export_onnx
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.graphs.node_precisions import NO_FRACTIONS
from pytest_infer.graphs.torch_dtypes import torch_dtype
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec
from pytest_infer.models.spec_module import SpecModule

torch = pytest.importorskip("torch")


class Classes(torch.nn.Module):
    """Has weights, and returns indices."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 5)

    def forward(self, x):
        """Return each row's best class."""
        return self.linear(x).argmax(-1)


class Remainder(torch.nn.Module):
    """Has no weights and no fractions."""

    def forward(self, ids):
        """Return remainders."""
        return torch.remainder(ids, 13)


class Positive(torch.nn.Module):
    """Takes fractions, and returns none."""

    def forward(self, x):
        """Return bools."""
        return x > 0


class Wide(torch.nn.Module):
    """Returns another type than it was asked for."""

    def forward(self, x):
        """Return doubles."""
        return x.double()


def built(module, precision="fp32", dtype="float32", returned="int64"):
    """Return an eager engine and its module, called as its spec says."""
    inputs = {"x": TensorSpec(("batch", 8), dtype)}
    spec = ModelSpec(
        "toy", "tensor", inputs, {"y": TensorSpec(("batch",), returned)}, Source(module="toy")
    )
    graph = Graph(spec, "", "", GraphRequest("module"))
    request = BuildRequest(precision, "cpu", {"x": (2, 8)})
    called = SpecModule(module, spec).to(torch_dtype(precision)).eval()
    return called, BuiltEngine("eager", graph, request, "")


@pytest.mark.parametrize("precision", ["fp64", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("module", [Classes, Positive])
def test_integers_do_not_hide_the_precision(module, precision):
    """It is that of the weights, or of the inputs where nothing else is floating."""
    assert TorchRunner(*built(module(), precision)).evidence().precision == precision


def test_tf32_as_a_noise_floor():
    """Products are cut in fp32, with TF32 off, so that a CPU shows it too; eager itself is not."""
    module, engine = built(torch.nn.Linear(8, 5), "tf32", returned="float32")
    feeds = {"x": np.full((2, 8), 1 + 2.0**-12, np.float32)}
    exact = runner_of(module, engine).infer(feeds)["y"]
    asked = replace(engine.request, options={AS_NOISE: True})
    floor = runner_of(module, replace(engine, request=asked))
    assert np.abs(exact - floor.infer(feeds)["y"]).max() > 1e-5
    assert floor.evidence().precision == "fp32"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_integers_alone_have_no_precision(precision):
    """Neither weights nor inputs nor outputs are floating."""
    runner = TorchRunner(*built(Remainder(), precision, dtype="int64"))
    assert runner.evidence().precision == NO_FRACTIONS
    ids = np.array([[12, 13, -1, 10**12, 26, 0, 1, 14]] * 2)
    assert (runner.infer({"x": ids})["y"] == ids % 13).all()


def test_another_type_shows():
    """A module that returns doubles did not run in fp32."""
    assert TorchRunner(*built(Wide())).evidence().precision == "fp64"


class Failing(torch.nn.Module):
    """Cannot run."""

    def forward(self, x):
        """Raise."""
        raise ValueError(f"no rows of {x.shape[1]}")


LINE = Failing.forward.__code__.co_firstlineno + 2


def test_what_forward_raises_is_told_with_its_place():
    """The exception, and the line of the user's file."""
    runner = EagerRunner(*built(Failing()))
    with pytest.raises(RunError) as caught:
        runner.infer({"x": np.zeros((2, 8), np.float32)})
    assert str(caught.value) == (
        "cannot run toy\n"
        "  why:  forward raised ValueError: no rows of 8\n"
        f'        at {__file__}:{LINE}: raise ValueError(f"no rows of {{x.shape[1]}}")\n'
        "  mend: mend that line of forward, or what it is given"
    )


class Sparse(torch.nn.Module):
    """Returns a tensor that numpy does not have."""

    def forward(self, x):
        """Return what is not zero."""
        return x.relu().to_sparse()


def test_a_sparse_output():
    """It is named, and how to return it."""
    runner = EagerRunner(*built(Sparse(), returned="float32"))
    with pytest.raises(RunError) as caught:
        runner.infer({"x": np.ones((2, 8), np.float32)})
    assert str(caught.value) == (
        "output 'y' is a sparse tensor\n"
        "  why:  outputs are compared element by element, and engines put out dense ones\n"
        "  mend: return it by .to_dense()"
    )


class Halves(torch.nn.Module):
    """Casts by itself."""

    def forward(self, x):
        """Multiply two types."""
        return x.half() @ x.T


def test_two_types_in_a_product():
    """The mend says who casts."""
    runner = EagerRunner(*built(Halves(), returned="float32"))
    with pytest.raises(RunError) as caught:
        runner.infer({"x": np.ones((2, 8), np.float32)})
    assert caught.value.mend.startswith("give every weight and input one type, float32")


def test_an_exporter_is_not_blamed_for_a_module_that_fails(tmp_path):
    """What fails in eager mode too is the module's; what only cannot be exported is not."""
    _, engine = built(Failing())
    request = GraphRequest("onnx")
    with pytest.raises(RunError, match="forward raised ValueError: no rows of 8"):
        export_onnx(Failing(), engine.graph.spec, tmp_path / "graph.onnx", request, {})

    class Untraceable(torch.nn.Module):
        def forward(self, x):
            return x if float(x.sum()) >= 0 else -x

    spec = replace(engine.graph.spec, outputs={"y": TensorSpec(("batch", 8))})
    with pytest.raises(ExportError, match="cannot export toy to ONNX"):
        export_onnx(Untraceable(), spec, tmp_path / "graph.onnx", request, {})


@pytest.mark.filterwarnings("ignore")  # torch deprecates TorchScript
def test_frozen_types():
    """A frozen TorchScript module cannot compute the reference, and the mend says why."""
    frozen = torch.jit.freeze(torch.jit.script(torch.nn.Linear(8, 5).eval()))
    runner = EagerRunner(*built(frozen, "fp64", returned="float64"))
    with pytest.raises(RunError) as caught:
        runner.infer({"x": np.ones((2, 8), np.float32)})
    assert caught.value.mend.startswith("save it without torch.jit.freeze")


class Flag(torch.nn.Module):
    """Tells whether cuDNN times its convolutions while it is called."""

    def forward(self, x):
        """Return ones if it does, and zeros if not."""
        return torch.full_like(x, float(torch.backends.cudnn.benchmark))


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_cudnn_benchmark(monkeypatch, asked, before):
    """It is on in calls of an engine that asks for it, and stays as it was everywhere else."""
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
    spec = ModelSpec(
        *("toy", "tensor"),
        inputs={"x": TensorSpec((1, 8))},
        outputs={"y": TensorSpec((1, 8))},
        source=Source(module="toy"),
    )
    request = BuildRequest("fp32", "cpu", spec.input_shapes(1), {"cudnn_benchmark": asked})
    graph = Graph(spec, "", "digest", GraphRequest("module"))
    runner = EagerRunner(Flag(), BuiltEngine("eager", graph, request, ""))
    (outputs,) = runner.infer({"x": np.zeros((1, 8), np.float32)}).values()
    assert outputs.all() == (asked or before)
    assert runner.evidence().proven["cudnn_benchmark"] is asked
    assert torch.backends.cudnn.benchmark is before
