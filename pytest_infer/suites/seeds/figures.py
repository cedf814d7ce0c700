"""Figures that the articles report, added to the verdicts of this package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_infer import Arrays, LoadedModel, Samples, Verdict

BYTES_PER_MIB = 2**20


def by_protocol(verdict: Verdict, samples: Samples, **figures: float) -> Verdict:
    """Return a verdict on an article's calls with their mean, which articles report.

    ``mean_ms`` is the mean of the calls in ms, ``mean_rate_per_s`` rows per second by it.
    """
    means = {
        "mean_ms": samples.mean_ms,
        "mean_rate_per_s": samples.batch * 1000 / samples.mean_ms,
        "warmup_calls": samples.warmup_calls,
    }
    return replace(verdict, figures={**verdict.figures, **means, **figures})


def with_details(verdict: Verdict, **details: Any) -> Verdict:
    """Return a verdict with more details, JSON-able."""
    return replace(verdict, details={**verdict.details, **details})


def sizes_mib(model: LoadedModel, feeds: Arrays) -> dict[str, float]:
    """Return the MiB of the parameters and buffers of a model, and of its inputs."""
    state = model.module.state_dict(keep_vars=True)
    held = sum(value.numel() * value.element_size() for value in state.values())
    fed = sum(feed.nbytes for feed in feeds.values())
    return {"model_mib": held / BYTES_PER_MIB, "inputs_mib": fed / BYTES_PER_MIB}
