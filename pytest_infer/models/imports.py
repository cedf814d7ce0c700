"""What a file of Python imports, read from its text."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Import = tuple[int, str, tuple[str, ...]]
"""Level, module and imported names, as in ``from ..module import names``."""

_IMPORTERS = ("import_module", "__import__")


@lru_cache(maxsize=1024)
def imports_of(content: bytes) -> tuple[Import, ...]:
    """Return level, module and imported names of every import, those inside functions too.

    What only a type checker imports is left out. A file that is not Python imports nothing. Every
    model of a run reaches the same files of this package.
    """
    try:
        waiting: list[ast.AST] = [ast.parse(content)]
    except (SyntaxError, ValueError):
        return ()
    found: dict[Import, None] = {}
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _is_for_types(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        found |= dict.fromkeys(_imported_by(node))
    return tuple(found)


def _imported_by(node: ast.AST) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from ((0, alias.name, ()) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.level, node.module or "", tuple(alias.name for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and _last_name(node.func) in _IMPORTERS:
        name = getattr(node.args[0], "value", None)
        if isinstance(name, str) and name.replace(".", "_").isidentifier():
            level = len(name) - len(name.lstrip("."))
            yield level, name.lstrip("."), ()


def _is_for_types(test: ast.expr) -> bool:
    return _last_name(test) == "TYPE_CHECKING"


def _last_name(node: ast.expr) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")
