"""Pages of the reference that are written by hand name what is there, and all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest_infer
from pytest_infer.plugin import aliases, fixtures

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

TYPES = {"Array", "Arrays", "Precision"}
"""Aliases, which the page explains in a sentence."""


def test_every_fixture_is_listed() -> None:
    """The table has the plain name of each fixture that a test may ask for, and no other."""
    table = re.findall(r"^\| (`.*?) \|", (REFERENCE / "fixtures.md").read_text(), re.MULTILINE)
    listed = {name for row in table for name in re.findall(r"`(\w+)`", row)}
    there = {alias.name for alias in aliases._aliases}
    assert fixtures.infer_case
    assert listed == there


def test_every_public_name_is_documented() -> None:
    """The page of the API has each name that users import, once."""
    blocks = re.findall(
        r"```\{infer-api\}\n(.*?)```", (REFERENCE / "api.md").read_text(), re.DOTALL
    )
    names = [name for block in blocks for name in block.split() if "." not in name]
    assert sorted(names) == sorted(set(pytest_infer.__all__) - TYPES)
