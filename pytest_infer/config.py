"""What the user asked for, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from pytest_infer.case import Precision

AUTO = "auto"
ALL = "all"
Update: TypeAlias = Literal["all", "new", "improved"]
"""Which baselines a run stores: of all that it measures, those that are missing, or those and
what has become faster."""

OFF: Literal["off"] = "off"


@dataclass(frozen=True)
class InferConfig:
    """What the user asked for; the defaults ask for everything that can run here."""

    engines: tuple[str, ...] = (AUTO,)
    models: tuple[str, ...] = ()
    """Names of models, and texts of sources."""
    inputs: tuple[str, ...] = ()
    """What is said of the inputs of sources, as texts."""
    precisions: tuple[Precision, ...] = ("fp32",)
    batches: tuple[int, ...] = (1,)
    device: str = AUTO
    hosts: Mapping[str, str] = field(default_factory=dict)
    against: Mapping[str, str] = field(default_factory=dict)
    """The other environment of each engine that is compared with itself: its host."""
    engine_options: Mapping[str, str] = field(default_factory=dict)
    """The text of each ``ENGINE.NAME``."""
    weights: str | None = None
    """None: each model's default."""
    images: Path | None = None
    cache: Path | Literal["off"] | None = None
    """None: the user's; off: one that goes with the run."""
    baselines: Path = Path("baselines")
    baseline: str = AUTO
    update: Update | None = None
    """None: none."""
    calls: int | None = None
    warmup: int | None = None
    timeout_s: float = 600.0
    reports: tuple[tuple[str, Path], ...] = ()
    strict: bool = False
    thorough: bool = False
    """Also what is enough once per engine is checked on every model."""
    localize: bool = False
    int8_loss: bool = False
    profile: bool = False
    """Each timed engine is also run with its library's profiler."""
    artifacts: Path | None = None
    """Where graphs and engines are kept for people; None: nowhere."""
    unquantized: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The nodes of each model that stay in fp32 in its int8 graph, sorted."""
    fuzz_examples: int | None = None
    fuzz_replay: str = ""
    worker: int | None = None
    """The number of this xdist worker; None without xdist."""
    given: tuple[str, ...] = ()
    """The fields above that the user has set, sorted."""

    def allows(self, name: str, value: object) -> bool:
        """Return whether the user has left the field ``name`` open, or has ``value`` in it."""
        return name not in self.given or value in getattr(self, name)

    @property
    def has_photographs(self) -> bool:
        """Return whether a report is wanted that shows photographs."""
        return any(kind in {"html", "json"} for kind, _ in self.reports)
