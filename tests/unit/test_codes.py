"""Every code of a verdict or an error has a section in docs/reference/codes.md, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_infer
from pytest_infer.commands.explain import sections
from pytest_infer.errors import InferError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pytest_infer.__file__).parent
SPEAKERS = ("judges", "baselines", "session", "fuzzing", "reports/record.py")
"""Where codes are given."""

WORDS = re.compile(r"[a-z]+(-[a-z0-9]+)+")
OTHERS = {
    *("cuda-event", "hw-slowdown", "power-brake", "power-cap", "sw-thermal"),  # clocks, reasons
    "top-1",
}
"""What has dashes there and is no code."""

CODE_POSITIONS = {"failed": 1, "Verdict": 2, "_failed": 1}
"""The function that makes a verdict, and where its code is among the arguments."""


def _sources() -> Iterator[ast.AST]:
    for name in SPEAKERS:
        path = PACKAGE / name
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            yield from ast.walk(ast.parse(file.read_text()))


def _errors(kind: type[Exception] = InferError) -> Iterator[str]:
    yield kind.__name__.removesuffix("Error").lower() + "-error"
    for each in kind.__subclasses__():
        if each.__module__ == "pytest_infer.errors":
            yield from _errors(each)


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _codes() -> set[str]:
    """Every text with dashes, and every single word where a verdict takes its code."""
    found = set()
    for node in _sources():
        if WORDS.fullmatch(_text(node)):
            found.add(_text(node))
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = CODE_POSITIONS.get(name, len(node.args))
            found |= {_text(each) for each in node.args[place : place + 1]}
            found |= {_text(each.value) for each in node.keywords if each.arg == "code"}
    return (found | {"inconclusive-noisy", *_errors()}) - OTHERS - {""}


CODES = sorted(_codes())


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_section(code: str) -> None:
    """Its section says more than the code."""
    assert len(sections()[code]) > 15


def test_no_section_without_a_code() -> None:
    """A code that is gone leaves no section behind."""
    assert sorted(sections()) == CODES


def test_many_are_found() -> None:
    """The scan reads what it should: one code of each package, and one of each kind."""
    assert {"diverged", "match", "no-baseline", "unexplained", "refused-shape", "model-error"} <= {
        *CODES
    }
