"""What the page shows of each case's layers: the picture of its graph, and what they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.graphs.drawing import Drawing
from pytest_infer.reports.history import by_case, device_text, profile_of_moment
from pytest_infer.reports.page.ribbon import drawing_in, ribbon_of, told_of
from pytest_infer.reports.profile import Grown, Profile, grown_layers, profile_in

if TYPE_CHECKING:
    from jinja2 import Environment

    from pytest_infer.reports.history import Moment
    from pytest_infer.reports.record import Record


@dataclass(frozen=True)
class Layers:
    """What is known of the layers of one case."""

    drawing: int | None = None
    """The number of its picture, which other cases may share."""
    drawing_told: str = ""
    """What the picture shows, in words, or why there is none."""
    profile: Profile | None = None
    grown: Sequence[Grown] = ()
    """Layers that take longer than before."""
    since: str = ""
    """When before was."""


@dataclass(frozen=True)
class AllLayers:
    """The layers of each case, by its id, and every picture once."""

    cases: Mapping[str, Layers]
    drawings: Sequence[Drawing]


def layers_of(
    records: Sequence[Record], history: Sequence[Moment] = (), started: str = ""
) -> AllLayers:
    """Return what records say of layers; ``started`` is the run that a history has already."""
    drawings: list[Drawing] = []
    numbers: dict[str, int] = {}
    found: dict[str, Layers] = {}
    before = _profiled_before(records, history, started)
    for record in records:
        profile, drawn = profile_in(record.details), drawing_in(record.details)
        if profile is None and drawn is None:
            continue
        own = found.get(record.case_id, Layers())
        number, told = own.drawing, own.drawing_told
        if isinstance(drawn, Drawing):
            number, told = numbers.setdefault(repr(drawn), len(drawings)), told_of(drawn)
            drawings += [drawn] if number == len(drawings) else []
        elif drawn:
            told = f"no picture: {drawn}"
        grown, since = own.grown, own.since
        if profile and not profile.note and record.case_id in before:
            since, earlier = before[record.case_id]
            grown = grown_layers(earlier, profile)
        found[record.case_id] = Layers(number, told, profile or own.profile, grown, since)
    return AllLayers(found, drawings)


def _profiled_before(
    records: Sequence[Record], history: Sequence[Moment], started: str
) -> dict[str, tuple[str, Profile]]:
    """Return the last profile of each case from an earlier run on its device, and its date."""
    devices = {each.case_id: device_text(each.device) for each in records if each.device}
    found = {}
    for (case_id, device), moments in by_case(history).items():
        known = [each for each in moments if each.layers_ms and each.started < started]
        if devices.get(case_id) == device and known:
            found[case_id] = (_day(known[-1].started), profile_of_moment(known[-1]))
    return found


def _day(started: str) -> str:
    """Return a date in ISO 8601 as people write it, without the seconds."""
    return f"{started[:16].replace('T', ' ')} UTC" if started.endswith("+00:00") else started


def drawing_texts(drawings: Sequence[Drawing], environment: Environment) -> list[str]:
    """Return each picture with its legend, and as a table, in HTML."""
    module = environment.get_template("ribbon.html").module
    return [str(module.drawing(ribbon_of(each))) for each in drawings]  # type: ignore[attr-defined]
