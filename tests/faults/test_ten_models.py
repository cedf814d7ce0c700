"""Ten models of different kinds in one run: every engine's answer is its own module's.

The networks are plain torch in a file that knows nothing of this package. It is imported here, too,
and what each network answers in fp64 is what is right.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

NETS = '''
import torch
from torch import nn
from torch.nn import functional as F


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, x):
        return self.layers(x)


class MlpOfOtherAnswers(Mlp):
    """The very weights and shapes of Mlp."""

    def forward(self, x):
        return torch.tanh(self.layers(x)) + 0.5


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.convolution, self.norm = nn.Conv2d(3, 5, 3, stride=2), nn.BatchNorm2d(5)

    def forward(self, x):
        return F.gelu(self.norm(self.convolution(x)))


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.group, self.layer = nn.GroupNorm(2, 8), nn.LayerNorm(6)

    def forward(self, x):
        return self.layer(self.group(x))


class Resized(nn.Module):
    def forward(self, x):
        return F.interpolate(x, size=(7, 7), mode="bilinear")


class ResizedToNearest(nn.Module):
    def forward(self, x):
        return F.interpolate(x, size=(7, 7), mode="nearest")


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.table, self.head = nn.Embedding(50, 12), nn.Linear(12, 3)

    def forward(self, ids):
        return self.head(self.table(ids).mean(1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(8)
        self.mixed, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        query, key, value = self.mixed(x).chunk(3, dim=-1)
        return self.out((query @ key.transpose(1, 2) / 8**0.5).softmax(-1) @ value)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(9)
        self.trunk, self.left, self.right = nn.Linear(8, 8), nn.Linear(8, 2), nn.Linear(8, 3)

    def forward(self, x):
        hidden = torch.sigmoid(self.trunk(x))
        return self.left(hidden), self.right(hidden)


class Best(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(10)
        self.head = nn.Linear(8, 6)

    def forward(self, x):
        return self.head(x).argmax(1)
'''

CONFTEST = """
import nets

from pytest_infer import TensorSpec, model

ROW, MAP = TensorSpec(("batch", 8)), TensorSpec(("batch", 3, 16, 16))
SEVEN = TensorSpec(("batch", 3, 7, 7))
KINDS = {
    nets.Mlp: ({"x": ROW}, {"y": TensorSpec(("batch", 4))}),
    nets.MlpOfOtherAnswers: ({"x": ROW}, {"y": TensorSpec(("batch", 4))}),
    nets.Convolution: ({"x": MAP}, {"y": TensorSpec(("batch", 5, 7, 7))}),
    nets.Norms: ({"x": TensorSpec(("batch", 8, 6))}, {"y": TensorSpec(("batch", 8, 6))}),
    nets.Resized: ({"x": MAP}, {"y": SEVEN}),
    nets.ResizedToNearest: ({"x": MAP}, {"y": SEVEN}),
    nets.Words: (
        {"ids": TensorSpec(("batch", 9), "int64", low=0, high=49)},
        {"y": TensorSpec(("batch", 3))},
    ),
    nets.Attention: ({"x": TensorSpec(("batch", 5, 8))}, {"y": TensorSpec(("batch", 5, 8))}),
    nets.TwoHeads: (
        {"x": ROW},
        {"left": TensorSpec(("batch", 2)), "right": TensorSpec(("batch", 3))},
    ),
    nets.Best: ({"x": ROW}, {"y": TensorSpec(("batch",), "int64")}),
}


def named(kind, inputs, outputs):
    def made():
        return kind()

    made.__name__ = kind.__name__.lower()
    model(inputs=inputs, outputs=outputs)(made)


for kind, (inputs, outputs) in KINDS.items():
    named(kind, inputs, outputs)
"""

TEST = """
import os

import numpy as np


def test_answers(engine, feeds, case):
    kept = {f"in_{name}": value for name, value in feeds.items()}
    kept |= {f"out_{name}": value for name, value in engine(feeds).items()}
    np.savez(os.path.join(os.environ["ZZ_OUT"], f"{case.id}.npz"), **kept)
"""

KINDS = (
    *("Mlp", "MlpOfOtherAnswers", "Convolution", "Norms", "Resized", "ResizedToNearest"),
    *("Words", "Attention", "TwoHeads", "Best"),
)
ENGINES = ("openvino", "ort", "torchscript")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the ten networks, and one cache for all runs."""
    place = tmp_path_factory.mktemp("ten")
    for name, text in {"nets.py": NETS, "conftest.py": CONFTEST, "test_own.py": TEST}.items():
        (place / name).write_text(text)
    (place / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    return place


@pytest.fixture(scope="module")
def nets(folder: Path) -> ModuleType:
    """The networks, as plain torch."""
    spec = spec_from_file_location("zz_ten_nets", folder / "nets.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("order", ["given", "reversed"])
def test_every_answer_is_its_own(
    folder: Path, nets: ModuleType, order: str, tmp_path: Path
) -> None:
    """In either order, on three workers with one cache: 30 answers, each its own network's."""
    pytest.importorskip("openvino")
    names = [kind.lower() for kind in KINDS]
    models = ",".join(names if order == "given" else names[::-1])
    done = subprocess.run(  # noqa: S603 - our own interpreter and options
        [
            *(sys.executable, "-m", "pytest", "-n", "3", "--infer-cache=cache"),
            *("--infer-device=cpu", f"--infer-model={models}", "--infer-batch=2"),
            f"--engine={','.join(ENGINES)}",
        ],
        cwd=folder,
        env=os.environ | {"ZZ_OUT": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.iterdir())) == len(KINDS) * len(ENGINES)
    for kind in KINDS:
        for engine in ENGINES:
            with np.load(tmp_path / f"{kind.lower()}-{engine}-fp32-b2.npz") as kept:
                assert_right(getattr(nets, kind)().eval(), dict(kept), f"{kind} on {engine}")


def assert_right(net: torch.nn.Module, kept: dict[str, np.ndarray], what: str) -> None:
    """Compare what an engine put out with what the network answers in fp64."""
    fed = [torch.tensor(value) for name, value in kept.items() if name.startswith("in_")]
    found = [value for name, value in kept.items() if name.startswith("out_")]
    with torch.no_grad():
        wanted = net.double()(
            *(each.double() if each.is_floating_point() else each for each in fed)
        )
    wanted = [wanted] if isinstance(wanted, torch.Tensor) else list(wanted)
    assert len(found) == len(wanted), what
    for one, other in zip(found, wanted, strict=True):
        assert np.allclose(one, other.numpy(), rtol=1e-4, atol=1e-5), what
