"""Pages of the reference that are written by hand name what is there, and all of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement

import pytest_infer
from pytest_infer.plugin import aliases, fixtures

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

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


def _oldest(requirements: list[str]) -> dict[str, str]:
    """Return the oldest version of each package; another extra of this project has none."""
    read = [Requirement(each) for each in requirements]
    own = {extra: "" for each in read if each.name == "pytest-infer" for extra in each.extras}
    others = {each.name: str(each.specifier) for each in read if each.name != "pytest-infer"}
    assert all(text.startswith(">=") and "," not in text for text in others.values())
    return own | {name: text.removeprefix(">=") for name, text in others.items()}


def _rows(title: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the page of versions, without its head."""
    page = (REFERENCE / "versions.md").read_text()
    lines = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0].splitlines()
    table = [line for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_versions_that_are_always_installed() -> None:
    """The table has each dependency with its oldest version."""
    told = {name.strip("`"): version for name, version in _rows("What is always installed")}
    assert told == _oldest(PROJECT["dependencies"])


def test_versions_of_the_extras() -> None:
    """The table has each extra, its packages and their oldest versions."""
    told = {
        extra.strip("`"): dict(re.findall(r"`([\w-]+)`(?: ([\w.]+))?", packages))
        for extra, _, packages in _rows("Extras")
    }
    extras = PROJECT["optional-dependencies"]
    assert told == {extra: _oldest(packages) for extra, packages in extras.items()}


def test_python_of_the_page() -> None:
    """The page names the oldest Python, and the version of the package."""
    page = (REFERENCE / "versions.md").read_text()
    assert f"Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in page
    assert f"alpha ({pytest_infer.__version__})" in page


def test_glossary() -> None:
    """Words stand in alphabetical order, each once."""
    rows = re.findall(r"^\| ([^|]+?) \|", (REFERENCE / "glossary.md").read_text(), re.MULTILINE)
    words = [word.lower() for word in rows if word != "word"]
    assert words == sorted(set(words))
