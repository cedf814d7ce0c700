"""Pretrained weights come from the libraries' own caches, or not at all."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torchvision.models import get_model_weights

from pytest_infer import ModelError
from pytest_infer.models.registry import find
from pytest_infer.models.weights import load_module

CLASSIFIERS = ["efficientnet_b0", "mobilenet_v2", "resnet50"]


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give torch an empty cache of its own, and no network."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise URLError("no network in this test")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_torchvision_s_cache_is_used(name: str, checkpoints: Path) -> None:
    """The file that torchvision would have downloaded is loaded, whole."""
    torch.manual_seed(3)
    state = find(name).create(pretrained=False).state_dict()
    torch.save(state, checkpoints / get_model_weights(name).DEFAULT.url.rpartition("/")[2])
    loaded = load_module(find(name), "pretrained").state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.usefixtures("checkpoints")
def test_without_cache_and_network_it_is_an_error(name: str) -> None:
    """What, why and mend; no other weights instead."""
    with pytest.raises(ModelError) as caught:
        load_module(find(name), "pretrained")
    assert str(caught.value) == (
        f"cannot load the pretrained weights of {name}\n"
        "  why:  URLError: <urlopen error no network in this test>\n"
        "  mend: fill the cache once with network (torch: TORCH_HOME, Hugging Face: HF_HOME),\n"
        "        or use --infer-weights=seeded or random, or --infer-weights=DIR with "
        f"{name}.safetensors"
    )


HUB = """
import sys
from pathlib import Path
import torch
from pytest_infer import ModelError
from pytest_infer.models.registry import find
from pytest_infer.models.weights import load_module
detr = find("detr_resnet50")
try:
    load_module(detr, "pretrained")
except ModelError as error:
    print(error.what, "|", error.why.split(":")[0], "|", error.mend.split(" (")[0])
torch.manual_seed(3)
saved = detr.create(pretrained=False)
cache = Path(sys.argv[1]) / "hub" / "models--facebook--detr-resnet-50"
commit = "0" * 40
saved.network.save_pretrained(cache / "snapshots" / commit)
(cache / "refs").mkdir()
(cache / "refs" / "no_timm").write_text(commit)
loaded, state = load_module(detr, "pretrained").state_dict(), saved.state_dict()
print(loaded.keys() == state.keys() and all(torch.equal(loaded[k], state[k]) for k in state))
"""


@pytest.mark.slow
def test_hugging_face_s_cache_is_used(tmp_path: Path) -> None:
    """An empty cache is an error; one with the revision without timm is loaded, whole."""
    found = subprocess.run(  # noqa: S603 (our own interpreter and code)
        [sys.executable, "-c", HUB, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
    )
    assert found.stdout.splitlines() == [
        (
            "cannot load the pretrained weights of detr_resnet50 | OSError | "
            "fill the cache once with network"
        ),
        "True",
    ]
