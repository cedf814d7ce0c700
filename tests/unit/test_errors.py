"""Errors say what, why and the mend, and cross a process boundary as plain strings."""

import pytest

from pytest_infer import errors
from pytest_infer.errors import (
    BuildError,
    InferError,
    NoCaseError,
    OptionError,
    error_from_message,
    message_from_error,
    unknown,
)


def test_three_lines():
    """An error reads as three lines; further lines of a reason are indented below the first."""
    error = BuildError("cannot build it", why="first\nsecond\n", mend="pip install it")
    assert str(error) == ("cannot build it\n  why:  first\n        second\n  mend: pip install it")


@pytest.mark.parametrize("kind", [InferError, *InferError.__subclasses__()])
def test_crosses_as_strings(kind):
    """What comes out of the plain strings is the same kind of error with the same texts."""
    message = message_from_error(kind("what", why="why", mend="mend"))
    assert set(map(type, message.values())) == {str}
    again = error_from_message(message)
    assert type(again) is kind
    assert (again.what, again.why, again.mend) == ("what", "why", "mend")


def test_kind_of_another_package():
    """A subclass that the caller does not know arrives as the stage that it is an error of."""

    class PlanError(BuildError):
        """Another package's."""

    again = error_from_message(message_from_error(PlanError("what", why="why", mend="mend")))
    assert type(again) is BuildError


def test_kind_from_a_newer_host():
    """A name that is not known at all is still one of our errors."""
    message = {"type": "NewerError", "what": "what", "why": "why", "mend": "mend"}
    assert type(error_from_message(message)) is InferError


@pytest.mark.parametrize(
    ("name", "choices", "text"),
    [
        (
            "ortt",
            ["trt", "ort"],
            "unknown engine 'ortt'\n  why:  valid choices: ort, trt\n  mend: did you mean 'ort'?",
        ),
        (
            "zebra",
            ["trt", "ort"],
            (
                "unknown engine 'zebra'\n  why:  valid choices: ort, trt\n"
                "  mend: choose one of: ort, trt"
            ),
        ),
    ],
)
def test_unknown_name(name, choices, text):
    """An unknown name is reported with every valid one, sorted, and the nearest if there is one."""
    error = unknown("engine", name, choices)
    assert isinstance(error, OptionError)
    assert str(error) == text


def test_unknown_name_among_none():
    """With nothing to choose from, no choice is offered."""
    assert str(unknown("baseline", "mine", [])) == (
        "unknown baseline 'mine'\n  why:  none is known here\n  mend: leave the name out"
    )


def test_one_error_per_stage():
    """Every stage has its own kind, so that a test can expect exactly that one."""
    found = {kind for name, kind in vars(errors).items() if name.endswith("Error")}
    stages = set(InferError.__subclasses__())
    assert found - stages == {InferError, NoCaseError}
    assert NoCaseError.__base__ is OptionError
