"""An entry of a baseline: what is stored of one case, and what makes it valid."""

from __future__ import annotations

import re
from datetime import date
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import msgspec

from pytest_infer.bounds import CALLS, LONGEST_S, told
from pytest_infer.case_id import id_parts
from pytest_infer.errors import BaselineError
from pytest_infer.plain_text import shown
from pytest_infer.stored_gate import Gate  # noqa: TC001 - msgspec reads the annotation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_infer.stored_gate import StoredMeasurement

Kind: TypeAlias = Literal["measured", "published"]

LONGEST_MS = LONGEST_S * 1000.0
SHORTEST_MS = 1e-6
"""A nanosecond, in which durations are counted."""

MOST_RATIO = LONGEST_MS / SHORTEST_MS
"""Of two durations; also of rows, a million at most, over a duration in seconds."""

RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("p50_ms", "p90_ms", "p99_ms"), (SHORTEST_MS, LONGEST_MS)),
    "throughput_per_s": (1 / LONGEST_S, MOST_RATIO),
    "speedup": (1 / MOST_RATIO, MOST_RATIO),
}
"""What a clock of nanoseconds can have measured in calls of at most a year."""

MOST_FIGURE = 3.5e38
"""Of any other figure, an error above all: outputs are compared in float32's range."""

MOST_LOG = 38.0
"""Of a ratio's logarithm: ln(a year / a nanosecond) is 37.99."""

KERNEL_FACTOR = 2.5
"""How differently long one device may take for the fixed kernel.

Twenty stored measurements of an H200 have 206.5 to 207.3 us. A CPU is less steady: its clock goes
up and down, and neighbours take a share.
"""

_FIGURE = re.compile(r"[a-z][a-z0-9_]*")
_ARTEFACT = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_T = TypeVar("_T")


class Measured(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="measured"
):
    """Provenance of figures that this package measured."""

    device: str
    date: str
    """ISO 8601."""
    command: str
    driver: str = ""
    """Empty on a device that has none."""
    versions: dict[str, str] = {}


class Published(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="published"
):
    """Provenance of figures taken from a publication."""

    source: str
    """URL or citation."""
    note: str = ""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The figures of one case, units in the names, and where they come from."""

    figures: dict[str, float]
    provenance: Measured | Published
    gate: Gate | None = None
    """None where nothing was measured for the gate: published figures, or schema 1."""


def checked_entry(path: Path, key: str, model: str, value: Any, holds: Kind) -> Entry:
    """Return the entry that ``value`` is; raise `BaselineError` with its place in ``path``."""
    place = f'$.entries["{shown(key)}"]'
    if id_parts(model, key) is None:
        raise invalid(path, place, f"is no case of this file: {model}-ENGINE-PRECISION-bBATCH")
    for name, figure in _figures_of(value).items():
        converted(path, f"{place}.figures.{shown(name)}", figure, float)
    entry = converted(path, place, value, Entry)
    if isinstance(entry.provenance, Published) != (holds == "published"):
        raise invalid(path, f"{place}.provenance.kind", f"is not {holds}, as device.json says")
    if isinstance(entry.provenance, Measured) and not _is_date(entry.provenance.date):
        why = f"is '{shown(entry.provenance.date)}', and no day as 2026-01-31 is one"
        raise invalid(path, f"{place}.provenance.date", why)
    if not entry.figures:
        raise invalid(path, f"{place}.figures", "is empty")
    for name, figure in entry.figures.items():
        _check_figure(path, f"{place}.figures.{shown(name)}", name, figure)
    if entry.gate is not None:
        _check_gate(path, f"{place}.gate", entry.gate)
    return entry


def _check_gate(path: Path, place: str, gate: Gate) -> None:
    if not gate.measurements:
        raise invalid(path, f"{place}.measurements", "is empty")
    for number, each in enumerate(gate.measurements):
        here = f"{place}.measurements[{number}]"
        for name in ("theta", "rho"):
            _check_log(path, f"{here}.{name}", getattr(each, name))
        _check_figure(path, f"{here}.engine_ms", "p50_ms", each.engine_ms)
        _check_count(path, f"{here}.rounds", each.rounds, 1)
    _check_kernels(path, f"{place}.measurements", gate.measurements)
    for name in ("protocol", "threads", "rounds"):
        _check_count(path, f"{place}.{name}", getattr(gate, name), 0)
    if gate.artefact and not _ARTEFACT.fullmatch(gate.artefact):
        raise invalid(path, f"{place}.artefact", "is no name of a built engine in a cache")
    if gate.content and not _SHA256.fullmatch(gate.content):
        raise invalid(path, f"{place}.content", "is no digest of a built engine's files")
    if gate.timings and not _SHA256.fullmatch(gate.timings):
        raise invalid(path, f"{place}.timings", "is no SHA-256 of kernels' timings")


def _is_date(text: str) -> bool:
    """Return whether ``text`` is a day, as ISO 8601 writes it; days are compared as texts."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _figures_of(value: Any) -> dict[str, Any]:
    """Return the figures one by one, for msgspec does not say which of them is no number."""
    figures = value.get("figures") if isinstance(value, dict) else None
    return figures if isinstance(figures, dict) else {}


def _check_figure(path: Path, place: str, name: str, figure: float) -> None:
    if not _FIGURE.fullmatch(name):
        raise invalid(path, place, "is no name of a figure (lower_case_with_unit)")
    least, most = RANGES.get(name, (0.0, MOST_FIGURE))
    if not least <= figure <= most:  # NaN is in no range
        raise invalid(path, place, f"is {figure:g}, and can only be from {least:g} to {most:g}")


def _check_log(path: Path, place: str, log: float) -> None:
    if not abs(log) <= MOST_LOG:
        why = f"is {log:g}; it is the logarithm of a ratio of durations, from -{MOST_LOG:g} to "
        raise invalid(path, place, f"{why}{MOST_LOG:g}")


def _check_kernels(path: Path, place: str, measurements: Sequence[StoredMeasurement]) -> None:
    """Refuse a measurement that differs from its like in what the fixed kernel took."""
    usual_ms = median(each.kernel_ms for each in measurements)
    for number, each in enumerate(measurements):
        if is_other_kernel(each.kernel_ms, usual_ms):
            why = f"{each.told()}, and of {usual_ms:.3g} ms in the others: a figure is wrong"
            raise invalid(path, f"{place}[{number}]", why)


def is_other_kernel(one_ms: float, other_ms: float) -> bool:
    """Return whether one device cannot have taken both durations for the fixed kernel."""
    return not 1 / KERNEL_FACTOR <= one_ms / other_ms <= KERNEL_FACTOR


def _check_count(path: Path, place: str, count: int, least: int) -> None:
    if not least <= count <= CALLS.most:
        raise invalid(
            path, place, f"is {told(count)}, and can only be from {least} to {CALLS.most}"
        )


def converted(path: Path, place: str, value: Any, kind: type[_T]) -> _T:
    """Return ``value`` as a ``kind``; ``place`` is where it stands in the file."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text, _, inner = str(error).partition(" - at `$")
        told = shown(text[0].lower() + text[1:])
        raise invalid(path, place + shown(inner.rstrip("`")), told) from error


def invalid(path: Path, place: str, why: str) -> BaselineError:
    """Return the error that says where in a file what is wrong."""
    return BaselineError(
        f"cannot use {path}",
        why=f"{place}: {why}",
        mend="correct it, or delete the entry and run with --update-baselines",
    )
