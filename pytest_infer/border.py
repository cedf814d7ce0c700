"""The border of this package: what the machine or a library refuses becomes an `InferError`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.errors import InferError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

REFUSALS = (OSError, OverflowError, RuntimeError, ValueError)
"""What paths, numbers, texts and processes from outside lead to; RuntimeError is also what a path
without a home directory and a loop of links raise, ValueError also a null byte and an encoding."""

SQLITE = "sqlite3"
"""The module whose errors, none of the above, a lock on a full disk raises."""

_PACKAGE = Path(__file__).parent

MEND = (
    "look at what the options, the environment and the ini file name, and at the rights and the "
    "room there; if all of that is right, report this as a fault of pytest-infer"
)


@contextmanager
def border(doing: str, kind: type[InferError] = InferError, *, mend: str = MEND) -> Iterator[None]:
    """Raise a ``kind`` for what is refused within; an `InferError` passes as it is.

    The refusal is the cause, and its type and place are in the reason. Any other error is a fault
    in a program, and passes too.
    """
    try:
        yield
    except InferError:
        raise
    except Exception as error:
        if not _is_refusal(error):
            raise
        raise _ours(error, doing, kind, mend) from error


def from_fixture(error: BaseException | None, fixtures: str) -> BaseException | None:
    """Return ``error`` as an `InferError` if it is a refusal from the file ``fixtures``.

    An error that a test has raised by itself is returned as it is.
    """
    if error is None or isinstance(error, InferError) or not _is_refusal(error):
        return error
    if fixtures not in _files(error.__traceback__):
        return error
    ours = _ours(error, "prepare this test", InferError, MEND)
    ours.__cause__ = error
    return ours


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, REFUSALS) or type(error).__module__ == SQLITE


def _ours(error: BaseException, doing: str, kind: type[InferError], mend: str) -> InferError:
    text = f"{type(error).__name__}: {error}"
    return kind(f"cannot {doing}", why=f"{text}\n{_place(error.__traceback__)}", mend=mend)


def _place(traceback: TracebackType | None) -> str:
    """Return the innermost line of this package's code that an error came through."""
    found = "unknown"
    while traceback:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            found = f"{file.relative_to(_PACKAGE.parent)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return f"at {found}"


def _files(traceback: TracebackType | None) -> set[str]:
    files = set()
    while traceback:
        files.add(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next
    return files
