"""Weights by name, from files, and every way in which they can be wrong."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pytest_infer.cache import digest_of_file as digest
from pytest_infer.errors import ModelError
from pytest_infer.models import Model
from pytest_infer.spec import ModelSpec, Source, TensorSpec
from pytest_infer.weights import load_module, load_weights, save_weights


class Tied(nn.Module):
    """Two names for one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply twice."""
        return self.second(self.first(x))


def create(pretrained: bool) -> nn.Module:
    """Return a linear layer; there are no pretrained weights of it."""
    if pretrained:
        raise OSError("no network")
    return nn.Linear(3, 2)


def own() -> nn.Module:
    """Return a layer of ones."""
    layer = nn.Linear(3, 2)
    nn.init.ones_(layer.weight)
    return layer


def tiny(function: Callable[..., nn.Module] = create, *, brings_weights: bool = False) -> Model:
    """Return an unregistered model called tiny."""
    tensors = {"x": TensorSpec(("batch", 3))}
    spec = ModelSpec(
        "tiny", "tensor", tensors, tensors, Source(module=__name__), brings_weights=brings_weights
    )
    return Model(spec, function)


def test_seeded_weights_are_the_same_every_time_and_leave_torch_s_state() -> None:
    """Whatever was drawn before from torch's global state, and without changing it."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = load_module(tiny(), "seeded")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    second = load_module(tiny(), "seeded")
    assert torch.equal(first.weight, second.weight)
    assert not first.training


def test_a_model_that_brings_weights_ignores_the_option() -> None:
    """Even a folder that is not there."""
    module = load_module(tiny(own, brings_weights=True), "/missing")
    assert torch.equal(module.weight, torch.ones(2, 3))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_a_folder_gives_the_weights_of_its_file(tmp_path: Path, suffix: str) -> None:
    """safetensors, or a state dict that torch saved."""
    saved = nn.Linear(3, 2)
    path = tmp_path / f"tiny{suffix}"
    if suffix == ".safetensors":
        save_weights(saved, path)
    else:
        torch.save(saved.state_dict(), path)
    assert torch.equal(load_module(tiny(), str(tmp_path)).weight, saved.weight)


def test_tied_weights_survive_the_file(tmp_path: Path) -> None:
    """One tensor in the file, two names in the module."""
    saved, loaded = Tied(), Tied()
    save_weights(saved, tmp_path / "tied.safetensors")
    load_weights(loaded, tmp_path / "tied.safetensors")
    assert torch.equal(loaded.second.weight, saved.first.weight)


def test_digest_is_that_of_the_file(tmp_path: Path) -> None:
    """SHA-256, which changes with a bit."""
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "file") == expected


def test_pretrained_weights_that_cannot_be_loaded_are_an_error() -> None:
    """Never other weights instead."""
    with pytest.raises(ModelError) as caught:
        load_module(tiny(), "pretrained")
    assert str(caught.value) == (
        "cannot load the pretrained weights of tiny\n"
        "  why:  OSError: no network\n"
        "  mend: fill the cache once with network (torch: TORCH_HOME, Hugging Face: HF_HOME),\n"
        "        or use --infer-weights=seeded, or --infer-weights=DIR with tiny.safetensors"
    )


def test_a_missing_folder_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    """A word that was mistyped, a folder that was, or neither."""
    (tmp_path / "weights").mkdir()
    mends = {
        "seded": "did you mean 'seeded'?",
        str(tmp_path / "wieghts"): f"did you mean '{tmp_path / 'weights'}'?",
        "/missing/everywhere": "give seeded, pretrained or a folder of weights",
    }
    for weights, mend in mends.items():
        with pytest.raises(ModelError) as caught:
            load_module(tiny(), weights)
        assert str(caught.value) == (
            f"cannot read weights from {weights!r}\n  why:  there is no such folder\n  mend: {mend}"
        )


def test_a_missing_file_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    """What is in the folder, what was looked for."""
    save_weights(nn.Linear(3, 2), tmp_path / "tiny2.safetensors")
    with pytest.raises(ModelError) as caught:
        load_module(tiny(), str(tmp_path))
    assert str(caught.value) == (
        f"cannot find weights of tiny in '{tmp_path}'\n"
        "  why:  it has tiny2.safetensors, but not tiny.safetensors or tiny.pt or tiny.pth\n"
        "  mend: rename tiny2.safetensors"
    )


def test_weights_of_another_module_are_an_error_that_names_the_keys(tmp_path: Path) -> None:
    """Nothing is loaded in part."""
    torch.save({"weight": torch.ones(2, 3), "bais": torch.ones(2)}, tmp_path / "tiny.pt")
    with pytest.raises(ModelError) as caught:
        load_module(tiny(), str(tmp_path))
    assert str(caught.value) == (
        f"the weights in {tmp_path / 'tiny.pt'} are another module's\n"
        "  why:  missing: bias\n"
        "        not of this module: bais\n"
        "  mend: rename 'bais' to 'bias', and the like"
    )


@pytest.mark.parametrize("save", [save_weights, lambda m, p: torch.save(m.state_dict(), p)])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_other_shapes_or_formats_are_an_error(
    tmp_path: Path, save: Callable[[nn.Module, Path], None], suffix: str
) -> None:
    """A wider layer, or a file that is not what its name says."""
    save(nn.Linear(4, 2), tmp_path / f"tiny{suffix}")
    with pytest.raises(ModelError, match="cannot read weights from"):
        load_module(tiny(), str(tmp_path))


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    """A pickled function is refused, with torch's reason."""
    torch.save(partial(np.save, tmp_path / "harm"), tmp_path / "tiny.pt")
    with pytest.raises(ModelError, match="Weights only load failed"):
        load_module(tiny(), str(tmp_path))
    assert not (tmp_path / "harm").exists()
