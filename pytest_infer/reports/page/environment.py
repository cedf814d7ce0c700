"""The templates, and what they may use: text of others is escaped, and obeyed nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_infer.plain_text import plain_text
from pytest_infer.reports.page.scales import short


def template_environment() -> Environment:
    """Return what fills the templates of this package."""
    environment = Environment(
        loader=PackageLoader("pytest_infer.reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["short"] = short
    return environment


def asset(name: str) -> Markup:
    """Return a file of this package as it is: it is ours, and is no template."""
    source = Path(__file__).with_name("templates").joinpath(name).read_text(encoding="utf-8")
    return Markup(source)  # noqa: S704 - a file of this package


def _harmless(value: Any) -> Any:
    """Return text of others with what is no visible character by its code; markup is ours."""
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return plain_text(value) if is_text else value
