"""Baselines on disk: ``<device>/device.json`` and one ``<device>/<model>.json`` per model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from pytest_infer.baselines.entry import Kind, checked_entry, converted, invalid
from pytest_infer.baselines.json_file import read_json
from pytest_infer.baselines.listing import files_in, is_there
from pytest_infer.case import PRECISIONS
from pytest_infer.errors import BaselineError
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.baselines.entry import Entry
    from pytest_infer.case import Case

SCHEMA: Literal[3] = 3
"""What is written. Older ones are read too: schema 1 had no measurements for the gate, schema 2 no
digest of what was built."""

DEVICE_FILE = "device.json"
SUFFIX = ".json"

Fingerprint: TypeAlias = "Mapping[str, str]"
"""What identifies a device, such as ``{"kind": "cuda", "name": "NVIDIA H200"}``."""

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_T = TypeVar("_T")


class DeviceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``device.json`` holds."""

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
        return tuple(
            sorted(
                name.removesuffix(SUFFIX)
                for name in files_in(self.folder)
                if name.endswith(SUFFIX) and not name.startswith(".") and name != DEVICE_FILE
            )
        )

    def read(self, model: str) -> dict[str, Entry]:
        """Return a model's entries by key, none without a file; raise `BaselineError`."""
        path = model_file(self.folder, model)
        if not is_there(path):
            return {}
        content = _read(path, _ModelFile)
        if content.model != model:
            told = f"is '{shown(content.model)}'; the file is named '{model}'"
            raise invalid(path, "$.model", told)
        holds = self._device().holds
        return {
            key: checked_entry(path, key, model, value, holds)
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

    def _device(self) -> DeviceFile:
        path = self.folder / DEVICE_FILE
        content = _read(path, DeviceFile)
        if not content.fingerprint:
            raise invalid(path, "$.fingerprint", "is empty: it would match every device")
        return content


def is_same_device(stored: Fingerprint, present: Fingerprint) -> bool:
    """Return whether every item of the ``stored`` fingerprint is the ``present`` one's."""
    return all(present.get(name) == value for name, value in stored.items())


def _read(path: Path, kind: type[_T]) -> _T:
    """Return a file's content as a ``kind``, unless it is of a schema that is not known here."""
    value = read_json(path)
    schema = value.get("schema") if isinstance(value, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise BaselineError(
            f"cannot use {path}",
            why=f"$.schema: is {schema}; this pytest-infer knows {SCHEMA} and older ones",
            mend="use the pytest-infer that wrote it, or a newer one",
        )
    content = converted(path, "$", value, kind)
    if type(schema) is not int or schema < 1:
        raise invalid(path, "$.schema", "is no schema, which are counted from 1")
    return content


def model_file(folder: Path, model: str) -> Path:
    """Return where a model's entries are kept; raise `BaselineError` for a name that cannot be."""
    if not _MODEL.fullmatch(model) or f"{model}.json" == DEVICE_FILE:
        raise BaselineError(
            f"cannot keep baselines of a model called {model!r}",
            why="its name must do as a file name: letters, digits, dots, dashes, underscores, "
            "and not 'device'",
            mend="rename the model",
        )
    return folder / f"{model}.json"
