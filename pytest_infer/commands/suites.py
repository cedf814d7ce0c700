"""``pytest-infer run`` and ``pytest-infer engines``: a door to pytest, which does the work."""

from __future__ import annotations

import os
import sys
from argparse import REMAINDER
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

NO_PREFIX = "\0"
"""No option begins so: all that follows the command is pytest's."""

DOORS = {
    "run": (("--pyargs", "pytest_infer.suites"), "run the suites; options are pytest's"),
    "engines": (("--infer-engines",), "show which engines can run here; options are pytest's"),
}
"""What pytest is called with, and the help."""


def add_commands(nouns: _SubParsersAction[ArgumentParser]) -> None:
    """Add one command for each door."""
    for name, (given, told) in DOORS.items():
        door = nouns.add_parser(name, help=told, add_help=False, prefix_chars=NO_PREFIX)
        door.add_argument("arguments", nargs=REMAINDER)
        door.set_defaults(run=_become_pytest, given=given)


def _become_pytest(options: Namespace) -> NoReturn:
    """Replace this process by pytest, so that signals and the exit status are pytest's."""
    command = [sys.executable, "-m", "pytest", *options.given, *options.arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter
