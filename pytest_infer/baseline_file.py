"""Baselines on disk: ``<device>/device.json`` and one ``<device>/<model>.json`` per model."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from pytest_infer.errors import BaselineError
from pytest_infer.json_file import has_file, read_json, write_json
from pytest_infer.spec import PRECISIONS, Case
from pytest_infer.strict_json import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

SCHEMA: Literal[2] = 2
"""What is written. Schema 1, which is read too, had no measurements for the gate."""

DEVICE_FILE = "device.json"

LOCK_TIMEOUT_S = 60.0
"""A writer holds the lock for milliseconds; one that waits this long waits for a dead disk."""

Kind: TypeAlias = Literal["measured", "published"]
Fingerprint: TypeAlias = "Mapping[str, str]"
"""What tells one device from another, such as ``{"kind": "cuda", "name": "NVIDIA H200"}``."""

TIMINGS = ("p50_ms", "p90_ms", "p99_ms", "throughput_per_s", "speedup")
"""Figures that must be above zero; the others (errors, counts) may be zero."""

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FIGURE = re.compile(r"[a-z][a-z0-9_]*")
_SETTING = r"\+[a-z0-9_]+(?:=[A-Za-z0-9_.-]+)?"
_KEY_END = re.compile(
    rf"(?P<engine>[\w.-]+)-(?P<precision>{'|'.join(PRECISIONS)})-b(?P<batch>[1-9][0-9]*)"
    rf"(?P<settings>(?:{_SETTING})*)"
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


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The figures of one case, units in the names, and where they come from."""

    figures: dict[str, float]
    provenance: Measured | Published
    gate: Gate | None = None
    """None where nothing was measured for the gate: published figures, or schema 1."""


class _DeviceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    fingerprint: dict[str, str]
    holds: Kind
    """Whether every entry of this folder is measured, or every one published."""


class _ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    model: str
    entries: dict[str, Any]


class Found(NamedTuple):
    """An entry and the key under which it is stored."""

    key: str
    entry: Entry


class Change(NamedTuple):
    """What `update` did to one key; ``old`` is None for a new one."""

    key: str
    old: Mapping[str, float] | None
    new: Mapping[str, float]


@dataclass(frozen=True)
class Baselines:
    """One device's folder of baselines; files are read when they are asked for."""

    folder: Path

    @property
    def name(self) -> str:
        """Return the folder's name, which is the name on the command line."""
        return self.folder.resolve().name

    @property
    def fingerprint(self) -> dict[str, str]:
        """Return what identifies the device; raise `BaselineError` on a broken file."""
        return self._device().fingerprint

    @property
    def is_published(self) -> bool:
        """Return whether the figures come from a publication and not from a measurement."""
        return self._device().holds == "published"

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that have a file, sorted."""
        files = self.folder.glob("[!.]*.json")
        return tuple(sorted(file.stem for file in files if file.name != DEVICE_FILE))

    def read(self, model: str) -> dict[str, Entry]:
        """Return a model's entries by key, none without a file; raise `BaselineError`."""
        path = self.folder / _file_name(model)
        if not has_file(path):
            return {}
        content = _read(path, _ModelFile)
        if content.model != model:
            told = f"is '{shown(content.model)}'; the file is named '{model}'"
            raise _invalid(path, "$.model", told)
        holds = self._device().holds
        return {
            key: _checked_entry(path, key, model, value, holds)
            for key, value in content.entries.items()
        }

    def find(self, case: Case) -> Found | None:
        """Return the entry that ``case`` is compared with.

        It is the case's own, or else, if the figures are published, eager's of the same model and
        batch, at the case's precision before fp32 before any other: what any engine must beat.
        """
        entries = self.read(case.model)
        keys = [case.id]
        if self.is_published:
            precisions = dict.fromkeys((case.precision, "fp32", *PRECISIONS))
            keys += [f"{case.model}-eager-{each}-b{case.batch}" for each in precisions]
        return next((Found(key, entries[key]) for key in keys if key in entries), None)

    def _device(self) -> _DeviceFile:
        path = self.folder / DEVICE_FILE
        content = _read(path, _DeviceFile)
        if not content.fingerprint:
            raise _invalid(path, "$.fingerprint", "is empty: it would match every device")
        return content


