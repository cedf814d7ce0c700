"""Links of every page lead somewhere, on a forge too; pages that code names are there."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "examples", ".gitlab")
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(page for name in FOLDERS for page in sorted((ROOT / name).rglob("*.md"))),
]
CODE = ("pytest_infer", "benchmarks", "tests", "tools", "docs", "examples")
NAMED = re.compile(r"docs/[\w/]+\.(?:md|yml|svg|png)(?:#[\w-]+)?")


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges and the site make them."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text())
    titles = [
        "".join(part.content for part in after.children or ())
        for token, after in pairwise(tokens)
        if token.type == "heading_open"
    ]
    slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
    return set(slugs)


def _links(page: Path) -> list[str]:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text())
    parts = [part for token in tokens for part in token.children or ()]
    found = [part.attrGet("href") or part.attrGet("src") for part in parts]
    return [str(each) for each in found if each and "://" not in str(each)]


def _missing(target: str, home: Path) -> str | None:
    path, _, anchor = target.partition("#")
    file = (home.parent / path).resolve() if path else home
    if not file.exists():
        return f"{target}: there is no such file"
    if anchor and file.suffix == ".md" and anchor not in _anchors(file):
        return f"{target}: there is no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    """Files and headings are there."""
    assert [each for link in _links(page) if (each := _missing(link, page))] == []


def test_pages_that_code_names() -> None:
    """A docstring, a message or a program that names a page names one that is there."""
    files = [file for name in CODE for file in (ROOT / name).rglob("*.py")]
    wrong = [
        f"{file.relative_to(ROOT)}: {missing}"
        for file in [*files, ROOT / "pyproject.toml", ROOT / "tox.ini"]
        for found in NAMED.findall(file.read_text())
        if (missing := _missing(found, ROOT / "README.md"))
    ]
    assert wrong == []
