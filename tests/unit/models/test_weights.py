"""Weights by name, from files, and every way in which they can be wrong."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pytest_infer.errors import ModelError
from pytest_infer.models.registry import Model
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec
from pytest_infer.models.weights import load_module, save_weights
from pytest_infer.models.weights_file import load_weights
from pytest_infer.storage.digest import digest_of_file as digest

OLDER_WORDS = {
    "HeaderTooSmall": "header too small",
    "MetadataIncompleteBuffer": "incomplete metadata, file not fully covered",
}
"""What safetensors 0.5 says, and what 0.6 does."""


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
        "        or use --infer-weights=seeded or random, or --infer-weights=DIR with "
        "tiny.safetensors"
    )


def test_a_missing_folder_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    """A word that was mistyped, a folder that was, or neither."""
    (tmp_path / "weights").mkdir()
    mends = {
        "seded": "did you mean 'seeded'?",
        str(tmp_path / "wieghts"): f"did you mean '{tmp_path / 'weights'}'?",
        "/missing/everywhere": "give seeded, pretrained, random or a folder of weights",
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


def test_weights_of_other_sizes_are_an_error(tmp_path: Path) -> None:
    """A wider layer, in either kind of file."""
    wide = nn.Linear(4, 2)
    save_weights(wide, tmp_path / "tiny.safetensors")
    torch.save(wide.state_dict(), tmp_path / "tiny.pt")
    for path in (tmp_path / "tiny.safetensors", tmp_path / "tiny.pt"):
        with pytest.raises(ModelError, match="are another module's") as caught:
            load_weights(nn.Linear(3, 2), path)
        assert "torch.Size([2, 4])" in caught.value.why


def _truncated(path: Path) -> None:
    save_weights(nn.Linear(3, 2), path)
    path.write_bytes(path.read_bytes()[:-4])


@pytest.mark.parametrize(
    ("name", "write", "why", "mend"),
    [
        (
            "text.pt",
            lambda path: path.write_text("version https://git-lfs"),
            "torch.save writes no such file: it begins b'vers'",
            "write the file again, with pytest_infer.models.weights.save_weights(module, path)",
        ),
        (
            "empty.pth",
            lambda path: path.write_text(""),
            "torch.save writes no such file: it begins b''",
            "write the file again, with pytest_infer.models.weights.save_weights(module, path)",
        ),
        (
            "module.pt",
            lambda path: torch.save(nn.Linear(3, 2), path),
            "it holds more than tensors, and that is not run: torch.nn.modules.linear.Linear",
            "write it with torch.save(module.state_dict(), path)",
        ),
        (
            "list.pt",
            lambda path: torch.save([torch.ones(3)], path),
            "it holds no tensors by name, but a list",
            "write it with torch.save(module.state_dict(), path)",
        ),
        (
            "checkpoint.pt",
            lambda path: torch.save({"state_dict": nn.Linear(3, 2).state_dict(), "epoch": 3}, path),
            "it holds no tensors by name, but a dict of state_dict, epoch",
            "save what is under 'state_dict' alone: torch.save(torch.load(path)['state_dict'], …)",
        ),
        (
            "text.safetensors",
            lambda path: path.write_text("hello"),
            "it is no whole safetensors file: Error while deserializing header: header too small",
            "write the file again, with pytest_infer.models.weights.save_weights(module, path)",
        ),
        (
            "truncated.safetensors",
            _truncated,
            (
                "it is no whole safetensors file: Error while deserializing header: incomplete "
                "metadata, file not fully covered"
            ),
            "write the file again, with pytest_infer.models.weights.save_weights(module, path)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[-13:] else "",
)
def test_a_file_that_cannot_be_read_says_what_it_is(
    tmp_path: Path, name: str, write: Callable[[Path], object], why: str, mend: str
) -> None:
    """Text, a whole module, a checkpoint, a truncated file: in words, without frames."""
    write(tmp_path / name)
    with pytest.raises(ModelError) as caught:
        load_weights(nn.Linear(3, 2), tmp_path / name)
    told = str(caught.value)
    for older, now in OLDER_WORDS.items():
        told = told.replace(older, now)
    assert told == f"cannot read weights from {tmp_path / name}\n  why:  {why}\n  mend: {mend}"


def test_a_truncated_zip_is_an_error(tmp_path: Path) -> None:
    """The words are of torch, but not its advice."""
    path = tmp_path / "tiny.pt"
    torch.save(nn.Linear(3, 2).state_dict(), path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(
        ModelError, match="it is damaged, or of another kind: RuntimeError"
    ) as error:
        load_weights(nn.Linear(3, 2), path)
    assert "weights_only" not in str(error.value)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    """A pickled function is refused by its name."""
    torch.save(partial(np.save, tmp_path / "harm"), tmp_path / "tiny.pt")
    with pytest.raises(ModelError, match=r"that is not run: functools\.partial"):
        load_module(tiny(), str(tmp_path))
    assert not (tmp_path / "harm").exists()


def _raises() -> nn.Module:
    raise ValueError("no such depth")


def test_what_a_function_raises_is_told_with_its_place() -> None:
    """The function, the exception, and the line of the user's file."""
    with pytest.raises(ModelError) as caught:
        load_module(tiny(_raises, brings_weights=True), "seeded")
    line = _raises.__code__.co_firstlineno + 1
    assert str(caught.value) == (
        "cannot create tiny\n"
        "  why:  tiny raised ValueError: no such depth\n"
        f'        at {__file__}:{line}: raise ValueError("no such depth")\n'
        "  mend: mend that line of tiny, or what it is given"
    )


def test_a_file_that_a_function_cannot_read_is_told(tmp_path: Path) -> None:
    """What torch.load says of a text file is a number; the line and the mend say more."""
    text, absent = tmp_path / "weights.pt", tmp_path / "absent.pt"
    text.write_text("hello")
    for path, mend in (
        (text, "write that file of weights again: it is damaged, or not of the kind that is read"),
        (absent, "write the path relative to the file: Path(__file__).parent / NAME"),
    ):

        def create(path: Path = path) -> nn.Module:
            return torch.load(path, weights_only=False)

        with pytest.raises(ModelError, match="cannot create tiny") as caught:
            load_module(tiny(create, brings_weights=True), "seeded")
        assert f"at {__file__}:{create.__code__.co_firstlineno + 1}: return" in caught.value.why
        assert caught.value.mend == mend


@pytest.mark.parametrize(
    ("returned", "told", "mend"),
    [
        (
            nn.Linear(3, 2).state_dict(),
            "OrderedDict of weight, bias",
            "create the module, give it these weights by load_state_dict, and return the module",
        ),
        (None, "NoneType", "return the module itself"),
        (nn.Linear, "Linear, a class", "return the module itself"),
    ],
)
def test_a_function_that_returns_no_module(returned: object, told: str, mend: str) -> None:
    """A state dict, nothing, a class: an error that says so."""
    with pytest.raises(ModelError) as caught:
        load_module(tiny(lambda: returned, brings_weights=True), "seeded")
    assert str(caught.value) == (
        f"tiny did not return a torch.nn.Module\n  why:  it returned {told}\n  mend: {mend}"
    )