Stored: TypeAlias = "Mapping[str, Mapping[str, Entry]]"
"""Entries by model and key."""

Choice: TypeAlias = "Callable[[Stored], Stored]"
"""Returns what is stored beside, and in place of, what is there."""


class KeyParts(NamedTuple):
    """What a key says besides its model."""

    engine: str
    precision: str
    batch: int
    settings: str
    """As `settings_text` shows them."""


def key_parts(model: str, key: str) -> KeyParts:
    """Return the parts of a key that `Baselines.read` has returned for ``model``."""
    found = _KEY_END.fullmatch(key.removeprefix(f"{model}-"))
    if found is None:
        raise ValueError(f"{key} is no key of {model}")
    return KeyParts(found["engine"], found["precision"], int(found["batch"]), found["settings"])


def is_same_device(stored: Fingerprint, present: Fingerprint) -> bool:
    """Return whether every item of the ``stored`` fingerprint is the ``present`` one's."""
    return all(present.get(name) == value for name, value in stored.items())


def update(
    folder: Path,
    device: Fingerprint,
    entries: Mapping[Case, Entry],
    *,
    missing_only: Collection[Case] = (),
) -> list[Change]:
    """Store measured ``entries`` in a device's folder and return what changed, sorted by key.

    Other entries stay, and so do those of ``missing_only`` that are there already. Writers in other
    processes wait for each other and lose nothing; readers see whole files. Raise `BaselineError`,
    before anything is written, if the folder belongs to another device or holds published figures,
    or if an entry is not fit to be stored.
    """
    fresh: dict[str, dict[str, Entry]] = {}
    for case, entry in entries.items():
        fresh.setdefault(case.model, {})[case.id] = _fit(folder, case, entry)
    kept = {case.id for case in missing_only}

    def choose(there: Stored) -> Stored:
        return {
            model: {key: new[key] for key in new if not (key in kept and key in there[model])}
            for model, new in fresh.items()
        }

    return merge(folder, device, list(fresh), choose)


