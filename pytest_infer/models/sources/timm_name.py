"""``timm:NAME``: image models of timm, fed as their pretrained weights want it."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.draft import Parts
from pytest_infer.models.draft_spec import Said, spec_of
from pytest_infer.models.source_kind import SchemeKind
from pytest_infer.models.spec import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.models.draft import Asked, Draft
    from pytest_infer.models.source_kind import SourceKind
    from pytest_infer.models.spec import ModelSpec

IMAGE = "image"


class Timm(SchemeKind):
    """The models that `timm.create_model` makes; a name may have a tag of weights."""

    def draft(self, asked: Asked) -> Draft:
        """Return the draft of a model; raise `ModelError` without timm, or without the name."""
        name = asked.place.partition(":")[2]
        _check(name)
        size = asked.image_size(IMAGE)
        own = Parts(preprocess=partial(preprocess, name, size))
        return asked.draft(partial(create, name), partial(_spec, asked, name), own)


def create(name: str, pretrained: bool) -> nn.Module:
    """Return timm's module."""
    import timm

    module: nn.Module = timm.create_model(name, pretrained=pretrained)
    return module.eval()


def preprocess(name: str, size: tuple[int, int] | None, photographs: Sequence[Array]) -> Arrays:
    """Return ``photographs`` as the weights of the timm model ``name`` want them.

    Height and width are those of ``size``, or else the weights'.
    """
    import numpy as np
    from PIL import Image

    transform = _transform(name, size)
    images = [transform(Image.fromarray(photograph)) for photograph in photographs]
    return {IMAGE: np.stack([image.numpy() for image in images])}


def _spec(asked: Asked, name: str) -> ModelSpec:
    shape = ("batch", *_config(name)["input_size"])
    is_classifier = bool(_weights(name).num_classes)
    said = Said({IMAGE: TensorSpec(shape)}, "classification" if is_classifier else "tensor")
    return spec_of(asked, said, partial(create, name, False), default_weights="pretrained")


def _weights(name: str) -> Any:
    """Return what timm says of a model's weights; a model without any has usual values."""
    import timm

    return timm.get_pretrained_cfg(name)


def _config(name: str) -> Mapping[str, Any]:
    from timm.data import resolve_data_config

    found: Mapping[str, Any] = resolve_data_config(pretrained_cfg=_weights(name).to_dict())
    return found


@cache
def _transform(name: str, size: tuple[int, int] | None) -> Any:
    from timm.data import create_transform

    config = dict(_config(name))
    if size:
        config["input_size"] = (config["input_size"][0], *size)
    return create_transform(**config, is_training=False)


def _check(name: str) -> None:
    try:
        import timm
    except ImportError as error:
        raise ModelError(
            f"cannot read timm:{name}",
            why=f"timm cannot be imported: {error}",
            mend="pip install timm, in the environment in which eager runs",
        ) from error
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=3)
        raise ModelError(
            f"timm has no model {name!r}",
            why=f"timm {timm.__version__} knows none of that name",
            mend=f"choose one, such as: {', '.join(near)}" if near else "see timm.list_models()",
        )


KIND: SourceKind = Timm("timm")
