"""Which code can run when a file runs: found by reading its imports, without running any of it.

The file's own neighbours count by content, whatever is installed by its version. Imports that only
running code can name (a computed name, an entry point) are not seen.
"""

from __future__ import annotations

import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from importlib.machinery import all_suffixes
from importlib.metadata import Distribution, PackageNotFoundError, packages_distributions
from importlib.util import find_spec
from json import JSONDecodeError, loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer import home_of
from pytest_infer.errors import ModelError
from pytest_infer.models.imports import imports_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = Path(__file__).parents[1]
"""This package's own code, which counts by content wherever it is installed."""

_SUFFIXES = tuple(sorted(all_suffixes(), key=len, reverse=True))


@dataclass(frozen=True)
class ReachedCode:
    """What a file's imports lead to."""

    files: tuple[tuple[str, str], ...]
    """Name and SHA-256 of each file that no installed distribution vouches for."""
    distributions: tuple[tuple[str, str], ...]
    """Name and version of each installed distribution, those that it requires included."""

    def as_key(self) -> dict[str, Any]:
        """Return JSON-able values, the same wherever the files lie."""
        return {
            "files": [list(each) for each in self.files],
            "distributions": dict(self.distributions),
        }


def reached_code(roots: Iterable[Path]) -> ReachedCode:
    """Return the code that ``roots`` and everything they import consist of.

    A root counts by content, and so does the rest of the package that it belongs to. Raise
    `ModelError` for a file that cannot be read.
    """
    return _Reach([path.resolve() for path in roots]).found()


@dataclass
class _Reach:
    roots: list[Path]
    _digests: dict[Path, str] = field(default_factory=dict)
    _distributions: dict[str, str] = field(default_factory=dict)
    _named_before: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    """Absolute imports that were followed: a hundred files import the same dozen modules."""

    def found(self) -> ReachedCode:
        waiting = list(self.roots)
        while waiting:
            path = waiting.pop()
            if path not in self._digests:
                waiting += self._reached_from(path)
        return ReachedCode(
            tuple(sorted((_name_of(path), digest) for path, digest in self._digests.items())),
            tuple(sorted(self._distributions.items())),
        )

    def _reached_from(self, path: Path) -> list[Path]:
        """Note one file; return the files that it imports, as far as they count by content."""
        content = _content(path)
        self._digests[path] = sha256(content).hexdigest()
        return [
            found
            for level, name, members in imports_of(content)
            for found in (
                self._beside(path, level, name, members) if level else self._named(name, members)
            )
        ]

    def _beside(self, path: Path, level: int, name: str, members: tuple[str, ...]) -> list[Path]:
        """Return the files of a relative import."""
        return list(_below([path.parents[level - 1]], name.split(".") if name else [], members))

    def _named(self, name: str, members: tuple[str, ...]) -> list[Path]:
        """Return the files of an absolute import; a distribution's are noted by its version."""
        if (name, members) in self._named_before:
            return []
        self._named_before.add((name, members))
        homes = filter(None, map(home_of, members)) if name == PACKAGE.name else ()
        public = [path for home in homes for path in self._module(home, ())]
        return public + self._module(name, members)

    def _module(self, name: str, members: tuple[str, ...]) -> list[Path]:
        top, *rest = name.split(".")
        places = _places(top)
        if not places or all(map(_is_standard, places)):
            return []
        own = [place for place in places if self._counts_by_content(place, top)]
        if not own:
            return self._installed(top)
        files = [place for place in own if place.is_file()]
        folders = [place.parent if place.is_file() else place for place in own]
        is_package = any(place.stem == "__init__" or place.is_dir() for place in own)
        return files + (list(_below(folders, rest, members)) if is_package else [])

    def _counts_by_content(self, place: Path, top: str) -> bool:
        return any(folder in (place, *place.parents) for folder in self._own_folders) or not any(
            _holds(each, place) for each in _providers().get(top, ())
        )

    @cached_property
    def _own_folders(self) -> list[Path]:
        """Return this package's folder and those of the packages to which the roots belong."""
        tops = (_top_folder(root) for root in self.roots)
        return [PACKAGE, *(top for top in tops if top is not None)]

    def _installed(self, top: str) -> list[Path]:
        """Note the distributions of a module, and what they require; return editable ones' files.

        A distribution says what it requires, which is read instead of its code.
        """
        files: list[Path] = []
        waiting = list(_providers().get(top, ()))
        while waiting:
            each = waiting.pop()
            if each.name in self._distributions:
                continue
            self._distributions[each.name] = each.version
            if _is_editable(each):
                files += self._files_of(each)
            waiting += _required(each)
        return files

    def _files_of(self, distribution: Distribution) -> Iterator[Path]:
        """Yield every Python file of a distribution that is installed from a working tree."""
        for top, providers in _providers().items():
            if any(each.name == distribution.name for each in providers):
                for place in _places(top):
                    is_package = place.stem == "__init__" or place.is_dir()
                    folder = place if place.is_dir() else place.parent
                    yield from folder.rglob("*.py") if is_package else [place]


