"""Every option and its ini twin, read in one place into one frozen value.

pytest loads this module at every start, so that ``--help`` shows the options; it imports nothing
that only reading them needs.
"""

from __future__ import annotations

import re
from argparse import Action
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.bounds import number_from_text
from pytest_infer.errors import OptionError
from pytest_infer.plain_text import shown
from pytest_infer.plugin.option_table import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_infer.config import InferConfig
    from pytest_infer.plugin.option_table import Option


SEPARATOR = re.compile(r"[,\n]")

ALL_MODE = "all"
"""What a flag means that may have a mode and was given none."""


def read_config(config: pytest.Config) -> InferConfig:
    """Return the options of a pytest run, the command line before the ini file.

    Raise `OptionError` for a value that is not valid.
    """
    from pytest_infer.config import InferConfig

    given = {option.field: _value(option, config) for option in OPTIONS}
    values = {name: value for name, value in given.items() if value is not None}
    named = tuple(sorted(values))
    for name in ("images", "cache", "baselines", "artifacts"):
        if isinstance(values.get(name), Path):
            values[name] = config.rootpath / values[name]
    values.setdefault("baselines", config.rootpath / InferConfig.baselines)
    return InferConfig(**values, worker=_worker(config), given=named)


def is_asked(config: pytest.Config) -> bool:
    """Return whether any option was given on the command line."""
    return any(config.getoption(option.dest) for option in OPTIONS)


def _worker(config: pytest.Config) -> int | None:
    """Return the number in the name that xdist gives a worker, such as gw1."""
    name = getattr(config, "workerinput", {}).get("workerid", "")
    return number_from_text(name.removeprefix("gw"))


def _value(option: Option, config: pytest.Config) -> Any:
    given = config.getoption(option.dest) or config.getini(option.ini)
    if not given:
        return None
    texts = given if isinstance(given, list) else [str(given)]
    if not any(text.strip(", ") for text in texts):
        raise OptionError(
            f"{option.flag}={shown(texts[-1])} is not valid",
            why="it names nothing",
            mend=f"write {option.flag}={option.metavar}, or leave it out",
        )
    if not option.is_list:
        return option.read(option.flag, texts)
    # An ini value may stand over several lines.
    parts = [part.strip() for text in texts for part in SEPARATOR.split(text) if part.strip()]
    return option.read(option.flag, parts)


class _StoreMode(Action):
    """Keeps which of its flags was given: ``--flag``, or ``--flag=mode``.

    Each is a separate flag that takes nothing. A value that may be left out would be taken from
    what follows the flag, which is a path of tests.
    """

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(
        self, parser: object, namespace: object, values: object, option_string: str | None = None
    ) -> None:
        del parser, values
        mode = (option_string or "").partition("=")[2]
        setattr(namespace, self.dest, mode or ALL_MODE)


def add_options(parser: pytest.Parser) -> None:
    """Add every option and its ini twin to pytest's own."""
    group = parser.getgroup("infer", "inference engines")
    for option in OPTIONS:
        parser.addini(option.ini, option.help, default=None)
        if option.metavar:
            group.addoption(
                option.flag,
                dest=option.dest,
                action="append",
                metavar=option.metavar,
                help=option.help,
            )
        elif option.modes:
            flags = [option.flag, *(f"{option.flag}={mode}" for mode in option.modes)]
            group.addoption(*flags, dest=option.dest, action=_StoreMode, help=option.help)
        else:
            group.addoption(option.flag, dest=option.dest, action="store_true", help=option.help)
    group.addoption(
        "--infer-durations",
        dest="infer_durations",
        action="store_true",
        help="show what the run's time went into, and what was waited for longest",
    )
    group.addoption(
        "--infer-engines",
        dest="infer_engines",
        action="store_true",
        help="list the engines, what each can run here, and what to do about the missing ones",
    )