def merge(
    folder: Path, device: Fingerprint, models: Collection[str], choose: Choice
) -> list[Change]:
    """Store what ``choose`` makes of what is there of ``models``, as `update` does.

    Nothing is written if it raises.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=LOCK_TIMEOUT_S):
            return _store(folder, device, models, choose)
    except (OSError, Timeout) as error:
        raise BaselineError(
            f"cannot store baselines in {folder}",
            why=f"{type(error).__name__}: {error}",
            mend="let this user write to the folder, or name another one (--infer-baselines)",
        ) from error


def _store(
    folder: Path, device: Fingerprint, models: Collection[str], choose: Choice
) -> list[Change]:
    baselines = Baselines(folder)
    check_owner(baselines, device)
    there = {model: baselines.read(model) for model in models}
    chosen = choose(there)
    _claim(baselines, device)
    changes = []
    for model, new in sorted(chosen.items()):
        old = there[model]
        found = [
            Change(key, old[key].figures if key in old else None, entry.figures)
            for key, entry in new.items()
            if entry != old.get(key)
        ]
        if found:
            draft = {"schema": SCHEMA, "model": model, "entries": {**old, **new}}
            write_json(folder / _file_name(model), msgspec.to_builtins(draft))
        changes += found
    return sorted(changes, key=lambda each: each.key)


def _claim(baselines: Baselines, device: Fingerprint) -> None:
    """Write ``device.json`` if there is none."""
    path = baselines.folder / DEVICE_FILE
    if not has_file(path):
        content = _DeviceFile(schema=SCHEMA, fingerprint=dict(device), holds="measured")
        write_json(path, msgspec.to_builtins(_converted(path, "$", content, _DeviceFile)))


def check_owner(baselines: Baselines, device: Fingerprint) -> None:
    """Raise `BaselineError` unless figures measured on ``device`` may be stored there."""
    if not has_file(baselines.folder / DEVICE_FILE):
        return
    if baselines.is_published:
        why = "it holds published figures, which are never measured again"
    elif not is_same_device(baselines.fingerprint, device):
        why = f"it belongs to {dict(baselines.fingerprint)}, and this is {dict(device)}"
    else:
        return
    raise BaselineError(
        f"cannot store baselines in {baselines.folder}",
        why=why,
        mend="store under another name: --update-baselines --gpu-baseline=NAME",
    )


def _fit(folder: Path, case: Case, entry: Entry) -> Entry:
    path = folder / _file_name(case.model)
    return _checked_entry(path, case.id, case.model, msgspec.to_builtins(entry), "measured")


def _checked_entry(path: Path, key: str, model: str, value: Any, holds: Kind) -> Entry:
    place = f'$.entries["{shown(key)}"]'
    is_models = key.startswith(f"{model}-")
    if not (is_models and _KEY_END.fullmatch(key.removeprefix(f"{model}-"))):
        raise _invalid(path, place, f"is no case of this file: {model}-ENGINE-PRECISION-bBATCH")
    for name, figure in _figures_of(value).items():
        _converted(path, f"{place}.figures.{shown(name)}", figure, float)
    entry = _converted(path, place, value, Entry)
    if isinstance(entry.provenance, Published) != (holds == "published"):
        raise _invalid(path, f"{place}.provenance.kind", f"is not {holds}, as {DEVICE_FILE} says")
    if not entry.figures:
        raise _invalid(path, f"{place}.figures", "is empty")
    for name, figure in entry.figures.items():
        _check_figure(path, f"{place}.figures.{shown(name)}", name, figure)
    if entry.gate is not None:
        _check_gate(path, f"{place}.gate", entry.gate)
    return entry


def _check_gate(path: Path, place: str, gate: Gate) -> None:
    if not gate.measurements:
        raise _invalid(path, f"{place}.measurements", "is empty")
    for number, each in enumerate(gate.measurements):
        here = f"{place}.measurements[{number}]"
        if not (math.isfinite(each.theta) and math.isfinite(each.rho)):
            raise _invalid(path, here, "has a ratio that is not finite")
        _check_figure(path, f"{here}.engine_ms", "p50_ms", each.engine_ms)
    if gate.artefact and not _ARTEFACT.fullmatch(gate.artefact):
        raise _invalid(path, f"{place}.artefact", "is no name of a built engine in a cache")


def _read(path: Path, kind: type[_T]) -> _T:
    """Return a file's content as a ``kind``, unless it is of a schema that is not known here."""
    value = read_json(path)
    schema = value.get("schema") if isinstance(value, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise BaselineError(
            f"cannot use {path}",
            why=f"$.schema: is {schema}; this pytest-infer knows {SCHEMA} and older ones",
            mend="pip install --upgrade pytest-infer",
        )
    content = _converted(path, "$", value, kind)
    if type(schema) is not int or schema < 1:
        raise _invalid(path, "$.schema", "is no schema, which are counted from 1")
    return content


def _figures_of(value: Any) -> dict[str, Any]:
    """Return the figures one by one, for msgspec does not say which of them is no number."""
    figures = value.get("figures") if isinstance(value, dict) else None
    return figures if isinstance(figures, dict) else {}


def _check_figure(path: Path, place: str, name: str, figure: float) -> None:
    if not _FIGURE.fullmatch(name):
        raise _invalid(path, place, "is no name of a figure (lower_case_with_unit)")
    if not math.isfinite(figure) or figure < 0 or (figure == 0 and name in TIMINGS):
        raise _invalid(path, place, f"is {figure}, not a positive, finite number")


def _converted(path: Path, place: str, value: Any, kind: type[_T]) -> _T:
    """Return ``value`` as a ``kind``; ``place`` is where it stands in the file."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text, _, inner = str(error).partition(" - at `$")
        told = shown(text[0].lower() + text[1:])
        raise _invalid(path, place + shown(inner.rstrip("`")), told) from error


def _invalid(path: Path, place: str, why: str) -> BaselineError:
    return BaselineError(
        f"cannot use {path}",
        why=f"{place}: {why}",
        mend="correct it, or delete the entry and run with --update-baselines",
    )


def _file_name(model: str) -> str:
    if not _MODEL.fullmatch(model) or f"{model}.json" == DEVICE_FILE:
        raise BaselineError(
            f"cannot keep baselines of a model called {model!r}",
            why="its name must do as a file name: letters, digits, dots, dashes, underscores, "
            "and not 'device'",
            mend="rename the model",
        )
    return f"{model}.json"
