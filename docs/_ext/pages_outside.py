"""Files of the repository that are pages of the site too: their links work in both places."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexers import BashLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PAGES = {
    "project/contributing": "CONTRIBUTING.md",
    "project/changelog": "CHANGELOG.md",
    "project/security": "SECURITY.md",
    "guides/mobile_engines": "examples/mobile_engines/README.md",
    "guides/low_precision": "examples/low_precision/README.md",
}
"""Pages whose text is a file outside of ``docs``; their own files are one line for a forge."""

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook and the lexer."""
    app.connect("source-read", _replace)
    app.add_lexer("console", BashLexer)  # commands stand without a prompt, to be copied
    return {"parallel_read_safe": True}


def _replace(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the text of a file outside into its page, and lead links to such files to their pages."""
    del app
    here = ROOT / "docs" / page
    home = here
    text = source[0]
    if page in PAGES:
        home = ROOT / PAGES[page]
        text = home.read_text()
    source[0] = LINK.sub(lambda found: _moved(found[1], home.parent, here.parent), text)


def _moved(target: str, home: Path, here: Path) -> str:
    path = Path(os.path.normpath(home / target))
    for page, file in PAGES.items():
        if path == ROOT / file:
            path = ROOT / "docs" / f"{page}.md"
    if path == ROOT / "README.md":
        path = ROOT / "docs" / "index.md"
    return os.path.relpath(path, here)
