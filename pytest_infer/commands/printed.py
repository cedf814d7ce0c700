"""Print what commands have to say: tables are as wide as they need to be."""

from __future__ import annotations

from rich.console import Console

from pytest_infer.plain_text import encodable, plain_text


def print_text(text: str) -> None:
    """Print a text as it is, with nothing in it that a terminal would obey."""
    Console().print(
        encodable(plain_text(text)), markup=False, emoji=False, highlight=False, soft_wrap=True
    )
