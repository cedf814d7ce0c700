"""How many of a small unit a large one has."""

from __future__ import annotations

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

BYTES_PER_MB = 1_000_000
BYTES_PER_GB = 1_000_000_000
