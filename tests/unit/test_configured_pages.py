"""Settings in the pages' ini and TOML examples are there, and take the values shown."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from typing import Any

import pytest
from page_examples import examples_of

from pytest_infer.plugin.option_table import OPTIONS
from pytest_infer.plugin.options import read_config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

ROOT = Path(__file__).parents[2]
INI = {option.ini for option in OPTIONS}


class PageConfig:
    """A pytest configuration with the settings of one example."""

    rootpath = ROOT

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def getoption(self, name: str) -> None:
        """Return nothing: the command line is empty."""

    def getini(self, name: str) -> Any:
        """Return what the example says."""
        return self.settings.get(name)


def _settings(language: str, text: str) -> dict[str, Any]:
    """Return the settings of pytest in an example; none if it has no such section."""
    if language == "ini":
        parser = configparser.ConfigParser()
        parser.read_string(text)
        return dict(parser["pytest"]) if "pytest" in parser else {}
    tool = tomllib.loads(text).get("tool", {})
    return tool.get("pytest", {}).get("ini_options", {})


EXAMPLES = [
    pytest.param(settings, id=f"{page.relative_to(ROOT)}:{each.line}")
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for each in examples_of(page)
    if each.language in {"ini", "toml"} and (settings := _settings(each.language, each.text))
]


def test_there_are_examples() -> None:
    """Both kinds of files are shown."""
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("settings", EXAMPLES)
def test_settings(settings: dict[str, Any]) -> None:
    """Each name is an option's, and each value is read."""
    assert {name for name in settings if name.startswith("infer_")} <= INI
    config = read_config(PageConfig(settings))  # type: ignore[arg-type]
    assert len(config.given) == len(settings)
