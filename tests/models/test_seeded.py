"""Seeded weights are realistic: what they promise, held on real photographs, for every model."""

from __future__ import annotations

import copy
import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models as torchvision_models

from pytest_infer import module_from_graph
from pytest_infer.config import InferConfig
from pytest_infer.models.photographs import batch, pictures
from pytest_infer.models.registry import find
from pytest_infer.session.session import InferSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Seeding = Callable[[str], "Seeded"]

pytestmark = pytest.mark.slow

LARGE = pytest.mark.nightly
CLASSIFIERS = ["efficientnet_b0", "mobilenet_v2", pytest.param("resnet50", marks=LARGE)]
MODELS = [pytest.param("detr_resnet50", marks=LARGE), *CLASSIFIERS]
LIMITS = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 8e-2}
FEW_ROWS = {"detr_resnet50": 2}  # photographs to run in fp64 or to watch; all 8 of a classifier
FP16_ROWS = {"detr_resnet50": 1}  # few CPUs have fp16 convolutions
STRIDE = {"detr_resnet50": 2}  # every second pixel: rounding errors are those of the layers


@dataclass(frozen=True, eq=False)
class Seeded:
    """A seeded module, its inputs, what it gave in fp32, and how many denormals it met."""

    name: str
    module: nn.Module
    image: torch.Tensor
    outputs: dict[str, np.ndarray]
    denormals: int


@pytest.fixture(scope="module")
def seeded(cache: Path) -> Iterator[Seeding]:
    """Run all photographs through a seeded model, looking at every activation of some."""
    session = InferSession(InferConfig(device="cpu", cache=cache))

    @functools.cache
    def call(name: str) -> Seeded:
        model, module = find(name), module_from_graph(session.artefacts.graphs.module(name))
        (feed,) = model.preprocess(batch(pictures(), 8)).values()
        image = torch.from_numpy(feed)
        denormals = denormals_of(module, image[: FEW_ROWS.get(name, 8)])
        outputs = run(module, image)
        arrays = {n: t.numpy() for n, t in zip(model.spec.outputs, outputs, strict=True)}
        return Seeded(name, module, image, arrays, denormals)

    yield call
    session.close()


