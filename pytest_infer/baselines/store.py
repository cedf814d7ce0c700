"""Store entries in a device's folder: writers wait for each other and lose nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from pytest_infer.baselines.entry import checked_entry, converted
from pytest_infer.baselines.folder import (
    DEVICE_FILE,
    SCHEMA,
    Baselines,
    DeviceFile,
    is_same_device,
    model_file,
)
from pytest_infer.baselines.json_file import write_json
from pytest_infer.baselines.listing import is_there
from pytest_infer.errors import BaselineError
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from pytest_infer.baselines.entry import Entry
    from pytest_infer.baselines.folder import Fingerprint
    from pytest_infer.case import Case

LOCK_TIMEOUT_S = 60.0
"""A writer holds the lock for milliseconds; one that waits this long waits for a dead disk."""

Stored: TypeAlias = "Mapping[str, Mapping[str, Entry]]"
"""Entries by model and key."""

Choice: TypeAlias = "Callable[[Stored], Stored]"
"""Returns what is stored beside, and in place of, what is there."""


class Change(NamedTuple):
    """What `update` did to one key; ``old`` is None for a new one."""

    key: str
    old: Mapping[str, float] | None
    new: Mapping[str, float]


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
    with writing(folder, device):
        return _store(folder, device, models, choose)


@contextmanager
def writing(folder: Path, device: Fingerprint) -> Iterator[None]:
    """Hold a device's folder, made if it is not there, while something is stored in it."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=LOCK_TIMEOUT_S):
            check_owner(Baselines(folder), device)
            yield
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
    there = {model: baselines.read(model) for model in models}
    chosen = choose(there)
    claim(folder, device)
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
            write_json(model_file(folder, model), msgspec.to_builtins(draft))
        changes += found
    return sorted(changes, key=lambda each: each.key)


def claim(folder: Path, device: Fingerprint) -> None:
    """Write ``device.json`` if there is none."""
    path = folder / DEVICE_FILE
    if not is_there(path):
        content = DeviceFile(schema=SCHEMA, fingerprint=dict(device), holds="measured")
        write_json(path, msgspec.to_builtins(converted(path, "$", content, DeviceFile)))


def check_owner(baselines: Baselines, device: Fingerprint) -> None:
    """Raise `BaselineError` unless figures measured on ``device`` may be stored there."""
    if not is_there(baselines.folder / DEVICE_FILE):
        return
    if baselines.is_published:
        why = "it holds published figures, which are never measured again"
    elif not is_same_device(baselines.fingerprint, device):
        why = f"it belongs to {in_words(baselines.fingerprint)}, and this is {in_words(device)}"
    else:
        return
    raise BaselineError(
        f"cannot store baselines in {baselines.folder}",
        why=why,
        mend="store in a folder of another name (--update-baselines --gpu-baseline=NAME), or merge "
        "folders of one device",
    )


def in_words(device: Fingerprint) -> str:
    """Return a device's name, and what else it is known by."""
    more = [f"{name} {value}" for name, value in sorted(device.items()) if name != "name"]
    return f"{shown(str(device.get('name', '?')))} ({', '.join(more)})"


def _fit(folder: Path, case: Case, entry: Entry) -> Entry:
    path = model_file(folder, case.model)
    return checked_entry(path, case.id, case.model, msgspec.to_builtins(entry), "measured")
