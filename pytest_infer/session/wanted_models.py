"""The models of a run: registered ones by name, and sources, whose specs their host reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.errors import InferError, OptionError
from pytest_infer.models import registry as models
from pytest_infer.models.draft import Reading
from pytest_infer.models.input_text import texts_of
from pytest_infer.models.model_from import is_source, register_source, source_from_text
from pytest_infer.models.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_infer.hosts.model_client import ModelClient
    from pytest_infer.models.draft import Unread
    from pytest_infer.storage.cache import Cache


@dataclass(frozen=True)
class Broken:
    """A model that was asked for and cannot be read; the others of the run go on."""

    model: str
    error: InferError


@dataclass(frozen=True)
class Wanted:
    """The models that a run asks for by name, each once, and those that cannot be had."""

    names: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def is_all(self) -> bool:
        """Return whether nothing was asked for by name."""
        return not self.names and not self.broken


def register_wanted(texts: Iterable[str], inputs: Sequence[str]) -> Wanted:
    """Register the sources among the values of ``--infer-model``; return what all are called.

    Raise `OptionError` for ``inputs`` of no model.
    """
    wanted = [source_from_text(each, Path.cwd()) if is_source(each) else each for each in texts]
    sources = [each.name for each in wanted if isinstance(each, Source)]
    if inputs and not sources:
        raise OptionError(
            f"nothing takes --infer-input={inputs[0]}",
            why="no model of this run is named by a file, a library's name or a function",
            mend="name one by --infer-model; a registered model's inputs stand in its decorator",
        )
    names: list[str] = []
    broken: list[Broken] = []
    for each in wanted:
        if isinstance(each, str):
            names.append(each)
            continue
        source = replace(each, inputs=texts_of(each.name, inputs, sources))
        try:
            register_source(source)
            names.append(source.name)
        except InferError as error:
            broken.append(Broken(source.name, error))
    return Wanted(tuple(dict.fromkeys(names)), tuple(broken))


def read_specs(wanted: Wanted, client: ModelClient, cache: Cache) -> Wanted:
    """Read the spec of every source among the models, in its library's host, unless it is kept."""
    errors = {name: _error_of_reading(name, client, cache) for name in wanted.names}
    broken = tuple(Broken(name, error) for name, error in errors.items() if error)
    names = tuple(name for name, error in errors.items() if not error)
    return Wanted(names, wanted.broken + broken)


def _error_of_reading(name: str, client: ModelClient, cache: Cache) -> InferError | None:
    """Read the spec of a source, and return what is wrong with it."""
    unread = models.unread(name)
    try:
        if unread:
            _read(unread, client, cache)
    except InferError as error:
        return error
    return None


def _read(unread: Unread, client: ModelClient, cache: Cache) -> None:
    """Read one spec; what decides it is its key, so that a changed source is read again."""
    name = unread.name
    doing = f"read {unread.text}"
    key = client.source_identity(model=name, doing=doing)

    def make(_: Path) -> dict[str, Any]:
        reading = client.reading(model=name, doing=doing)
        return {"reading": msgspec.json.encode(reading).decode()}  # inputs and outputs in order

    entry = cache.entry("specs", key, make)
    reading = msgspec.json.decode(entry.facts["reading"], type=Reading)
    spec = replace(reading.spec, source=unread.source)  # which a host may have elsewhere
    models.settle(replace(reading, spec=spec))
