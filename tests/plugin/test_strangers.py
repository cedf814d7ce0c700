"""Models that nobody here wrote meet the engines: whatever their forward takes and returns."""

from importlib.util import find_spec
from pathlib import Path

import pytest

STRANGERS = """
from dataclasses import dataclass

import torch

from pytest_infer import Dim, TensorSpec, model

PAIR = {
    "mask": TensorSpec(("batch", 12), "int64", low=0, high=1),
    "input_ids": TensorSpec(("batch", 12), "int64", low=0, high=4),
}


@model(
    inputs={"attention_mask": PAIR["mask"], "input_ids": PAIR["input_ids"]},
    outputs={
        "pooler_output": TensorSpec(("batch", 32)),
        "last_hidden_state": TensorSpec(("batch", 12, 32)),
    },
)
def bert():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=50, intermediate_size=64, max_position_embeddings=32, **sizes)
    return BertModel(config).eval()


@dataclass
class Found:
    rest: torch.Tensor
    total: torch.Tensor


class Net(torch.nn.Module):
    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.table, self.linear = torch.nn.Embedding(5, 6), torch.nn.Linear(6, 4)

    def forward(self, input_ids, mask):
        rest = self.linear(self.table(input_ids) * (1 + mask[..., None]))
        return Found(rest, rest.sum(1))


class Star(Net):
    def forward(self, *inputs):
        mask, input_ids = inputs
        found = super().forward(input_ids, mask)
        return {"total": found.total, "rest": found.rest}


class Classes(Net):
    def forward(self, input_ids, mask):
        return super().forward(input_ids, mask).total.argmax(-1)


class Dropping(Net):
    def forward(self, input_ids, mask):
        found = super().forward(input_ids, mask)
        return torch.nn.functional.dropout(found.total, 0.5, training=True)


OUTPUTS = {"total": TensorSpec(("batch", 4)), "rest": TensorSpec(("batch", 12, 4))}


@model(inputs=PAIR, outputs=OUTPUTS)
def by_name():
    return Net(1).eval()


@model(inputs=PAIR, outputs=OUTPUTS)
def in_order():
    return Star(2).eval()


@model(inputs=PAIR, outputs={"best": TensorSpec(("batch",), "int64")})
def classes():
    return Classes(3).eval()


@model(inputs=PAIR, outputs={"total": OUTPUTS["total"]})
def dropping():
    return Dropping(4).eval()


@model(inputs=PAIR, outputs={"total": OUTPUTS["total"]})
def state():
    return Net(5).state_dict()


class Sums(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(6)
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, x):
        return self.linear(x).cumsum(0)


@model(inputs={"x": TensorSpec((4, 8))}, outputs={"y": TensorSpec((4, 8))})
def without_batch():
    return Sums().eval()
"""


@pytest.fixture
def strangers(bare_run, cache: Path):
    """Run the suites on some of the models above."""

    def call(models: str, *options: str, conftest: str = STRANGERS):
        names = ("test_parity.py", "test_truth.py")
        return bare_run(
            f"--infer-model={models}", f"--infer-cache={cache}", *names, *options, conftest=conftest
        )

    return call


@pytest.mark.nightly
@pytest.mark.slow
def test_any_forward_on_every_engine_of_a_cpu(strangers) -> None:
    """A Hugging Face model as it is, a dataclass bound by name, *args and a dict, integers."""
    pytest.importorskip("transformers")
    found = strangers("bert,by_name,in_order,classes", "--engine=eager,torchscript,ort,openvino")
    found.assert_outcomes(passed=4 * 4 * 4 + 4 * 2)


@pytest.mark.nightly
@pytest.mark.slow
def test_a_hugging_face_model_is_compiled_as_it_is(strangers) -> None:
    """As one graph, traced strictly, with the mask first."""
    if find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    strangers("bert", "--engine=compile").assert_outcomes(passed=4)


@pytest.mark.nightly
def test_a_model_that_differs_from_itself(strangers) -> None:
    """It is the model's failure, in the first run and in one that finds everything in the cache."""
    for _ in range(2):
        found = strangers("dropping", "--engine=torchscript", "-k", "test_outputs")
        found.assert_outcomes(failed=1)
        found.stdout.fnmatch_lines(
            "*dropping-torchscript-fp32-b1: non-deterministic model: eager differs from itself"
        )
        found.stdout.no_fnmatch_line("*diverged*")


@pytest.mark.nightly
def test_a_function_that_returns_no_module(strangers) -> None:
    """An error of ours, without frames or a debugger; the test beside it runs."""
    found = strangers("state,without_batch", "--engine=eager", "-k", "test_outputs")
    found.assert_outcomes(errors=1, passed=1)
    found.stdout.fnmatch_lines(
        [
            "state did not return a torch.nn.Module",
            "  why:  it returned OrderedDict of table.weight, linear.weight, linear.bias",
            "  mend: create the module, give it these weights by load_state_dict, and return *",
        ]
    )
    found.stdout.no_fnmatch_line("*Traceback*")
    found.stdout.no_fnmatch_line("*debugger*")


@pytest.mark.nightly
def test_batches_of_a_model_without_one(strangers) -> None:
    """They are reported, and not run twice under two names."""
    options = ("--engine=eager", "--infer-batch=1,4", "-k", "test_outputs")
    found = strangers("without_batch,by_name", *options)
    found.assert_outcomes(passed=3)
    found.stdout.fnmatch_lines("could not run: without_batch at batch 4 (1 case): no input of its*")


def test_bounds_of_a_dimension_that_no_input_has(strangers) -> None:
    """It is reported where the model is declared, in the words of an `InferError`."""
    wrong = """
from pytest_infer import Dim, TensorSpec, model

@model(
    inputs={"x": TensorSpec(("batch", "time"))},
    outputs={"y": TensorSpec(("batch",))},
    dims={"tme": Dim(2, 4, 8)},
)
def timed():
    ...
"""
    found = strangers("timed", conftest=wrong)
    text = found.stdout.str() + found.stderr.str()
    assert "dims= names 'tme', and no input has that dimension" in text
    assert "did you mean 'time'?" in text
    assert "KeyError" not in text
