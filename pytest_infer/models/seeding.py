"""Seeded weights: drawn from names, adjusted to photographs, the same in every process.

Plain random initialisation makes nets whose activations decay into denormals or explode, and
whose answer is the same for every photograph. Here the batch norms hold the statistics of real
photographs, and the last layers look along the directions in which photographs differ, as
training would make them. ``docs/explanation/models.md`` has the reasons.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.models.forward import arguments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt
    from torch import Tensor, nn

    Array = npt.NDArray[Any]
    Arrays = Mapping[str, Array]
    Hook = Callable[..., None]

SIGNIFICANT_BITS = 14
"""Bits kept of every weight: fp64 sums that differ in their last bits round to the same weight,
yet no weight is exact in fp16 (11 bits) or bf16 (8 bits), so that casting it still costs."""

BRANCH_GAIN = 0.3
"""Scale of what a residual branch adds. Of the weights of a layer in sequence, each multiplies the
rounding errors of those before it; a small branch adds its own and leaves the others alone."""

_SHIFT = 0.75
"""Mean batch-norm bias in standard deviations: at 0 a ReLU discards a third of the signal's
variance and keeps the errors; at 0.75 it discards a seventh."""

_TAPS = 0.7
"""Norm of a filter's outer taps, its centre's being 1 (delta-orthogonal: arXiv 1806.05393)."""

_ISOTROPIC = 0.3
"""Share of a fitted layer's weights that looks in every direction, so that all of them count."""

_LEAST_VARIANCE = 0.01
"""Least variance of a channel, of the layer's median: a dead channel would amplify rounding."""


@dataclass(frozen=True)
class Fit:
    """Where a fitted layer's outputs shall lie over the photographs: per output, or over all."""

    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    ridge: float | None = None
    """Damping of a regression that gives each position its own outputs; None has no targets,
    the weights are random mixtures of the positions (which suits more positions than channels)."""


def seed_network(
    name: str,
    module: nn.Module,
    feeds: Arrays,
    *,
    gains: Mapping[str, float] | None = None,
    fits: Mapping[str, Fit] | None = None,
) -> Any:
    """Give ``module`` seeded weights in place; return what it returns for ``feeds``, in fp64.

    ``name`` keys the draws; ``gains`` scales the weights of submodules, by their names; ``fits``
    says which linear or pointwise layers follow the photographs. Ends in fp32 and eval mode.
    """
    import torch

    module.double().eval()
    with torch.no_grad():
        with one_thread():
            draw(name, module, gains or {})
        outputs = adjust(name, module, feeds, fits or {})
    module.float()
    return outputs


def draw(name: str, module: nn.Module, gains: Mapping[str, float]) -> None:
    """Draw every weight of ``module`` in place from a generator keyed by its full name."""
    for path, part in module.named_modules():
        for leaf, tensor in _own_weights(part).items():
            values = _drawn(generator(name, path, leaf), part, leaf, tuple(tensor.shape))
            _store(tensor, values * _scale(part, leaf, gains.get(path, 1.0)))


def adjust(name: str, module: nn.Module, feeds: Arrays, fits: Mapping[str, Fit]) -> Any:
    """Set batch-norm statistics and fitted layers in place, in one pass of ``feeds`` in fp64.

    Each is set just before its layer runs, hence from what the layers before it give by then.
    Return what the module returns.
    """
    hooks: list[tuple[nn.Module, Hook]] = [
        (part, _measure) for part in module.modules() if _has_statistics(part)
    ]
    hooks += [
        (module.get_submodule(path), _fitter(generator(name, path, "fit"), fit))
        for path, fit in fits.items()
    ]
    handles = [part.register_forward_pre_hook(hook) for part, hook in hooks]
    try:
        tensors = {key: _tensor(feed) for key, feed in feeds.items()}
        return arguments_of(module.forward, list(feeds), name).call(module, tensors)
    finally:
        for handle in handles:
            handle.remove()


def generator(*key: str) -> np.random.Generator:
    """Return numpy's generator for ``key``; torch's draws differ between devices and versions."""
    digest = sha256("/".join(key).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def coarse(values: Array) -> Array:
    """Return ``values`` rounded to `SIGNIFICANT_BITS`."""
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float64))
    whole = np.round(np.ldexp(mantissa, SIGNIFICANT_BITS))
    return np.asarray(np.ldexp(whole, exponent - SIGNIFICANT_BITS))


def semi_orthogonal(random: np.random.Generator, rows: int, columns: int) -> Array:
    """Return a matrix that keeps lengths (up to one factor), with rows of length 1."""
    import torch

    tall = random.standard_normal((max(rows, columns), min(rows, columns)))
    basis, triangle = (factor.numpy() for factor in torch.linalg.qr(torch.from_numpy(tall)))
    basis = basis * np.sign(np.diag(triangle))
    return np.asarray(basis * np.sqrt(rows / columns) if rows >= columns else basis.T)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: hundreds of small factorisations only wait for a second one."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _own_weights(part: nn.Module) -> dict[str, Tensor]:
    """Return a module's own parameters, and the weights that a frozen batch norm buffers."""
    own: dict[str, Tensor] = dict(part.named_parameters(recurse=False))
    if _has_statistics(part):
        own |= {n: t for n, t in part.named_buffers(recurse=False) if n in ("weight", "bias")}
    return own


