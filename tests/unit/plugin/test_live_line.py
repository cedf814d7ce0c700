"""A live line is below the cursor, and is gone before anything else is written."""

import io
import os
from types import SimpleNamespace

import pytest

from pytest_infer.plugin.live_line import LiveLine


class Writer:
    """As pytest's, after three dots in a terminal of 20 columns."""

    fullwidth = 20
    width_of_current_line = 3

    def __init__(self, descriptor):
        self._file = io.FileIO(descriptor, "w", closefd=False)


@pytest.fixture
def terminal():
    """A writer on a pipe, and how to read what has come out of it so far."""
    out, into = os.pipe()
    writer = Writer(into)
    line = LiveLine(SimpleNamespace(_tw=writer), into)
    yield SimpleNamespace(writer=writer, line=line, read=lambda: os.read(out, 10_000).decode())
    os.close(out)
    os.close(into)


BACK = "\x1b[1A\x1b[4G"
GONE = f"\n\r\x1b[K{BACK}"


def test_a_line_is_cut_to_the_terminal(terminal):
    """It never reaches the last column, where terminals wrap."""
    terminal.line.draw("build " + "x" * 50)
    assert terminal.read() == f"\n\r\x1b[2mbuild {'x' * 13}\x1b[0m\x1b[K{BACK}"


def test_it_goes_before_pytest_writes(terminal):
    """A dot finds the line below it empty."""
    terminal.line.draw("build x")
    terminal.writer._file.write(b".")
    assert terminal.read().endswith(f"{GONE}.")


def test_it_goes_once(terminal):
    """What is not drawn is not removed."""
    terminal.line.clear()
    terminal.line.draw("build x")
    terminal.line.clear()
    terminal.line.clear()
    assert terminal.read().count(GONE) == 1


def test_wide_characters_take_two_columns(terminal):
    """A line of them is half as long."""
    terminal.line.draw("模" * 30)
    assert terminal.read().count("模") == 9


def test_the_file_is_given_back(terminal):
    """After the end pytest writes to its own file."""
    terminal.line.draw("build x")
    terminal.line.close()
    assert isinstance(terminal.writer._file, io.FileIO)
    assert terminal.read().endswith(GONE)
