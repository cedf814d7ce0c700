"""An entry of a baseline: what is stored of one case, under which key, and what makes it valid."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from pytest_infer.errors import BaselineError
from pytest_infer.spec import PRECISIONS
from pytest_infer.strict_json import shown

if TYPE_CHECKING:
    from pathlib import Path

Kind: TypeAlias = Literal["measured", "published"]

TIMINGS = ("p50_ms", "p90_ms", "p99_ms", "throughput_per_s", "speedup")
"""Figures that must be above zero; the others (errors, counts) may be zero."""

_FIGURE = re.compile(r"[a-z][a-z0-9_]*")
_SETTING = r"\+[a-z0-9_]+(?:=[A-Za-z0-9_.-]+)?"
_KEY_END = re.compile(
    rf"(?P<engine>[\w.-]+)-(?P<precision>{'|'.join(PRECISIONS)})-b(?P<batch>[1-9][0-9]*)"
    rf"(?P<settings>(?:{_SETTING})*)(?:\[(?P<variant>.+)\])?"
)

_ARTEFACT = re.compile(r"[0-9a-f]{32}")

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


class StoredMeasurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `Measurement`, of a process of its own."""

    theta: float
    rho: float
    engine_ms: float
    rounds: int


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the latency gate compares with, and under which conditions it was measured."""

    protocol: int
    clock: str
    threads: int
    """Of one inference; 0: the engine's own choice."""
    measurements: list[StoredMeasurement]
    rounds: int = 0
    """How many ``--infer-calls`` asked for; 0: the device's own plan."""
    artefact: str = ""
    """The built engine's name in the cache, which may keep it; empty if none is built."""
    gpu: str = ""
    """The UUID of the GPU that was measured; empty on a CPU, or where it is not known."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The figures of one case, units in the names, and where they come from."""

    figures: dict[str, float]
    provenance: Measured | Published
    gate: Gate | None = None
    """None where nothing was measured for the gate: published figures, or schema 1."""


class KeyParts(NamedTuple):
    """What a key says besides its model."""

    engine: str
    precision: str
    batch: int
    settings: str
    """As `settings_text` shows them."""
    variant: str = ""
    """The test's own parameters, as its id has them."""


def key_parts(model: str, key: str) -> KeyParts:
    """Return the parts of a key that `Baselines.read` has returned for ``model``."""
    found = _KEY_END.fullmatch(key.removeprefix(f"{model}-"))
    if found is None:
        raise ValueError(f"{key} is no key of {model}")
    engine, precision, batch, settings, variant = found.groups()
    return KeyParts(engine, precision, int(batch), settings, variant or "")


def checked_entry(path: Path, key: str, model: str, value: Any, holds: Kind) -> Entry:
    """Return the entry that ``value`` is; raise `BaselineError` with its place in ``path``."""
    place = f'$.entries["{shown(key)}"]'
    is_models = key.startswith(f"{model}-")
    if not (is_models and _KEY_END.fullmatch(key.removeprefix(f"{model}-"))):
        raise invalid(path, place, f"is no case of this file: {model}-ENGINE-PRECISION-bBATCH")
    for name, figure in _figures_of(value).items():
        converted(path, f"{place}.figures.{shown(name)}", figure, float)
    entry = converted(path, place, value, Entry)
    if isinstance(entry.provenance, Published) != (holds == "published"):
        raise invalid(path, f"{place}.provenance.kind", f"is not {holds}, as device.json says")
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
        if not (math.isfinite(each.theta) and math.isfinite(each.rho)):
            raise invalid(path, here, "has a ratio that is not finite")
        _check_figure(path, f"{here}.engine_ms", "p50_ms", each.engine_ms)
    if gate.artefact and not _ARTEFACT.fullmatch(gate.artefact):
        raise invalid(path, f"{place}.artefact", "is no name of a built engine in a cache")


def _figures_of(value: Any) -> dict[str, Any]:
    """Return the figures one by one, for msgspec does not say which of them is no number."""
    figures = value.get("figures") if isinstance(value, dict) else None
    return figures if isinstance(figures, dict) else {}


def _check_figure(path: Path, place: str, name: str, figure: float) -> None:
    if not _FIGURE.fullmatch(name):
        raise invalid(path, place, "is no name of a figure (lower_case_with_unit)")
    if not math.isfinite(figure) or figure < 0 or (figure == 0 and name in TIMINGS):
        raise invalid(path, place, f"is {figure}, not a positive, finite number")


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
