"""Which kernels' timings are kept where folders of several machines become one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.baselines.entry import Measured
from pytest_infer.baselines.folder import Baselines
from pytest_infer.baselines.timings import SUFFIX, keep_timings, read_timings, timing_files
from pytest_infer.case_id import id_parts
from pytest_infer.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_infer.baselines.folder import Fingerprint


def chosen_timings(into: Path, sources: Sequence[Baselines], take: str | None) -> dict[str, bytes]:
    """Return the timings that ``into`` gets, by file.

    Only the engine's library could join two files, so one side's are kept whole. Raise
    `BaselineError` where two sides differ and ``take`` does not say whose.
    """
    sides = [Baselines(into), *sources]
    files: dict[str, dict[int, bytes]] = {}
    for number, side in enumerate(sides):
        for path in timing_files(side.folder):
            files.setdefault(path.name, {})[number] = read_timings(path)
    return {name: found[_side(into, name, found, sides, take)] for name, found in files.items()}


def store_timings(into: Path, device: Fingerprint, timings: Mapping[str, bytes]) -> None:
    """Write what was chosen."""
    for name, content in timings.items():
        keep_timings(into, device, name, lambda _, content=content: content)  # type: ignore[misc]


def _side(
    into: Path,
    name: str,
    found: Mapping[int, bytes],
    sides: Sequence[Baselines],
    take: str | None,
) -> int:
    """Return the number of the side whose timings are kept."""
    if len(set(found.values())) == 1 or take == "into":
        return min(found)
    if take == "from":
        return max(found)
    engine = name.removesuffix(SUFFIX).rpartition("-")[0]
    dates = {number: _newest(sides[number], engine) for number in found}
    latest = [number for number, date in dates.items() if date == max(dates.values())]
    if take == "newest" and len(latest) == 1:
        return latest[0]
    raise BaselineError(
        f"cannot merge baselines into {into}",
        why=f"they have other timings in {name}",
        mend="say whose: --take=newest (of the entries of that engine), --take=into or --take=from",
    )


def _newest(side: Baselines, engine: str) -> str:
    """Return the last day on which an entry of ``engine`` was measured; ISO 8601 sorts as it is."""
    dates = [""]
    for model in side.models():
        for key, entry in side.read(model).items():
            parts = id_parts(model, key)
            if parts and parts[0] == engine and isinstance(entry.provenance, Measured):
                dates.append(entry.provenance.date)
    return max(dates)
