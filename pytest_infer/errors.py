"""Errors that say what happened, why, and how to mend it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from pytest_infer.plain_text import SHOWN_CHARACTERS, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class InferError(Exception):
    """Something this package could not do; each stage has its subclass."""

    def __init__(self, what: str, *, why: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.mend = mend

    def __str__(self) -> str:
        return explanation(self.what, why=self.why, mend=self.mend)


class OptionError(InferError):
    """An option, ini value or mark that makes no sense."""


class CaseError(InferError):
    """A test that asks for a case, and to which none can be given."""


class NoCaseError(OptionError):
    """Nothing that was asked for can run here, though every option makes sense."""


class ModelError(InferError):
    """A model that cannot be found, created or given its weights."""


class ExportError(InferError):
    """A graph that could not be exported, or was not exported as asked."""


class BuildError(InferError):
    """An engine that could not be built."""


class LoadError(InferError):
    """A built engine that could not be opened."""


class RunError(InferError):
    """An inference that failed, crashed its host or never answered."""


class TimingError(InferError):
    """A measurement that could not be taken."""


class BaselineError(InferError):
    """A baseline that is missing, unreadable or could not be stored."""


class CacheError(InferError):
    """A cache folder that cannot be used."""


class HostError(InferError):
    """An engine host that could not be started or speaks another protocol."""


def explanation(what: str, *, why: str, mend: str) -> str:
    """Return the three lines in which errors and verdicts speak; nothing in them is a command."""
    return plain_text(f"{what}\n  why:  {_indented(why)}\n  mend: {_indented(mend)}")


def load_mend(likely: str) -> str:
    """Return the mend of a built engine that does not load, for what is ``likely`` its cause.

    Its files have been compared with their digests before, so that damage is none.
    """
    return f"its files are as they were built: {likely}"


def message_from_error(error: InferError) -> dict[str, str]:
    """Return ``error`` as plain strings, to cross from a host to its caller.

    A subclass that another package has made of a stage's error crosses as that stage's.
    """
    stages = InferError.__subclasses__()
    stage = next((kind for kind in type(error).__mro__ if kind in stages), InferError)
    return {
        "type": stage.__name__,
        "what": error.what,
        "why": error.why,
        "mend": error.mend,
    }


def error_from_message(message: Mapping[str, str]) -> InferError:
    """Return the error that `message_from_error` took apart."""
    kinds = {kind.__name__: kind for kind in InferError.__subclasses__()}
    kind = kinds.get(message["type"], InferError)
    return kind(message["what"], why=message["why"], mend=message["mend"])


def unknown(kind: str, name: str, choices: Iterable[str]) -> OptionError:
    """Return the error for a ``name`` that is none of ``choices``, naming the nearest one."""
    valid = sorted(choices)
    near = get_close_matches(name[:SHOWN_CHARACTERS], valid, n=1, cutoff=0.5)
    what = f"unknown {kind} {_quoted(name)}"
    if not valid:
        return OptionError(what, why="none is known here", mend="leave the name out")
    mend = f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(valid)}"
    return OptionError(what, why=f"valid choices: {', '.join(valid)}", mend=mend)


def _quoted(name: str) -> str:
    return repr(name if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]}...")


def _indented(text: str) -> str:
    return text.strip().replace("\n", "\n        ")