def run(module: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """Return the outputs, photograph by photograph, which keeps the memory small."""
    with torch.no_grad():
        rows = [module(row[None]) for row in image]
    rows = [row if isinstance(row, tuple) else (row,) for row in rows]
    return [torch.cat(parts) for parts in zip(*rows, strict=True)]


def denormals_of(module: nn.Module, image: torch.Tensor) -> int:
    """Return the number of denormals in the outputs of all modules."""
    found = 0

    def count(_part: nn.Module, _inputs: object, output: object) -> None:
        nonlocal found
        for tensor in output if isinstance(output, tuple) else (output,):
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                size = tensor.abs()
                found += int(((size > 0) & (size < torch.finfo(torch.float32).tiny)).sum())

    handles = [part.register_forward_hook(count) for part in module.modules()]
    run(module, image)
    for handle in handles:
        handle.remove()
    return found


def sample(found: Seeded) -> torch.Tensor:
    """Return the photographs on which errors are looked at."""
    stride = STRIDE.get(found.name, 1)
    return found.image[: FEW_ROWS.get(found.name, 8), :, ::stride, ::stride]


@functools.cache
def exact(found: Seeded) -> list[torch.Tensor]:
    """Return the outputs in fp64."""
    return run(copy.deepcopy(found.module).double(), sample(found).double())


def relative_l2(found: Seeded, dtype: torch.dtype) -> float:
    """Return the worst output's relative L2 error in ``dtype`` against fp64."""
    rows = FP16_ROWS.get(found.name, 8) if dtype is torch.float16 else 8
    outputs = run(copy.deepcopy(found.module).to(dtype), sample(found)[:rows].to(dtype))
    pairs = zip(outputs, exact(found), strict=True)
    return max(float((o - e[:rows]).norm() / e[:rows].norm()) for o, e in pairs)


@pytest.mark.parametrize("name", MODELS)
def test_no_activation_is_denormal(name: str, seeded: Seeding) -> None:
    """The output of every module is zero or a normal fp32 number."""
    assert seeded(name).denormals == 0


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_rounding_errors_are_those_of_a_trained_net(
    name: str, dtype: torch.dtype, seeded: Seeding
) -> None:
    """The relative L2 error against fp64 is within the limit, and is not nothing."""
    error = relative_l2(seeded(name), dtype)
    print(f"{name} {dtype} {error:.2e}")  # noqa: T201 (the figures of docs/results/models.md)
    assert LIMITS[dtype] / 1000 < error <= LIMITS[dtype]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_are_diverse_and_some_are_certain(name: str, seeded: Seeding) -> None:
    """At least 5 different best classes over 8 photographs, at least 2 above 50 %."""
    outputs = seeded(name).outputs
    assert len(set(outputs["logits"].argmax(1).tolist())) >= 5
    assert sum(len(row["labels"]) for row in find(name).postprocess(outputs)) >= 2


@pytest.mark.nightly
def test_detections_are_many_and_diverse(seeded: Seeding) -> None:
    """Three detections or more on four photographs or more, with different boxes and classes."""
    found = find("detr_resnet50").postprocess(seeded("detr_resnet50").outputs)
    print([len(row["scores"]) for row in found])  # noqa: T201 (the figures of docs/results/models.md)
    rich = [row for row in found if len(row["scores"]) >= 3]
    assert len(rich) >= 4
    for row in rich:
        assert len(set(row["labels"].tolist())) >= 2
        assert np.ptp(row["boxes"], axis=0).min() > 40  # pixels
        assert (row["boxes"][:, 2:] - row["boxes"][:, :2]).min() > 10
    for row, other in pairwise(rich):
        nearest = np.abs(row["boxes"][:, None] - other["boxes"][None]).max(-1).min(1)
        assert np.median(nearest) > 40


def test_a_denormal_activation_is_caught(seeded: Seeding) -> None:
    """One batch norm that scales by 1e-39 is seen at its output."""
    module = copy.deepcopy(seeded("mobilenet_v2").module)
    norm = module.get_submodule("module.features.18.1")
    with torch.no_grad():
        norm.weight.mul_(1e-39)
        norm.bias.mul_(1e-39)
    assert denormals_of(module, seeded("mobilenet_v2").image[:1]) > 0


def test_plain_initialisation_is_caught(seeded: Seeding) -> None:
    """MobileNetV2 as torchvision creates it answers 1e-9, of which fp16 keeps nothing."""
    torch.manual_seed(0)
    plain, image = torchvision_models.mobilenet_v2().eval(), seeded("mobilenet_v2").image[:2]
    (expected,) = run(plain.double(), image.double())
    (found,) = run(plain.half(), image.half())
    assert float(expected.abs().max()) < 1e-7
    assert float((found - expected).norm() / expected.norm()) > LIMITS[torch.float16]


SCRIPT = """
import hashlib, sys, torch
torch.set_num_threads(int(sys.argv[1])); torch.manual_seed(int(sys.argv[1]))
from pytest_infer.models.registry import find
from pytest_infer.models.weights import load_module
digest = hashlib.sha256()
for name, tensor in load_module(find(sys.argv[2]), "seeded").state_dict().items():
    digest.update(name.encode()); digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50"])
def test_other_processes_and_numbers_of_threads_give_the_same_weights(name: str) -> None:
    """Every byte, with one thread and with two, whatever Python's hashes are."""
    digests = set()
    for threads in ("1", "2"):
        found = subprocess.run(  # noqa: S603 (our own interpreter and code)
            [sys.executable, "-c", SCRIPT, threads, name],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": threads, "OMP_NUM_THREADS": threads},
        )
        digests.add(found.stdout.strip())
    assert len(digests) == 1
