"""Our MobileNetV2 against torchvision's, module by module."""

import pytest
import torch
from torch import nn
from torchvision import models

from pytest_infer.errors import ModelError
from pytest_infer.models.networks.mobilenet_v2 import MobileNetV2, rounded

LEAVES = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU6, nn.Linear)


def twins(width_mult: float, size: int = 64) -> tuple[nn.Module, nn.Module]:
    """Return ours and torchvision's with the same weights, paired by order."""
    torch.manual_seed(0)
    theirs = models.mobilenet_v2(width_mult=width_mult).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.01, 0.1)
    ours = MobileNetV2(input_size=size, width_mult=width_mult).eval()
    names, values = ours.state_dict().keys(), theirs.state_dict().values()
    ours.load_state_dict(dict(zip(names, values, strict=True)))
    return ours, theirs


def leaf_outputs(module: nn.Module, image: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """Return the kind and the output of every leaf, in the order in which they run."""
    seen: list[tuple[str, torch.Tensor]] = []

    def note(part: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        seen.append((type(part).__name__, output.clone()))

    for part in module.modules():
        if isinstance(part, LEAVES):
            part.register_forward_hook(note)
    with torch.no_grad():
        module(image)
    return seen


def differing(ours: nn.Module, theirs: nn.Module) -> list[int]:
    """Return the positions of the leaves whose kind, shape or output is not the same."""
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    pairs = list(zip(leaf_outputs(ours, image), leaf_outputs(theirs, image), strict=True))
    assert len(pairs) == 140
    return [
        index
        for index, ((kind, output), (kind_2, output_2)) in enumerate(pairs)
        if kind != kind_2
        or output.shape != output_2.shape
        or not torch.allclose(output, output_2, rtol=1e-5, atol=1e-5 * float(output_2.std()))
    ]


@pytest.mark.parametrize("width_mult", [0.5, 1.0, 1.4])
def test_every_module_agrees_with_torchvision(width_mult: float) -> None:
    """All 52 convolutions, 52 batch norms, 35 activations and the classifier give the same."""
    assert differing(*twins(width_mult)) == []


@pytest.mark.parametrize("width_mult", [0.35, 0.5, 0.75, 1.0, 1.3, 1.4])
def test_parameters_have_torchvision_s_order_and_shapes(width_mult: float) -> None:
    """The state dict has torchvision's shapes, in torchvision's order."""
    ours = [tuple(v.shape) for v in MobileNetV2(width_mult=width_mult).state_dict().values()]
    theirs = models.mobilenet_v2(width_mult=width_mult).state_dict().values()
    assert ours == [tuple(value.shape) for value in theirs]


def test_a_wrong_constant_or_a_lost_shortcut_is_seen() -> None:
    """The comparison names the first module after a planted fault."""
    ours, theirs = twins(1.0)
    ours.blocks[2].is_residual = False
    assert differing(ours, theirs)[0] == 24
    ours, theirs = twins(1.0)
    ours.blocks[1].depthwise[1].eps = 0.01
    assert differing(ours, theirs)[0] == 12


def test_classes_and_size_are_free() -> None:
    """The articles' two classes, at another size, with a narrower net."""
    network = MobileNetV2(n_class=2, input_size=96, width_mult=0.35).eval()
    with torch.no_grad():
        assert network(torch.zeros(3, 3, 96, 96)).shape == (3, 2)


def test_channels_are_rounded_to_eights() -> None:
    """Down is allowed to nine tenths only, and 8 is the least."""
    assert [rounded(c) for c in (1, 11.9, 12, 18, 33.6, 1280 * 1.4)] == [8, 16, 16, 24, 32, 1792]


@pytest.mark.parametrize(("size", "near"), [(100, "96 or 128"), (16, "32 or 64")])
def test_a_size_that_32_does_not_divide_is_an_error(size: int, near: str) -> None:
    """The message names the two sizes that would do."""
    with pytest.raises(ModelError) as caught:
        MobileNetV2(input_size=size)
    assert str(caught.value) == (
        f"cannot create MobileNetV2 for input_size={size}\n"
        "  why:  its five strides of 2 divide the input's size by 32\n"
        f"  mend: take a multiple of 32, such as {near}"
    )


def test_no_classes_or_no_width_is_an_error() -> None:
    """Neither can be zero."""
    with pytest.raises(ModelError, match=r"n_class=0, width_mult=1\.0"):
        MobileNetV2(n_class=0)
    with pytest.raises(ModelError, match="n_class=1000, width_mult=0"):
        MobileNetV2(width_mult=0)
