"""How long things took in earlier runs, in pytest's own cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

KEY = "infer/durations_s"
LEAST_S = 2.0
"""What ends sooner is not worth remembering."""

MOST = 1000
"""Things that are remembered, the latest."""


def read_durations(config: pytest.Config) -> dict[str, float]:
    """Return seconds by what took them; nothing without pytest's cache, or of a damaged one."""
    cache = getattr(config, "cache", None)
    found = {} if cache is None else cache.get(KEY, {})
    if not isinstance(found, dict):
        return {}
    return {str(k): float(v) for k, v in found.items() if isinstance(v, (int, float))}


def write_durations(config: pytest.Config, taken: Mapping[str, float]) -> None:
    """Add what was measured to what is remembered."""
    cache = getattr(config, "cache", None)
    if cache is not None and taken:
        older = {k: v for k, v in read_durations(config).items() if k not in taken}
        latest = list({**older, **taken}.items())[-MOST:]
        cache.set(KEY, {name: round(seconds, 1) for name, seconds in latest})