def _has_statistics(part: nn.Module) -> bool:
    return getattr(part, "running_mean", None) is not None


def _drawn(
    random: np.random.Generator, part: nn.Module, leaf: str, shape: tuple[int, ...]
) -> Array:
    if len(shape) > 2:  # noqa: PLR2004 (a matrix's dimensions)
        return _filters(random, shape)
    if len(shape) == 2:  # noqa: PLR2004 (a matrix's dimensions)
        is_table = hasattr(part, "num_embeddings")
        return random.standard_normal(shape) if is_table else semi_orthogonal(random, *shape)
    if leaf == "weight":
        return np.asarray(random.uniform(0.8, 1.2, shape))
    if _has_statistics(part):
        return _SHIFT + 0.2 * random.standard_normal(shape)
    return 0.1 * random.standard_normal(shape)


def _filters(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return filters that pass their centre on, isometrically, and mix in what is around it."""
    rows, columns, *kernel = shape
    taps = int(np.prod(kernel))
    filters = _TAPS * random.standard_normal(shape) / np.sqrt(columns * max(taps - 1, 1))
    centre = (slice(None), slice(None), *(size // 2 for size in kernel))
    filters[centre] = 1.0 if columns == 1 else semi_orthogonal(random, rows, columns)
    return np.asarray(filters)


def _scale(part: nn.Module, leaf: str, gain: float) -> float:
    return gain if leaf == "weight" or _has_statistics(part) else 1.0


def _measure(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Set a batch norm's statistics to those of its input, (batch, channels, ...)."""
    x = inputs[0].flatten(2) if inputs[0].ndim > 2 else inputs[0][..., None]  # noqa: PLR2004
    mean = x.mean(2).mean(0)  # nine times as fast as var_mean over both
    variance = (x - mean[None, :, None]).square_().mean(2).mean(0)
    least = _LEAST_VARIANCE * float(variance.median())
    _store(_buffer(part, "running_mean"), mean.numpy())
    _store(_buffer(part, "running_var"), variance.clamp(min=least).numpy())


def _fitter(random: np.random.Generator, fit: Fit) -> Hook:
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        _fit(layer, _positions(inputs[0]), fit, random)

    return hook


def _positions(x: Tensor) -> Array:
    """Return (photograph, position, channel) of a layer's input; rows alone are one photograph."""
    if x.ndim == 4:  # noqa: PLR2004 (batch, channels, height, width)
        x = x.flatten(2).transpose(1, 2)
    positions: Array = x.numpy() if x.ndim == 3 else x.numpy()[None]  # noqa: PLR2004
    return positions


def _fit(layer: nn.Module, features: Array, fit: Fit, random: np.random.Generator) -> None:
    """Set a layer's weights to look along the ways in which positions differ.

    Rounding errors point everywhere, signals do not: looking along the signals averages the
    errors away, which is what training does to a layer.
    """
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    rows, columns = weight.shape[:2]
    within = (features - features.mean(1, keepdims=True)).reshape(-1, columns)
    targets = random.standard_normal((rows, len(within)))
    along = _unit(
        _product(targets, within) if fit.ridge is None else _regressed(targets, within, fit.ridge)
    )
    weights = along + _ISOTROPIC * _unit(random.standard_normal((rows, columns)))
    flat = features.reshape(-1, columns)
    centre = flat.mean(0)
    outputs = _product(flat - centre, weights.T)
    weights *= (np.asarray(fit.std) / outputs.std(0 if isinstance(fit.std, tuple) else None))[
        ..., None
    ]
    _store(weight, weights.reshape(tuple(weight.shape)))
    _store(bias, np.asarray(fit.mean) - weights @ centre)


def _regressed(targets: Array, rows: Array, ridge: float) -> Array:
    """Return the ridge regression of ``targets`` (output, row) on ``rows``, in its dual form."""
    products = rows @ rows.T
    damping = ridge * np.trace(products) / len(rows) * np.eye(len(rows))
    solved = np.linalg.solve(products + damping, targets.T)
    return np.asarray(solved.T @ rows)


def _product(left: Array, right: Array) -> Array:
    """Return the matrix product by torch, whose threads do not compete with numpy's."""
    import torch

    product: Array = torch.matmul(torch.from_numpy(left), torch.from_numpy(right)).numpy()
    return product


def _unit(rows: Array) -> Array:
    """Return ``rows`` scaled to a mean length of 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1).mean())


def _store(tensor: Tensor, values: Array) -> None:
    import torch

    tensor.copy_(torch.from_numpy(coarse(values)))


def _buffer(part: nn.Module, name: str) -> Tensor:
    return dict(part.named_buffers(recurse=False))[name]


def _tensor(feed: Array) -> Tensor:
    import torch

    tensor = torch.from_numpy(np.array(feed))
    return tensor.double() if tensor.is_floating_point() else tensor
