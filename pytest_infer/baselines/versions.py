"""Which versions of libraries and driver are others than before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Changed(NamedTuple):
    """One library whose version has changed; ``none`` where it was not there."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name} {self.old} -> {self.new}"


def changed_versions(old: Mapping[str, str], new: Mapping[str, str]) -> list[Changed]:
    """Return what has changed, sorted by name; an empty version is none."""
    return [
        Changed(name, old.get(name) or "none", new.get(name) or "none")
        for name in sorted({*old, *new})
        if (old.get(name) or "") != (new.get(name) or "")
    ]
