"""What classifiers of ImageNet's 1000 classes share: shapes, pixels in, classes out, seeding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.models.seeding import BRANCH_GAIN, Fit, seed_network
from pytest_infer.models.spec import Dim, Profile, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt
    from torch import nn

    Arrays = Mapping[str, npt.NDArray[Any]]

INPUTS = {"image": TensorSpec(("batch", 3, 224, 224))}
OUTPUTS = {"logits": TensorSpec(("batch", 1000))}

PROFILE = Profile(
    {"image": TensorSpec(("batch", 3, "height", "width"))},
    # Up to 32 pixels the last features are one pixel high, which torch.export takes for a case
    # apart: it refuses to trace both as one graph.
    {"batch": Dim(1, 1, 8), "height": Dim(33, 224, 320), "width": Dim(33, 224, 320)},
)
"""What convolutions with a mean over the image at their end take."""

# A spread that makes some photograph's best class likely, as trained classifiers are.
_LOGITS = Fit(std=5.0, ridge=0.1)


def preprocess(name: str, photographs: Sequence[npt.NDArray[Any]]) -> Arrays:
    """Return ``photographs`` as the torchvision weights called ``name`` want them."""
    from PIL import Image

    transform = _weights(name).transforms()
    images = [transform(Image.fromarray(photograph)) for photograph in photographs]
    return {"image": np.stack([image.numpy() for image in images])}


def postprocess(outputs: Arrays) -> list[Arrays]:
    """Return, per row, the labels and softmax scores of the classes above 50 %."""
    return [_likely(scores) for scores in softmax(outputs["logits"])]


def labels(name: str) -> tuple[str, ...]:
    """Return the names of the classes of the torchvision weights called ``name``."""
    return tuple(_weights(name).meta["categories"])


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the softmax over the last axis, in fp64."""
    exact = logits.astype(np.float64)
    powers = np.exp(exact - exact.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def seed(
    name: str, head: str, branch_ends: Callable[[nn.Module], Iterable[str]]
) -> Callable[[nn.Module, Arrays], None]:
    """Return the function that seeds a classifier.

    ``head`` is the name of its last layer, ``branch_ends`` gives the names of the batch norms
    that end its residual branches.
    """

    def seed_classifier(module: nn.Module, feeds: Arrays) -> None:
        gains = dict.fromkeys(branch_ends(module), BRANCH_GAIN)
        seed_network(name, module, feeds, gains=gains, fits={head: _LOGITS})

    return seed_classifier


def _weights(name: str) -> Any:
    from torchvision.models import get_model_weights

    return get_model_weights(name).DEFAULT


def _likely(scores: npt.NDArray[np.float64]) -> Arrays:
    likely = np.flatnonzero(scores > 0.5)  # noqa: PLR2004 (as the articles print them)
    return {"scores": scores[likely], "labels": likely}