def _providers() -> dict[str, list[Distribution]]:
    """Return the installed distributions that have a module of each name."""
    return _providers_on(tuple(sys.path))


@lru_cache(maxsize=1)
def _providers_on(path: tuple[str, ...]) -> dict[str, list[Distribution]]:
    """Read what is installed on ``path``, which takes a quarter of a second."""
    del path
    return {
        top: [found for name in dict.fromkeys(names) for found in _distributions(name)]
        for top, names in packages_distributions().items()
    }


def _distributions(name: str) -> list[Distribution]:
    """Return the installed distribution of a name; none for one whose records are broken."""
    with suppress(PackageNotFoundError, ValueError):
        return [Distribution.from_name(name)]
    return []


def _places(top: str) -> list[Path]:
    """Return the files or folders of a module that is named by one word; none if it is built in."""
    try:
        spec = find_spec(top)
    except (ImportError, ValueError, AttributeError):  # a finder of others, or `__main__`
        return []
    if spec is None:
        return []
    if spec.has_location and spec.origin:
        return [Path(spec.origin).resolve()]
    return [Path(each).resolve() for each in spec.submodule_search_locations or ()]


def _below(folders: list[Path], parts: list[str], members: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of packages from ``folders`` down, and of members that are modules."""
    for folder in folders:
        yield from _files(folder, "__init__")
        place = folder
        for part in parts:
            yield from _files(place, part)
            place /= part
            yield from _files(place, "__init__")
        for member in members:
            yield from _files(place, member)
            yield from _files(place / member, "__init__")


def _files(folder: Path, stem: str) -> Iterator[Path]:
    return (path for suffix in _SUFFIXES if (path := folder / f"{stem}{suffix}").is_file())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read {path}",
            why=f"{error}; its content decides what a model or an engine computes",
            mend="give this user the right to read it",
        ) from error


def _name_of(path: Path) -> str:
    """Return a file's path from the outermost folder on that is a package."""
    top = _top_folder(path)
    return path.name if top is None else path.relative_to(top.parent).as_posix()


def _top_folder(path: Path) -> Path | None:
    """Return the folder of the outermost package to which a file belongs, if it is in one."""
    top, folder = None, path.parent
    while (folder / "__init__.py").is_file():
        top, folder = folder, folder.parent
    return top


def _is_standard(place: Path) -> bool:
    """Return whether a module is Python's own, which Python's version stands for."""
    return any(each in place.parents for each in _standard_libraries()) and not any(
        part in {"site-packages", "dist-packages"} for part in place.parts
    )


@lru_cache(maxsize=1)
def _standard_libraries() -> frozenset[Path]:
    """Return the folders of Python's own modules."""
    return frozenset(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))


def _holds(distribution: Distribution, place: Path) -> bool:
    """Return whether a file lies where its distribution was installed, not in a working tree."""
    return Path(str(distribution.locate_file(""))).resolve() in place.parents


def _is_editable(distribution: Distribution) -> bool:
    try:
        origin = loads(distribution.read_text("direct_url.json") or "{}")
    except JSONDecodeError:
        return False
    return bool(origin.get("dir_info", {}).get("editable"))


def _required(distribution: Distribution) -> Iterator[Distribution]:
    """Yield what a distribution requires here, as far as it is installed; no extras."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in distribution.requires or ():
        with suppress(InvalidRequirement):
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                yield from _distributions(wanted.name)
