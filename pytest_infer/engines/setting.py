"""The settings of engines: what they may be, and how the command line's text is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.bounds import Bounds
from pytest_infer.case import OptionValue
from pytest_infer.errors import OptionError, unknown
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping


_FLAGS = {"true": True, "false": False}
_TEXT = re.compile(r"[A-Za-z0-9_.-]{1,100}")

MOST_INT = 2**31 - 1
MOST_THREADS = 1024
MORE_THREADS = "more threads than a machine has cores wait for each other"


@dataclass(frozen=True)
class EngineOption:
    """A setting of an engine, which ``--infer-option=ENGINE.NAME=VALUE`` changes."""

    default: OptionValue
    """Its type is the type of every value."""
    help: str
    choices: tuple[str, ...] = ()
    """The valid texts; empty for any of the default's type."""
    least: int = 0
    """The smallest valid number."""
    affects_build: bool = True
    """Another value is another built engine, not the same one opened in another way."""
    counts_threads: bool = False
    """It is the number of threads on which one inference computes."""
    gpu_only: bool = False
    """It means nothing on a CPU, where any other value than the default is refused."""
    most: int = MOST_INT
    """The greatest valid number."""
    because: str = "engines keep it in 32 bits"
    """Why there is no greater one."""

    def read(self, name: str, text: str) -> OptionValue:
        """Return the value that ``text`` means; raise `OptionError` naming what is valid."""
        if isinstance(self.default, bool):
            if text not in _FLAGS:
                raise unknown(f"value of {name}", text, _FLAGS)
            return _FLAGS[text]
        if isinstance(self.default, int):
            return Bounds(self.least, self.most, self.because).read(name, text)
        if self.choices and text not in self.choices:
            raise unknown(f"value of {name}", text, self.choices)
        if not _TEXT.fullmatch(text):
            raise OptionError(
                f"{name}={shown(text)} is not valid",
                why="it becomes a part of test ids and file names",
                mend="use at most 100 letters, digits, dots, dashes and underscores",
            )
        return text


def read_options(
    options: Mapping[str, EngineOption], engine: str, texts: Mapping[str, str]
) -> dict[str, OptionValue]:
    """Return what ``texts`` changes in an engine's ``options``, without what is the default anyway.

    Raise `OptionError` for a name that the engine does not have, and for a value of another type.
    """
    changed = {}
    for name, text in texts.items():
        if name not in options:
            raise unknown(f"option of {engine}", name, options)
        value = options[name].read(f"{engine}.{name}", text)
        if value != options[name].default:
            changed[name] = value
    return dict(sorted(changed.items()))
