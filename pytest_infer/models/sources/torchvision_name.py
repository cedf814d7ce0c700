"""``torchvision:NAME``: models of torchvision, fed as their default weights want it."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache, partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.draft import Parts
from pytest_infer.models.draft_spec import Said, spec_of
from pytest_infer.models.image_input import IMAGENET_MEAN, IMAGENET_STD, resized
from pytest_infer.models.source_kind import SchemeKind
from pytest_infer.models.spec import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.models.draft import Asked, Draft
    from pytest_infer.models.source_kind import SourceKind
    from pytest_infer.models.spec import ModelSpec

IMAGE = "image"
_SIDE = 224
_NOT_TENSORS = ("detection", "optical_flow", "video")
"""Of torchvision's families: those that take lists of images, or what no photograph is."""


class Torchvision(SchemeKind):
    """The models that `torchvision.models.get_model` makes."""

    def draft(self, asked: Asked) -> Draft:
        """Return the draft of a model; raise `ModelError` without torchvision, or the name."""
        name = asked.place.partition(":")[2]
        family = _family(name)
        if family in _NOT_TENSORS and not asked.wishes.inputs:
            raise _odd_inputs(name, family)
        prepare = partial(preprocess, name, asked.image_size(IMAGE))
        own = Parts(preprocess=None if family in _NOT_TENSORS else prepare)
        return asked.draft(partial(create, name), partial(_spec, asked, name, family), own)


def create(name: str, pretrained: bool) -> nn.Module:
    """Return torchvision's module; without weights, its backbone has none either."""
    from torchvision.models import get_model, get_model_builder

    no_backbone = "weights_backbone" in signature(get_model_builder(name)).parameters
    choice = {} if pretrained or not no_backbone else {"weights_backbone": None}
    module: nn.Module = get_model(name, weights="DEFAULT" if pretrained else None, **choice)
    return module.eval()


def preprocess(name: str, size: tuple[int, int] | None, photographs: Sequence[Array]) -> Arrays:
    """Return ``photographs`` as the default weights of ``name`` want them.

    Where these keep a photograph's proportions, as a segmenter's do, or ``size`` is another, each
    is resized to one size and normalised alike.
    """
    import numpy as np
    from PIL import Image

    transform = _transform(name)
    if size is None and hasattr(transform, "crop_size"):
        images = [transform(Image.fromarray(photograph)) for photograph in photographs]
        return {IMAGE: np.stack([image.numpy() for image in images])}
    mean = getattr(transform, "mean", IMAGENET_MEAN)
    std = getattr(transform, "std", IMAGENET_STD)
    return resized(IMAGE, size or _size(name), mean, std, photographs)


def _spec(asked: Asked, name: str, family: str) -> ModelSpec:
    task: str = "classification" if family in {"", "quantization"} else "tensor"
    inputs = {} if family in _NOT_TENSORS else {IMAGE: TensorSpec(("batch", 3, *_size(name)))}
    make = partial(create, name, False)
    return spec_of(asked, Said(inputs, task), make, default_weights="pretrained")


def _size(name: str) -> tuple[int, int]:
    """Return the height and width of the default weights' images."""
    transform = _transform(name)
    found = getattr(transform, "crop_size", None) or getattr(transform, "resize_size", [_SIDE])
    return found[0], found[-1]


@cache
def _transform(name: str) -> Any:
    from torchvision.models import get_model_weights

    return get_model_weights(name).DEFAULT.transforms()


def _family(name: str) -> str:
    """Return the part of torchvision.models that has a model; empty for classifiers."""
    try:
        from torchvision.models import get_model_builder, list_models
    except ImportError as error:
        raise ModelError(
            f"cannot read torchvision:{name}",
            why=f"torchvision cannot be imported: {error}",
            mend="pip install torchvision, in the environment in which eager runs",
        ) from error
    try:
        parts = str(get_model_builder(name).__module__).split(".")
    except ValueError as error:
        near = get_close_matches(name, list_models(), n=3)
        raise ModelError(
            f"torchvision has no model {name!r}",
            why=str(error),
            mend=f"choose one, such as: {', '.join(near)}"
            if near
            else "see torchvision.models.list_models()",
        ) from error
    inside = parts[2:-1]
    return inside[0] if inside else ""


def _odd_inputs(name: str, family: str) -> ModelError:
    return ModelError(
        f"cannot read torchvision:{name}",
        why=f"a model of torchvision.models.{family} takes no batch of photographs",
        mend="write a module around it that takes tensors, and decorate its function with "
        "pytest_infer.model",
    )


KIND: SourceKind = Torchvision("torchvision")
