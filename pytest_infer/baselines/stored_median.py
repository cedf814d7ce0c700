"""Look up the stored p50 that a ``p50_over_baseline`` budget is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.baselines.folder import is_same_device
from pytest_infer.baselines.storing import storing_command
from pytest_infer.judges.budget import StoredMedian

if TYPE_CHECKING:
    from pytest_infer.baselines.folder import Baselines, Fingerprint
    from pytest_infer.case import Case

FIGURE = "p50_ms"


def stored_median(
    case: Case,
    baselines: Baselines | None,
    present: Fingerprint,
    *,
    is_named: bool,
    is_updating: bool,
) -> StoredMedian:
    """Return the p50 of the entry that was measured for ``case`` on the ``present`` device.

    Neither a published figure nor one of another device or engine will do: a ratio to it says
    nothing of this engine's past. ``is_named`` says that a person chose these baselines, and
    ``is_updating`` that this run replaces what they hold.
    """
    if is_updating:
        return StoredMedian(lack="this run replaces the stored one", code="to-be-stored")
    if baselines is None:
        return StoredMedian(lack=f"nothing is stored: store it with {storing_command(case)}")
    if baselines.is_published:
        return StoredMedian(lack=f"{baselines.name} holds published figures, not this engine's own")
    if not is_same_device(baselines.fingerprint, present):
        return StoredMedian(lack=f"{baselines.name} is another device's")
    found = baselines.find(case)
    if found is None or FIGURE not in found.entry.figures:
        return StoredMedian(
            lack=f"{baselines.name} has no p50 of it: store it with "
            f"{storing_command(case, baselines)}",
            is_demanded=is_named,
        )
    return StoredMedian(p50_ms=found.entry.figures[FIGURE])
