"""The history of cases: a line of JSON per case and run, appended to a file that only grows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pytest_infer.errors import OptionError
from pytest_infer.plain_text import shown
from pytest_infer.reports.profile import Profile, TimedLayer, profiles_of
from pytest_infer.reports.summary import rows_from_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_infer.reports.result import Result

SCHEMA = 1

KEPT = (
    "p50_ms",
    "p99_ms",
    "throughput_per_s",
    "speedup",
    "theta",
    "over_kernel",
    "relative_l2",
    "worst_ratio",
)
"""Figures that are worth following over months."""

BEGIN = b'{"'
"""How each line begins."""

UNKNOWN = "unknown"
"""The device of a case in whose run none was known."""

MOST_LAYERS = 40
"""Of a profile: those that take longest."""


class Moment(msgspec.Struct, frozen=True):
    """One case in one run."""

    schema: Literal[1]
    started: str
    commit: str
    dirty: bool | None
    device: str
    """Its name, and on a CPU its number of cores: figures of two devices are never compared."""
    case_id: str
    status: str
    code: str
    figures: dict[str, float]
    layers_ms: dict[str, float] = {}
    """What the layers take that take longest, if they were profiled; since 2026-11-30."""


def history_text(result: Result) -> str:
    """Return the lines that a run adds, one per case."""
    return "".join(f"{json.dumps(each, sort_keys=True)}\n" for each in _lines(result))


def _lines(result: Result) -> Iterator[dict[str, Any]]:
    devices = _devices(result)
    profiles = profiles_of(result.records)
    for row in rows_from_records(result.records):
        profile = profiles.get(row.case.id)
        yield {
            "schema": SCHEMA,
            "started": result.run.started,
            "commit": result.run.commit,
            "dirty": result.run.dirty,
            "device": device_text(devices.get(row.case.id, {})),
            "case_id": row.case.id,
            "status": row.status,
            "code": row.code,
            "figures": {name: row.figures[name] for name in KEPT if name in row.figures},
            **({"layers_ms": _layers_ms(profile)} if profile else {}),
        }


def _devices(result: Result) -> dict[str, Mapping[str, Any]]:
    """Return the device of each case; one that failed before it was known has that of others."""
    known = {each.case.device: each.device for each in result.records if each.device}
    own = {each.case_id: each.device for each in result.records if each.device}
    others = {each.case_id: known.get(each.case.device, {}) for each in result.records}
    return others | own


def _layers_ms(profile: Profile) -> dict[str, float]:
    return {layer.name: layer.ms for layer in profile.layers[:MOST_LAYERS]}


def profile_of_moment(moment: Moment) -> Profile:
    """Return what a history has kept of a profile: layers by name, not all of them."""
    layers = [TimedLayer(name, ms) for name, ms in moment.layers_ms.items()]
    return Profile(total_ms=sum(layer.ms for layer in layers), layers=layers)


def device_text(device: Mapping[str, Any]) -> str:
    """Return what a device is called in a history."""
    cores = f", {device['cores']} cores" if "cores" in device else ""
    return f"{device.get('name', UNKNOWN)}{cores}"


def read_history(path: Path) -> list[Moment]:
    """Return the lines of a history, in the order of their runs; raise `OptionError` for another.

    A last line without an end is left out if a run was cut off in it. Of a run that is there twice
    the last line of each case counts.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(path, f"{type(error).__name__}: {error.strerror}") from error
    content = content[: len(content) - cut_bytes(content)]
    lines = enumerate(content.split(b"\n"), 1)
    moments = [_moment(path, number, line) for number, line in lines if line.strip()]
    found = {
        (each.started or number, each.case_id, each.device): each
        for number, each in enumerate(moments)
    }
    return sorted(found.values(), key=lambda each: each.started)


def cut_bytes(content: bytes) -> int:
    """Return how many bytes at the end of a history are of a line that a run was cut off in."""
    last = content.rpartition(b"\n")[2]
    if not last.startswith(BEGIN[: len(last)]):
        return 0  # it is no line of a history
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        return len(last)
    return 0


def _moment(path: Path, number: int, line: bytes) -> Moment:
    try:
        return _parsed(line)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors too
        raise _unusable(path, f"line {number}: {shown(str(error))}") from error


def _parsed(line: bytes) -> Moment:
    return msgspec.convert(json.loads(line, parse_constant=_refuse), Moment)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def _unusable(path: Path, why: str) -> OptionError:
    mend = "name a file that --infer-report=history:PATH has written, or mend that line"
    return OptionError(f"cannot use {path}", why=why, mend=mend)


def by_case(moments: Sequence[Moment]) -> dict[tuple[str, str], list[Moment]]:
    """Return the moments of each case on each device, the oldest first.

    A run that failed before its device was known is one of the only device that the case has.
    """
    devices: dict[str, set[str]] = {}
    for each in moments:
        devices.setdefault(each.case_id, set()).add(each.device)
    found: dict[tuple[str, str], list[Moment]] = {}
    for each in moments:
        known = devices[each.case_id] - {UNKNOWN}
        device = min(known) if each.device == UNKNOWN and len(known) == 1 else each.device
        found.setdefault((each.case_id, device), []).append(each)
    return found
