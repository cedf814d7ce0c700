"""Show a line while tests run, whatever captures their output."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from pytest_infer.plain_text import plain_text

if TYPE_CHECKING:
    import pytest


def show_notice(config: pytest.Config, line: str) -> None:
    """Write ``line`` for the user to see now.

    The terminal of a worker of xdist goes nowhere, and its stderr is the controller's.
    """
    capture = config.pluginmanager.get_plugin("capturemanager")
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        if terminal and not hasattr(config, "workerinput"):
            terminal.write_line(plain_text(line))
            terminal.flush()
        else:
            sys.stderr.write(f"{plain_text(line)}\n")
            sys.stderr.flush()
