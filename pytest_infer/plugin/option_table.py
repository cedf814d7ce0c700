"""The table of options: each one's flag, field, reader and help.

pytest loads this module at every start, so that ``--help`` shows the options; it imports nothing
that only reading them needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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
    read_inputs,
    read_names,
    read_nodes,
    read_one,
    read_path,
    read_precisions,
    read_reports,
    read_seconds,
    read_update,
    read_warmup,
    read_weights,
)

if TYPE_CHECKING:
    from collections.abc import Callable


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
        read_inputs,
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
        "also check on every model what is checked once per engine: engines built and opened "
        "again; and build those anew in each run",
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
        "--infer-profile",
        "profile",
        read_flag,
        "after each timed measurement, also show what every layer takes, by the engine's own "
        "profiler: ort on a CPU, openvino, trt",
    ),
    Option(
        "--infer-artifacts",
        "artifacts",
        read_path,
        "keep the graph and the engine of every case there under readable names, with a list of "
        "them; pytest-infer open shows one",
        "DIR",
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
