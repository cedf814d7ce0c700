"""What the machine refuses becomes an error of ours at the border, and nothing else does."""

import sqlite3

import pytest

from pytest_infer.border import border, from_fixture
from pytest_infer.errors import InferError, OptionError, RunError

FIXTURES = __file__
"""Stands for the file of the fixtures."""


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied"),
        OverflowError("timestamp too large"),
        RuntimeError("Could not determine home directory."),
        ValueError("embedded null byte"),
        sqlite3.OperationalError("database or disk is full"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_refusal(error):
    """It is the cause, and its type, its text and its place are in the reason."""
    with pytest.raises(OptionError) as caught, border("read the options", OptionError, mend="x"):
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.what == "cannot read the options"
    assert caught.value.why.startswith(f"{type(error).__name__}: {error}\nat ")
    assert caught.value.mend == "x"


def test_place():
    """The innermost line of this package's code is named, not that of the library below it."""
    from pytest_infer.baselines.json_file import read_json

    with pytest.raises(InferError) as caught, border("read"):
        read_json(type("Path", (), {"stat": lambda _: open("/nowhere\0")})())  # noqa: PTH123, SIM115
    assert (
        "ValueError: embedded null byte\nat pytest_infer/baselines/json_file.py:"
        in caught.value.why
    )


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), AssertionError(), RunError])
def test_what_passes(error):
    """A fault in a program is no refusal; an error of ours says what it has to already."""
    raised = error("a", why="b", mend="c") if error is RunError else error
    with pytest.raises(type(raised)) as caught, border("do it"):
        raise raised
    assert caught.value is raised


def caught_from(error):
    """Return ``error`` as it came up here, with its traceback."""
    try:
        raise error
    except type(error) as raised:
        return raised


def test_fixture():
    """A refusal that came out of the fixtures' file is ours; a test's own error is its own."""
    error = caught_from(OSError(28, "No space left on device"))
    ours = from_fixture(error, FIXTURES)
    assert isinstance(ours, InferError)
    assert ours.__cause__ is error
    assert "OSError: [Errno 28] No space left on device" in ours.why
    assert from_fixture(error, "elsewhere.py") is error
    for other in (caught_from(TypeError()), caught_from(RunError("a", why="b", mend="c")), None):
        assert from_fixture(other, FIXTURES) is other
