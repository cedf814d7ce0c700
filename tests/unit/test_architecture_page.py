"""The page on the architecture shows the imports that there are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "architecture.md"


def test_the_graph_of_packages() -> None:
    """What the page's program prints is what stands below it."""
    pytest.importorskip("grimp", reason="pip install 'pytest-infer[lint]'")
    program, printed = re.findall(
        r"<<'EOF'\n(.*?)EOF\n.*?```text\n(.*?)```", PAGE.read_text(), re.DOTALL
    )[0]
    found = subprocess.run(  # noqa: S603 - our own page
        [sys.executable, "-c", program],
        cwd=PAGE.parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == printed
