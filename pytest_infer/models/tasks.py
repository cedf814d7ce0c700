"""The tasks that a model may have, and what its declaration needs for each."""

from __future__ import annotations

TENSOR = "tensor"
"""The task of a model whose outputs are compared as they are, and mean nothing more."""

_known: dict[str, bool] = {
    "classification": False,
    "detection": True,
    "embeddings": False,
    "regression": False,
    "segmentation": False,
    TENSOR: False,
    "text_generation": False,
}
"""Whether a task needs a postprocessing."""


def names() -> tuple[str, ...]:
    """Return every task that a model may have, sorted."""
    return tuple(sorted(_known))


def needs_postprocess(name: str) -> bool:
    """Return whether only a model's own postprocessing tells what its outputs mean."""
    return _known[name]


def declare(name: str, *, needs_postprocess: bool) -> None:
    """Let models have the task ``name``."""
    _known[name] = needs_postprocess
