"""Figures that the articles report, added to the verdicts of this package."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_infer import Arrays, LoadedModel, Samples, Verdict

BYTES_PER_MIB = 2**20
NS_PER_MS = 1_000_000


def by_protocol(verdict: Verdict, samples: Samples, **figures: float) -> Verdict:
    """Return a verdict on an article's calls with their mean, which articles report.

    ``mean_ms`` is the mean of the calls in ms, ``mean_rate_per_s`` rows per second by it. On a GPU
    ``enqueue_mean_ms`` is the mean until a call returned, for which an article waits.
    """
    means = {
        "mean_ms": samples.mean_ms,
        "mean_rate_per_s": samples.batch * 1000 / samples.mean_ms,
        "warmup_calls": samples.warmup_calls,
    }
    if samples.enqueue_ns:
        means["enqueue_mean_ms"] = fmean(samples.enqueue_ns) / NS_PER_MS
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
