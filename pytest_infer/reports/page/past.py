"""The chart of a case over earlier runs: its median in each, and what is seen in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.reports.drift import Drift, drift_of, words_of
from pytest_infer.reports.history import Moment, by_case, device_text
from pytest_infer.reports.page.scales import Scale, Tick, short, ticks

if TYPE_CHECKING:
    from pytest_infer.reports.record import Record

LEFT, RIGHT, TOP, BOTTOM = 52, 620, 10, 145

MOST_SHOWN = 200
"""Runs of a chart, the newest ones."""


@dataclass(frozen=True)
class PastChart:
    """What the template draws, in its view box."""

    line: str
    dots: str
    failed: str
    """Dots of the runs in which the case failed."""
    ticks: Sequence[Tick]
    first: str
    """When the first run that is shown was made."""
    told: str
    drift: Drift | None


def past_charts(records: Sequence[Record], history: Sequence[Moment]) -> Mapping[str, PastChart]:
    """Return the chart of each case of which two runs on its device were timed, by its id."""
    devices = {each.case_id: device_text(each.device) for each in records if each.device}
    found = {}
    for (case_id, device), moments in by_case(history).items():
        timed = [each for each in moments if "p50_ms" in each.figures]
        if devices.get(case_id) == device and len(timed) > 1:
            found[case_id] = _chart(timed)
    return found


def _chart(moments: Sequence[Moment]) -> PastChart:
    drift = drift_of(moments)
    shown = moments[-MOST_SHOWN:]
    values = [each.figures["p50_ms"] for each in shown]
    margin = (max(values) - min(values)) * 0.08 or max(values) * 0.02 or 1.0
    up = Scale(min(values) - margin, max(values) + margin, BOTTOM, TOP)
    along = Scale(0, len(values) - 1, LEFT + 8, RIGHT - 8)
    places = [f"{along(turn):g} {up(value):g}" for turn, value in enumerate(values)]
    failed = [each.status == "fail" for each in shown]
    return PastChart(
        line="M" + "L".join(places),
        dots=_dots(place for place, is_bad in zip(places, failed, strict=True) if not is_bad),
        failed=_dots(place for place, is_bad in zip(places, failed, strict=True) if is_bad),
        ticks=ticks(up),
        first=shown[0].started,
        told=_told(moments, values, drift),
        drift=drift,
    )


def _dots(places: Iterable[str]) -> str:
    return "".join(f"M{place}h0" for place in places)


def _told(moments: Sequence[Moment], values: Sequence[float], drift: Drift | None) -> str:
    seen = words_of(drift, moments) or "no change is told apart"
    shown = "" if len(values) == len(moments) else f", the last {len(values)} are shown"
    return (
        f"{len(moments)} runs{shown}: medians of {short(min(values))} to {short(max(values))} ms; "
        f"{seen}"
    )
