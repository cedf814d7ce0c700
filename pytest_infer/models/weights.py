"""A model's weights: seeded, pretrained or the user's; and files of weights."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import InferError, ModelError
from pytest_infer.models.created import created_by, unguarded
from pytest_infer.models.feeds import DRAWN_ROWS, make_feeds
from pytest_infer.models.own_code import own_code
from pytest_infer.models.photographs import photographs
from pytest_infer.models.seeding import seed_network
from pytest_infer.models.spec import WEIGHTS
from pytest_infer.models.weights_file import listed, load_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt
    from torch import nn

    from pytest_infer.models.registry import Model

    Arrays = Mapping[str, npt.NDArray[Any]]

SUFFIXES = (".safetensors", ".pt", ".pth")
"""Files of weights that can be read, the first found being taken."""


def load_module(model: Model, weights: str) -> nn.Module:
    """Return the model's module in fp32 on the CPU, with ``weights``, in eval mode.

    ``weights`` is ``seeded``, ``pretrained``, ``random`` (what its constructor draws), or a folder
    that has ``<model>.safetensors`` (or ``.pt``, ``.pth``). A model that brings weights of its own
    ignores it. Raise `ModelError`.
    """
    if model.spec.brings_weights:
        return created(model)
    if weights == "pretrained":
        return _pretrained(model)
    is_folder = weights not in WEIGHTS
    path = weights_path(model.spec.name, weights) if is_folder else None
    module = created(model, pretrained=False)
    if path:
        load_weights(module, path)
    elif weights == "seeded":
        _seed(model, module)
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
        why=f"it has {listed(present)}, but not {' or '.join(name + end for end in SUFFIXES)}",
        mend=_nearest(f"{name}.safetensors", present, "rename {}")
        or "save them there with pytest_infer.models.weights.save_weights",
    )


def save_weights(module: nn.Module, path: Path) -> None:
    """Write the module's state to ``path``, whose folder exists, as safetensors."""
    from safetensors.torch import save_model

    save_model(module, str(path))


def created(model: Model, **choice: bool) -> nn.Module:
    """Return what the model's function creates, and leave torch's random state as it was."""
    return created_by(model.create, model.spec.name, **choice)


def _pretrained(model: Model) -> nn.Module:
    try:
        return unguarded(model.create, model.spec.name, pretrained=True)
    except InferError:
        raise
    except Exception as error:
        raise ModelError(
            f"cannot load the pretrained weights of {model.spec.name}",
            why=f"{type(error).__name__}: {error}",
            mend=f"{_where_they_come_from(model)},\nor use --infer-weights=seeded or random, or "
            f"--infer-weights=DIR with {model.spec.name}.safetensors",
        ) from error


def _where_they_come_from(model: Model) -> str:
    """Return what to do for pretrained weights: a folder has its own, a library's cache others."""
    folder = model.spec.source.text.partition("hf:")[2]
    if folder.startswith("/"):
        return f"write them into {folder} again, by save_pretrained"
    return "fill the cache once with network (torch: TORCH_HOME, Hugging Face: HF_HOME)"


def _seed(model: Model, module: nn.Module) -> None:
    if model.seed is None:
        seed_network(model.spec.name, module, _feeds(model))
    else:
        feeds = _feeds(model)
        with own_code(f"seed {model.spec.name}", "seed"):
            model.seed(module, feeds)


def _feeds(model: Model) -> Arrays:
    """Return feeds of the package's own photographs: the user's do not change the weights."""
    return make_feeds(model, len(photographs()) if model.preprocess else DRAWN_ROWS, images=None)


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
