"""The baselines of one run: which were chosen, how cases compare, and what is stored."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.baselines.difference import change_table
from pytest_infer.baselines.entry import Entry, Gate, Measured
from pytest_infer.baselines.floor import judge_floor, storing_command
from pytest_infer.baselines.folder import DEVICE_FILE, Baselines, is_same_device, model_file
from pytest_infer.baselines.listing import is_there
from pytest_infer.baselines.search import destination, match_device, resolve
from pytest_infer.baselines.store import check_owner, update
from pytest_infer.case import case_from_dict
from pytest_infer.config import AUTO
from pytest_infer.devices.fingerprint import device_slug
from pytest_infer.reports.table import rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.verdict import Verdict

IDENTITY = ("kind", "name", "cores")
"""What tells one device from another; a new driver does not make it another."""

GATE = "gate"
"""The detail of a record that holds what the gate is to compare with."""

RENEWS = "renews"
"""The detail of a record whose entry is there, and is to be replaced."""

NOTHING = {
    "all": "nothing was measured",
    "new": "nothing that was measured is missing",
    "improved": "nothing that was measured is missing or has improved",
    None: "nothing was to be stored",
}
"""Why a run has stored nothing."""

STORED = (
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "throughput_per_s",
    "speedup",
    "mae",
    "max_abs",
    "relative_l2",
)


class ChosenBaselines:
    """What the options on baselines mean for cases on one device."""

    def __init__(self, config: InferConfig, device: Mapping[str, Any]) -> None:
        self._config = config
        self._device = device
        self._own: dict[str, Mapping[str, Entry]] = {}
        self._there: dict[str, Mapping[str, Entry]] = {}

    @cached_property
    def baselines(self) -> Baselines | None:
        """Return what cases are compared with; raise `OptionError` for a name that is unknown."""
        wanted, folders = self._config.baseline, (self._config.baselines, shipped_folder())
        if wanted == AUTO:
            return match_device(identity_of(self._device), folders)
        if self._config.update and not is_there(self._folder / DEVICE_FILE):
            return None
        return resolve(wanted, folders)

    def check(self) -> None:
        """Read every file of the chosen baselines; raise `BaselineError` for one that is broken.

        So is a folder in which this run could not store, before it measures anything.
        """
        if self._config.update:
            check_owner(Baselines(self._folder), identity_of(self._device))
        chosen = self.baselines
        if chosen is not None and chosen.fingerprint:
            for model in chosen.models():
                chosen.read(model)

    def is_stored_anew(self, case: Case) -> bool:
        """Return whether ``case`` is measured to be stored, instead of being judged."""
        if self._config.update in {"new", "improved"}:
            return case.id not in self._stored(case.model)
        return self._config.update == "all"

    @property
    def renews_improved(self) -> bool:
        """Return whether the entry of a case that has become faster is replaced."""
        return self._config.update == "improved"

    def _stored(self, model: str) -> Mapping[str, Entry]:
        """Return a model's entries where this run stores, as they were when first asked for."""
        if model not in self._there:
            place = Baselines(self._folder)
            self._there[model] = place.read(model) if is_there(place.folder / DEVICE_FILE) else {}
        return self._there[model]

    def own(self, case: Case) -> Entry | None:
        """Return what was measured for ``case`` on this very device, unless it is replaced now."""
        if self.is_stored_anew(case):
            return None
        return self._own_entries(case.model).get(case.id)

    def _own_entries(self, model: str) -> Mapping[str, Entry]:
        if model not in self._own:
            self._own[model] = self._read_own(model)
        return self._own[model]

    def count_gated(self, case: Case) -> int:
        """Return how many entries the gate may judge of a case of the matrix.

        A test with parameters of its own has one for each of them.
        """
        if self._config.update == "all":
            return 0
        entries = self._own_entries(case.model).items()
        keys = [key for key, entry in entries if entry.gate]
        return sum(key == case.id or key.startswith(f"{case.id}[") for key in keys)

    def place_of(self, case: Case) -> str:
        """Return the file and the place in it where the entry of ``case`` is stored."""
        chosen = self.baselines
        file = model_file(chosen.folder, case.model) if chosen is not None else ""
        return f'{file}: $.entries["{case.id}"]'

    @property
    def is_own(self) -> bool:
        """Return whether these baselines were measured on this very device."""
        chosen = self.baselines
        return chosen is not None and not chosen.is_published and self._is_same_device

    def _read_own(self, model: str) -> Mapping[str, Entry]:
        chosen = self.baselines
        return chosen.read(model) if chosen is not None and self.is_own else {}

    def gated(self, case: Case) -> Entry | None:
        """Return the entry by which the gate judges ``case``: its own, with measurements."""
        entry = self.own(case)
        return entry if entry and entry.gate else None

    def judge_floor(self, case: Case, figures: Mapping[str, float]) -> Verdict:
        """Judge a case that the gate cannot: by a floor, or by what is missing."""
        return judge_floor(
            case,
            figures,
            self.baselines,
            same_device=self._is_same_device,
            is_named=self._config.baseline != AUTO,
        )

    def storing_command(self, case: Case) -> str:
        """Return the command that measures ``case`` and stores it in these baselines."""
        is_named = self._config.baseline != AUTO
        return storing_command(case, self.baselines if is_named else None)

    @property
    def _is_same_device(self) -> bool:
        chosen = self.baselines
        return chosen is not None and is_same_device(chosen.fingerprint, identity_of(self._device))

    def store(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Store the figures of every measured case that nothing speaks against; tell what was.

        With ``--update-baselines=new`` or ``improved``, an entry that is there is replaced only if
        its case has improved.
        """
        bad = {r["case_id"]: r["code"] for r in records if r["status"] in {"fail", "inconclusive"}}
        bad = _rivals(records) | bad
        measured = {r["case_id"]: r for r in records if r["judge"] == "latency"}
        entries = {
            case_from_dict(record["case"]): Entry(
                _stored_figures(key, records), _provenance(record), _gate(key, records)
            )
            for key, record in measured.items()
            if key not in bad
        }
        renewed = {r["case_id"] for r in records if RENEWS in r["details"]}
        is_all = self._config.update == "all"
        kept = [case for case in entries if not (is_all or case.id in renewed)]
        wanted = [key for key in measured if is_all or key not in self._present(measured[key])]
        changes = (
            update(self._folder, identity_of(self._device), entries, missing_only=kept)
            if entries
            else []
        )
        lines = [f"stored in {self._folder}: {len(changes)} entries"] if changes else []
        lines += [rendered(change_table(changes)).strip("\n")] if changes else []
        lines += [f"not stored: {key} ({bad[key]})" for key in wanted if key in bad]
        return lines or [f"no baseline was stored: {NOTHING[self._config.update]}"]

    def _present(self, record: Mapping[str, Any]) -> Mapping[str, Entry]:
        """Return the entries of a record's model that are there before anything is stored."""
        return self._stored(record["case"]["model"])

    @property
    def _folder(self) -> Path:
        wanted = self._config.baseline
        if wanted == AUTO:
            matching = match_device(identity_of(self._device), (self._config.baselines,))
            if matching and not matching.is_published:
                return matching.folder
            wanted = device_slug(dict(self._device))
        return destination(wanted, self._config.baselines)


def store_by_device(config: InferConfig, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Store every measured case in the baselines of the device on which it ran."""
    measured = {r["case_id"]: r["device"] for r in records if r["judge"] == "latency"}
    if not measured:
        return [f"no baseline was stored: {NOTHING['all']}"]
    lines = []
    for device in {str(identity_of(each)): each for each in measured.values()}.values():
        own = {key for key, each in measured.items() if identity_of(each) == identity_of(device)}
        baselines = ChosenBaselines(config, device)
        lines += baselines.store([record for record in records if record["case_id"] in own])
    return lines


def identity_of(device: Mapping[str, Any]) -> dict[str, str]:
    """Return the part of a device's fingerprint by which baselines know it."""
    return {name: str(device[name]) for name in IDENTITY if name in device}


def shipped_folder() -> Path:
    """Return the baselines that came with this package: in a wheel inside it, else beside it."""
    inside = Path(__file__).with_name("shipped")
    return inside if inside.is_dir() else Path(__file__).parents[2] / "baselines"


def _rivals(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the keys that were measured more than once, and by which tests.

    A test that measures for the gate comes before others that only time the same case.
    """
    found = {}
    for key in {record["case_id"] for record in records}:
        tests = [record["test"] for record in _timed(key, records)]
        if len(tests) > 1:
            found[key] = (
                f"measured {len(tests)} times, by {', '.join(sorted(set(tests)))}; a key has one "
                "entry: store from one test, or parametrize it"
            )
    return found


def _timed(key: str, records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what could be stored of one case: what measured for the gate, or else what timed."""
    own = [record for record in records if record["case_id"] == key]
    gated = [record for record in own if GATE in record["details"]]
    return gated or [record for record in own if record["judge"] == "latency"]


def _stored_figures(key: str, records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return a case's times by the test that measured it, and its worst errors by any."""
    timing = {record["test"] for record in _timed(key, records)}
    figures: dict[str, float] = {}
    for record in records:
        if record["case_id"] != key:
            continue
        given = {name: record["figures"][name] for name in STORED if name in record["figures"]}
        if record["judge"] == "latency" and record["test"] in timing:
            figures |= given
        elif record["judge"] == "parity":
            figures |= {name: max(each, figures.get(name, 0)) for name, each in given.items()}
    return {name: float(f"{value:.5g}") for name, value in figures.items()}


def _gate(key: str, records: Iterable[Mapping[str, Any]]) -> Gate | None:
    """Return what a case's baseline record measured for the gate, None if nothing did."""
    found = [
        record["details"][GATE]
        for record in records
        if record["case_id"] == key and GATE in record["details"]
    ]
    return msgspec.convert(found[-1], Gate) if found else None


def _provenance(record: Mapping[str, Any]) -> Measured:
    return Measured(
        device=record["device"]["name"],
        date=datetime.now(timezone.utc).date().isoformat(),
        command=storing_command(case_from_dict(record["case"])),
        driver=record["device"].get("driver", ""),
        versions=dict(record["runtime"]),
    )
