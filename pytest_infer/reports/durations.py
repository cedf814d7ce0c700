"""What a run's time went into, as a table and the longest single waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_infer.plain_text import plain_text
from pytest_infer.reports.table import filled_table, rendered

HEADINGS = ("made of", "s", "share", "times")
MOST_SHOWN = 10
LEAST_S = 0.05
"""What took less in all is added to the last line."""


@dataclass(frozen=True)
class Durations:
    """Seconds by what they were spent on, and how often that was."""

    spent_s: Mapping[str, float]
    calls: Mapping[str, int]
    longest: Mapping[str, float]
    """Seconds by what was waited for, each the longest of its name."""
    wall_s: float
    workers: int = 0
    """Of xdist, whose times are added up."""

    def text(self) -> str:
        """Return the table, the most first, and under it what took longest."""
        total = sum(self.spent_s.values())
        ranked = sorted(self.spent_s.items(), key=lambda each: -each[1])
        rows = [
            (kind, f"{spent:.1f}", f"{spent / total:.0%}", str(self.calls.get(kind) or ""))
            for kind, spent in ranked
            if spent >= LEAST_S
        ]
        of = f", {total:.1f} s of {self.workers} workers" if self.workers else ""
        lines = [f"{self.wall_s:.1f} s in all{of}", rendered(filled_table(HEADINGS, [rows]))]
        longest = sorted(self.longest.items(), key=lambda each: -each[1])[:MOST_SHOWN]
        lines.append("longest waits:")
        lines += [f"{spent:8.1f} s  {plain_text(doing)}" for doing, spent in longest]
        return "\n".join(lines)
