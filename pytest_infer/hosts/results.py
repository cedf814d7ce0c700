"""What operations return that no other package has a type for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_infer.engines.protocol import LayerTimes, Missing


@dataclass(frozen=True)
class BuildResult:
    """Where a built engine is, and how it came there."""

    folder: str
    is_new: bool
    """It was built now, not found in the cache."""
    notice: str
    """What was odd about the cache's entry; empty if nothing was."""
    content: str = ""
    """The digest of its files."""


@dataclass(frozen=True)
class TimingsResult:
    """What builds in a cache have timed."""

    name: str
    """Of the file beside the baselines."""
    content: bytes
    """As the engine's library wrote it; empty if nothing was built."""


@dataclass(frozen=True)
class LookResult:
    """What a bound call and a later one put out."""

    timed: Mapping[str, Any] | None
    """None if the engine cannot show it."""
    after: Mapping[str, Any]
    """What `infer` gives for the same feeds."""


@dataclass(frozen=True)
class BlockResult:
    """The calls of one turn of a runner."""

    durations_ns: Mapping[str, Sequence[int]]
    """By clock, the one nearest to the device first."""
    disturbance: str
    """What used the device or the cores meanwhile; empty if nothing did."""
    waited_ns: int = 0
    """For how long threads of the process waited for a core, as far as the kernel counts that."""


@dataclass(frozen=True)
class EvaluationResult:
    """What a model's evaluation set is, without its rows."""

    rows: int
    guess: float
    """The share of rows of the most frequent class; 0 without classes."""
    original: str
    """The model whose eager mode in fp32 counts; empty: the model's own."""
    calibrated: Sequence[int] = ()
    """The numbers of the rows that are in the calibration set, too."""


@dataclass(frozen=True)
class ProbeResult:
    """What a module answers, unless its weights have another structure by now."""

    answer: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """How long it took to be created and to answer."""
    left_out: Sequence[str] = ()
    """What its forward returns by name beside the outputs of its spec."""
    structure: str = ""
    """The structure of its weights, which is not the expected one; empty if it has answered."""


@dataclass(frozen=True)
class ProfileResult:
    """What a library's profiler has measured, or why there is nothing."""

    times: LayerTimes | None = None
    lack: Missing | None = None
