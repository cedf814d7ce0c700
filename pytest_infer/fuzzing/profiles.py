"""Hypothesis's profiles that this package knows, where naming one imports no hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILES: Mapping[str, int] = {"dev": 25, "ci": 100, "deep": 1000}
"""The examples of each; ``ci`` is derandomized."""
