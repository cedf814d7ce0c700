"""The baselines of one run: which were chosen, and how cases compare with them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.baselines.floor import judge_floor
from pytest_infer.baselines.folder import DEVICE_FILE, Baselines, is_same_device, model_file
from pytest_infer.baselines.listing import is_there
from pytest_infer.baselines.search import destination, match_device, resolve
from pytest_infer.baselines.store import check_owner
from pytest_infer.baselines.storing import storing_command
from pytest_infer.baselines.timings import keep_timings, read_timings, timing_files
from pytest_infer.case_id import without_variant
from pytest_infer.config import AUTO
from pytest_infer.devices.fingerprint import device_slug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.baselines.entry import Entry
    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.verdict import Verdict

IDENTITY = ("kind", "name", "cores")
"""What identifies a device; a new driver does not make it another."""


class ChosenBaselines:
    """What the options on baselines mean for cases on one device."""

    def __init__(self, config: InferConfig, device: Mapping[str, Any]) -> None:
        self._config = config
        self._device = device
        self._own: dict[str, Mapping[str, Entry]] = {}
        self._there: dict[str, Mapping[str, Entry]] = {}

    @property
    def identity(self) -> dict[str, str]:
        """Return by what the device is known."""
        return identity_of(self._device)

    @cached_property
    def baselines(self) -> Baselines | None:
        """Return what cases are compared with; raise `OptionError` for a name that is unknown."""
        wanted, folders = self._config.baseline, (self._config.baselines, shipped_folder())
        if wanted == AUTO:
            return match_device(self.identity, folders)
        if self._config.update and not is_there(self.folder / DEVICE_FILE):
            return None
        return resolve(wanted, folders)

    def check(self) -> None:
        """Read every file of the chosen baselines; raise `BaselineError` for one that is broken.

        So is a folder in which this run could not store, before it measures anything.
        """
        if self._config.update:
            check_owner(Baselines(self.folder), self.identity)
        chosen = self.baselines
        if chosen is not None and chosen.fingerprint:
            for model in chosen.models():
                chosen.read(model)
            for path in timing_files(chosen.folder):
                read_timings(path)

    def timings(self, engine: str) -> dict[str, bytes]:
        """Return what is kept of earlier builds of ``engine`` on this very device, by file."""
        chosen = self.baselines
        if chosen is None or not self.is_own:
            return {}
        return {path.name: read_timings(path) for path in timing_files(chosen.folder, engine)}

    def keep_timings(self, name: str, merged: Callable[[bytes], bytes]) -> str:
        """Store timings where this run stores, as `keep_timings` does; return their digest."""
        return keep_timings(self.folder, self.identity, name, merged)

    def is_stored_anew(self, case: Case) -> bool:
        """Return whether ``case`` is measured to be stored, instead of being judged."""
        if self._config.update in {"new", "improved"}:
            return case.id not in self.present(case.model)
        return self._config.update == "all"

    @property
    def renews_improved(self) -> bool:
        """Return whether the entry of a case that has become faster is replaced."""
        return self._config.update == "improved"

    def present(self, model: str) -> Mapping[str, Entry]:
        """Return a model's entries where this run stores, as they were when first asked for."""
        if model not in self._there:
            place = Baselines(self.folder)
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

        A parametrized test has one for each of its parameters.
        """
        if self._config.update == "all":
            return 0
        entries = self._own_entries(case.model).items()
        keys = [key for key, entry in entries if entry.gate]
        return sum(without_variant(case.model, key) == case.id for key in keys)

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
        return chosen is not None and is_same_device(chosen.fingerprint, self.identity)

    @property
    def folder(self) -> Path:
        """Return where this run stores; raise `OptionError` for a name that cannot be."""
        wanted = self._config.baseline
        if wanted == AUTO:
            matching = match_device(self.identity, (self._config.baselines,))
            if matching and not matching.is_published:
                return matching.folder
            wanted = device_slug(dict(self._device))
        return destination(wanted, self._config.baselines)


def identity_of(device: Mapping[str, Any]) -> dict[str, str]:
    """Return the part of a device's fingerprint by which baselines know it."""
    return {name: str(device[name]) for name in IDENTITY if name in device}


def check_name(config: InferConfig) -> None:
    """Raise `OptionError` for baselines that ``config`` names and that are nowhere.

    What is stored now need not be there yet.
    """
    if config.baseline != AUTO and not config.update:
        resolve(config.baseline, (config.baselines, shipped_folder()))


def shipped_folder() -> Path:
    """Return the baselines that came with this package: in a wheel inside it, else beside it."""
    inside = Path(__file__).with_name("shipped")
    return inside if inside.is_dir() else Path(__file__).parents[2] / "baselines"
