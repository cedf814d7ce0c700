"""A model's weights: seeded, pretrained or the user's; and files of weights."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.cache import digest_of
from pytest_infer.errors import ModelError
from pytest_infer.feeds import DRAWN_ROWS, make_feeds
from pytest_infer.models import find
from pytest_infer.photographs import photographs
from pytest_infer.pruning import prune
from pytest_infer.seeding import seed_network
from pytest_infer.spec import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt
    from torch import nn

    from pytest_infer.engine import Graph
    from pytest_infer.models import Model

    Arrays = Mapping[str, npt.NDArray[Any]]

SUFFIXES = (".safetensors", ".pt", ".pth")
"""Files of weights that can be read, the first found being taken."""

_SHOWN = 5  # names in a message


def load_module(model: Model, weights: str) -> nn.Module:
    """Return the model's module in fp32 on the CPU, with ``weights``, in eval mode.

    ``weights`` is ``seeded``, ``pretrained``, or a folder that has ``<model>.safetensors`` (or
    ``.pt``, ``.pth``). A model that brings weights of its own ignores it. Raise `ModelError`.
    """
    if model.spec.brings_weights:
        return created(model)
    if weights == "pretrained":
        return _pretrained(model)
    path = None if weights == "seeded" else weights_path(model.spec.name, weights)
    module = created(model, pretrained=False)
    if path is None:
        _seed(model, module)
    else:
        load_weights(module, path)
    return module


def module_from_graph(graph: Graph) -> nn.Module:
    """Return a graph's module with the weights in its file, in eval mode on the CPU."""
    model = find(graph.spec.name)
    choice = {} if graph.spec.brings_weights else {"pretrained": False}
    module = created(model, **choice)
    load_weights(module, Path(graph.file))
    if graph.request.is_pruned:
        prune(module)
    return module


def weights_path(name: str, folder: str) -> Path:
    """Return the file in ``folder`` with the weights of the model called ``name``."""
    place = Path(folder)
    if not place.is_dir():
        raise ModelError(
            f"cannot read weights from {folder!r}",
            why="it is not a folder" if place.exists() else "there is no such folder",
            mend=_nearest_weights(place),
        )
    for suffix in SUFFIXES:
        if (path := place / f"{name}{suffix}").is_file():
            return path
    present = sorted(path.name for path in place.iterdir() if path.suffix in SUFFIXES)
    raise ModelError(
        f"cannot find weights of {name} in {folder!r}",
        why=f"it has {_listed(present)}, but not {' or '.join(name + end for end in SUFFIXES)}",
        mend=_nearest(f"{name}.safetensors", present, "rename {}")
        or "save them there with pytest_infer.weights.save_weights",
    )


def structure_of(module: nn.Module) -> str:
    """Return the digest of the names, shapes and dtypes of a module's weights."""
    state = module.state_dict()
    return digest_of([[name, list(each.shape), str(each.dtype)] for name, each in state.items()])


def save_weights(module: nn.Module, path: Path) -> None:
    """Write the module's state to ``path``, whose folder exists, as safetensors."""
    from safetensors.torch import save_model

    save_model(module, str(path))


def load_weights(module: nn.Module, path: Path) -> None:
    """Give ``module`` the weights in ``path``: every one it has and no other.

    A ``.pt`` or ``.pth`` file holds a state dict and is read without running code from it.
    """
    read = _read_safetensors if path.suffix == ".safetensors" else _read_state_dict
    try:
        missing, unexpected = read(module, path)
    except Exception as error:
        raise ModelError(
            f"cannot read weights from {path}",
            why=f"{type(error).__name__}: {error}",
            mend="write the file anew, with pytest_infer.weights.save_weights",
        ) from error
    if missing or unexpected:
        raise ModelError(
            f"the weights in {path} are another module's",
            why=f"missing: {_listed(missing)}\nnot of this module: {_listed(unexpected)}",
            mend=_mend_names(missing, unexpected),
        )


def created(model: Model, **choice: bool) -> nn.Module:
    """Return what the model's function creates, and leave torch's random state as it was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model.create(**choice).eval()


def _pretrained(model: Model) -> nn.Module:
    try:
        return created(model, pretrained=True)
    except Exception as error:
        raise ModelError(
            f"cannot load the pretrained weights of {model.spec.name}",
            why=f"{type(error).__name__}: {error}",
            mend="fill the cache once with network (torch: TORCH_HOME, Hugging Face: HF_HOME),\n"
            "or use --infer-weights=seeded, or --infer-weights=DIR with "
            f"{model.spec.name}.safetensors",
        ) from error


def _seed(model: Model, module: nn.Module) -> None:
    if model.seed is None:
        seed_network(model.spec.name, module, _feeds(model))
    else:
        model.seed(module, _feeds(model))


def _feeds(model: Model) -> Arrays:
    """Return feeds of the package's own photographs: the user's do not change the weights."""
    return make_feeds(model, len(photographs()) if model.preprocess else DRAWN_ROWS, images=None)


def _read_safetensors(module: nn.Module, path: Path) -> tuple[list[str], list[str]]:
    from safetensors.torch import load_model

    missing, unexpected = load_model(module, str(path), strict=False)
    return sorted(missing), sorted(unexpected)


def _read_state_dict(module: nn.Module, path: Path) -> tuple[list[str], list[str]]:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    missing, unexpected = module.load_state_dict(state, strict=False)
    return sorted(missing), sorted(unexpected)


def _nearest_weights(folder: Path) -> str:
    beside = folder.parent
    folders = [str(path) for path in beside.iterdir() if path.is_dir()] if beside.is_dir() else []
    word = _nearest(str(folder), WEIGHTS, "did you mean {!r}?")
    return (
        word
        or _nearest(str(folder), folders, "did you mean {!r}?")
        or f"give {', '.join(WEIGHTS)} or a folder of weights"
    )


def _nearest(name: str, choices: Iterable[str], text: str) -> str:
    near = get_close_matches(name, list(choices), n=1)
    return text.format(near[0]) if near else ""


def _mend_names(missing: list[str], unexpected: list[str]) -> str:
    for name in missing:
        if near := _nearest(name, unexpected, "rename {!r}"):
            return f"{near} to {name!r}, and the like"
    return "save a module of this very architecture, with pytest_infer.weights.save_weights"


def _listed(names: list[str]) -> str:
    if not names:
        return "nothing"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
