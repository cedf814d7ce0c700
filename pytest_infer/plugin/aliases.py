"""The plain names of this package's fixtures: they stand back for everybody else's."""

from __future__ import annotations

from inspect import Parameter, Signature
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIX = "infer_"
"""What the fixtures' own names begin with, which nobody else's do."""

PLUGIN = "pytest_infer.plugin.aliases"
"""The name under which pytest knows the plain names."""

Scope: TypeAlias = Literal["session", "function"]


class Alias(NamedTuple):
    """A fixture's plain name, and what it stands for."""

    name: str
    scope: Scope
    doc: str

    def fixture(self) -> Any:
        """Return a fixture that asks for the prefixed one, and gives what that gives."""
        target = PREFIX + self.name

        def plain(**given: Any) -> Any:
            return given[target]

        parameter = Parameter(target, Parameter.KEYWORD_ONLY)
        plain.__signature__ = Signature([parameter])  # type: ignore[attr-defined] # pytest reads it
        plain.__doc__ = f"Short for ``{target}``. {self.doc}"
        return pytest.fixture(scope=self.scope, name=self.name)(plain)


_aliases: list[Alias] = []


def aliased(scope: Scope = "function") -> Callable[[Callable[..., Any]], Any]:
    """Make a fixture of the function ``infer_NAME``, and ``NAME`` an alias of it."""

    def register(function: Callable[..., Any]) -> Any:
        name = function.__name__.removeprefix(PREFIX)
        _aliases.append(Alias(name, scope, function.__doc__ or ""))
        return pytest.fixture(scope=scope)(function)

    return register


def alias_plugin() -> ModuleType:
    """Return the plain names as a plugin."""
    plugin = ModuleType(PLUGIN)
    for alias in _aliases:
        setattr(plugin, alias.name, alias.fixture())
    return plugin


def stand_back(manager: Any) -> None:
    """Let every other plugin's fixture win over an alias, in whatever order they were loaded.

    pytest asks the fixture manager's lists, of which the last plugin's entry wins: those of this
    package are put where they lose. A conftest's or a test file's own fixtures win anyway.
    """
    for alias in _aliases:
        for found in _by_folder(manager, alias.name):
            found.sort(key=_is_alias)
        for found in _by_age(manager, alias.name):
            found.sort(key=_is_alias, reverse=True)


def names_needed(metafunc: pytest.Metafunc) -> set[str]:
    """Return the fixtures that a test needs, after what was parametrized without a mark.

    An argument that a ``pytest_generate_tests`` gives itself takes the place of a fixture, and of
    those that this one asks for. pytest finds that out only when all of them have been called.
    """
    definitions = metafunc._arg2fixturedefs  # noqa: SLF001 - pytest has no other way
    found: set[str] = set()
    waiting = list(metafunc.definition._fixtureinfo.initialnames)  # noqa: SLF001 - as above
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [each for one in definitions.get(name, ()) for each in one.argnames]
    return found


def _by_folder(manager: Any, name: str) -> Iterator[list[Any]]:
    """Return the lists of pytest from 9.1 on, whose first entry wins."""
    yield from getattr(manager, "_arg2node2fixturedefs", {}).get(name, {}).values()


def _by_age(manager: Any, name: str) -> Iterator[list[Any]]:
    """Return the list of pytest before 9.1, whose last entry wins."""
    if found := getattr(manager, "_arg2fixturedefs", {}).get(name):
        yield found


def _is_alias(definition: Any) -> bool:
    return bool(definition.func.__module__ == __name__)
