"""Every option and its ini twin, read in one place into one frozen value.

pytest loads this module at every start, so that ``--help`` shows the options; it imports nothing
that only reading them needs.
"""

from __future__ import annotations

from argparse import Action
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_infer.bounds import number_from_text
from pytest_infer.errors import OptionError
from pytest_infer.plain_text import shown
from pytest_infer.plugin.option_values import (
    read_against,
    read_batches,
    read_cache,
    read_calls,
    read_device,
    read_engine_options,
    read_examples,
    read_flag,
    read_folder,
    read_hosts,
    read_names,
    read_nodes,
    read_one,
    read_path,
    read_precisions,
    read_reports,
    read_seconds,
    read_texts,
    read_update,
    read_warmup,
    read_weights,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from pytest_infer.config import InferConfig


ALL_MODE = "all"
"""What a flag means that may have a mode and was given none."""


class Option(NamedTuple):
    """One option: where its value goes and how its text is read."""

    flag: str
    field: str
    read: Callable[[str, list[str]], Any]
    """Turn the flag and its values into the field's value."""
    help: str
    metavar: str = ""
    """Empty for a flag without a value."""
    modes: tuple[str, ...] = ()
    """What a flag may be given after an equals sign, and never after a space."""

    @property
    def is_list(self) -> bool:
        """Return whether values are separated by commas and may repeat."""
        return self.metavar.endswith(",...")

    @property
    def ini(self) -> str:
        """Return the name of the ini twin."""
        return "infer_" + self.flag.removeprefix("--").removeprefix("infer-").replace("-", "_")

    @property
    def dest(self) -> str:
        """Return the attribute under which argparse keeps the option."""
        return self.ini


def read_config(config: pytest.Config) -> InferConfig:
    """Return the options of a pytest run, the command line before the ini file.

    Raise `OptionError` for a value that is not valid.
    """
    from pytest_infer.config import InferConfig

    given = {option.field: _value(option, config) for option in OPTIONS}
    values = {name: value for name, value in given.items() if value is not None}
    for name in ("images", "cache", "baselines"):
        if isinstance(values.get(name), Path):
            values[name] = config.rootpath / values[name]
    values.setdefault("baselines", config.rootpath / InferConfig.baselines)
    return InferConfig(**values, worker=_worker(config))


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
    parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    return option.read(option.flag, parts)


OPTIONS = (
    Option(
        "--engine",
        "engines",
        read_names,
        "engines to test; auto: all that can run here; all: every engine",
        "NAME,...",
    ),
    Option(
        "--gpu-baseline",
        "baseline",
        read_one,
        "baseline to compare with; auto: the one of this device",
        "NAME|PATH|auto",
    ),
    Option(
        "--update-baselines",
        "update",
        read_update,
        "measure, and store the figures as this device's baseline; new: only the missing ones; "
        "improved: these, and those that became faster",
        modes=("new", "improved"),
    ),
    Option(
        "--infer-model",
        "models",
        read_names,
        "models to test: registered names, files (.onnx, .pt, .pt2), hf:ID or hf:./FOLDER, "
        "timm:NAME, torchvision:NAME, package.module:function; default: all that are registered",
        "[NAME=]MODEL,...",
    ),
    Option(
        "--infer-input",
        "inputs",
        read_texts,
        "an input of a model that does not say it: NAME:DTYPE[SIZE,...], a name for a dynamic size",
        "[MODEL.]INPUT",
    ),
    Option(
        "--infer-precision",
        "precisions",
        read_precisions,
        "arithmetic to ask for; default: fp32",
        "NAME,...",
    ),
    Option("--infer-batch", "batches", read_batches, "batch sizes; default: 1", "N,..."),
    Option(
        "--infer-device",
        "device",
        read_device,
        "auto (a GPU if there is one), cpu, cuda or cuda:N",
        "DEVICE",
    ),
    Option(
        "--infer-host",
        "hosts",
        read_hosts,
        "where an engine runs: an execnet specification, or inline",
        "ENGINE=SPEC,...",
    ),
    Option(
        "--infer-against",
        "against",
        read_against,
        "compare an engine with itself in another environment, as --infer-host names it: outputs, "
        "speed, memory, sizes (test_against.py)",
        "ENGINE=SPEC,...",
    ),
    Option(
        "--infer-option",
        "engine_options",
        read_engine_options,
        "settings of engines; --infer-engines shows them",
        "ENGINE.NAME=VALUE,...",
    ),
    Option(
        "--infer-weights",
        "weights",
        read_weights,
        "the models' weights: seeded (generated), pretrained, random (the library's "
        "initialisation), or a folder; default: what each model says",
        "WEIGHTS",
    ),
    Option(
        "--infer-images",
        "images",
        read_folder,
        "photographs to feed the models; default: scikit-image's",
        "DIR",
    ),
    Option(
        "--infer-cache",
        "cache",
        read_cache,
        "where built engines are kept; default: the user's cache folder; off: a temporary folder, "
        "deleted after the run",
        "DIR|off",
    ),
    Option(
        "--infer-baselines",
        "baselines",
        read_path,
        "where baselines are stored; default: baselines",
        "DIR",
    ),
    Option(
        "--infer-calls",
        "calls",
        read_calls,
        "timed calls per engine; default: as many as 2 s hold, 5 to 100",
        "N",
    ),
    Option(
        "--infer-warmup",
        "warmup",
        read_warmup,
        "calls before timing; default: as many as 0.5 s hold, at least 2",
        "N",
    ),
    Option(
        "--infer-timeout",
        "timeout_s",
        read_seconds,
        "seconds an engine may take to answer; default: 600",
        "SECONDS",
    ),
    Option(
        "--infer-report",
        "reports",
        read_reports,
        "write a report: KIND is json, html or md; history, to which each run adds; github or "
        "gitlab, which they show at the tests' lines",
        "KIND:PATH,...",
    ),
    Option(
        "--infer-strict",
        "strict",
        read_flag,
        "fail on inconclusive verdicts and baselines to renew",
    ),
    Option(
        "--infer-thorough",
        "thorough",
        read_flag,
        "also check on every model what is checked once per engine: engines built and opened again",
    ),
    Option(
        "--infer-localize",
        "localize",
        read_flag,
        "on a failure of parity, find the first wrong layer and pack a bundle that reproduces it",
    ),
    Option(
        "--infer-int8-loss",
        "int8_loss",
        read_flag,
        "show which layers lose most in int8, and what is lost without them",
    ),
    Option(
        "--infer-unquantized",
        "unquantized",
        read_nodes,
        "nodes that stay in fp32 in a model's int8 graph; --infer-int8-loss names those to leave",
        "MODEL=NODE,...",
    ),
    Option(
        "--infer-fuzz-examples",
        "fuzz_examples",
        read_examples,
        "shapes to try per engine with -m fuzz; default: those of hypothesis's profile",
        "N",
    ),
    Option(
        "--infer-fuzz-replay",
        "fuzz_replay",
        read_one,
        "replay only this recipe, as printed by a failed -m fuzz run",
        "RECIPE",
    ),
)


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
