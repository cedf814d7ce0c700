"""When, where and how a run was made: the head of every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SHORT_COMMIT = 12
"""Digits of a commit that people read."""


@dataclass(frozen=True)
class RunInfo:
    """What a run's figures are worth nothing without; empty is unknown."""

    started: str = ""
    """ISO 8601, in UTC."""
    duration_s: float = 0.0
    stopped: str = ""
    """Why it ended before all that was asked for had run: Ctrl-C, ``-x``; empty if it did not."""
    command: str = ""
    """What was typed after the interpreter, quoted for a shell."""
    commit: str = ""
    """Of the repository in which pytest ran."""
    dirty: bool | None = None
    """Tracked files differ from the commit; None if that is unknown."""
    plugin: str = ""
    """The version of pytest-infer."""
    platform: str = ""
    machine: str = ""
    """The name of the machine on which pytest ran; hosts may be others."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of Python and of the packages in pytest's own process; records have their hosts'."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option of pytest-infer with its value, defaults too."""
    seeds: Mapping[str, str] = field(default_factory=dict)
    """What decides draws and orders."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)
