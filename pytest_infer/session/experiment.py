"""A test's own cases: those of an experiment, whatever the matrix of the run is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from pytest_infer.case import PRECISIONS, Case, settings_text
from pytest_infer.config import ALL, AUTO
from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.engines.setting import read_options
from pytest_infer.errors import OptionError
from pytest_infer.session.exclusion import Exclusion
from pytest_infer.session.matrix import Matrix, lacking_precision, runnable, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.config import InferConfig
    from pytest_infer.session.availability import Availability

    Settings = tuple[tuple[str, OptionValue], ...]

_ENGINE = re.compile(
    rf"(?P<engine>[\w.-]+)-(?P<precision>{'|'.join(PRECISIONS)})(?P<settings>(?:\+[\w=.-]+)*)"
)


@dataclass(frozen=True)
class Experiment:
    """The keywords of ``@pytest.mark.experiment``: the cases of a test, declared by it."""

    models: tuple[str, ...]
    """Names of models, also of those that are no part of the matrix."""
    engines: tuple[str, ...]
    """Each as ENGINE-PRECISION, with settings as ``+NAME`` or ``+NAME=VALUE``."""
    batches: tuple[int, ...] = (1,)


class _Arm(NamedTuple):
    engine: str
    precision: Precision
    texts: dict[str, str]
    """The settings that the experiment changes, as it writes them."""


def experiment_matrix(
    experiment: Experiment, config: InferConfig, available: Availability
) -> Matrix:
    """Return the cases of an experiment that can run here, in its order, and why others cannot.

    Engines, models, precisions and batches that the user names choose among them. The user's
    settings hold where the experiment has no others. A CPU has no settings that are for a GPU:
    a case that has some runs without them, which is a notice. Raise `OptionError` for what the
    experiment gets wrong.
    """
    names = [name for name in experiment.models if not config.models or name in config.models]
    batches = [each for each in experiment.batches if config.allows("batches", each)]
    arms = [arm for arm in map(_arm, experiment.engines) if _is_wanted(arm, config)]
    given = settings_of(config)
    cases: dict[Case, None] = {}
    exclusions: list[Exclusion] = []
    notices: list[str] = []
    for arm, name in product(arms, names):
        device = available.device_of(arm.engine)
        settings, dropped = _settings(arm, dict(given.get(arm.engine, ())), device)
        asked = [
            Case(name, arm.engine, arm.precision, batch, device, settings) for batch in batches
        ]
        lack = (
            available.missing(arm.engine)
            or lacking_precision(arm.engine, arm.precision, device)
            or available.lack(arm.engine, arm.precision)
        )
        if lack is not None and asked:
            text = f"{name} on {arm.engine} in {arm.precision}{settings_text(dict(settings))}"
            exclusions.append(Exclusion(text, len(asked), lack))
            continue
        notices += [_dropped(dropped, case) for case in asked if dropped]
        cases |= dict.fromkeys(asked)
    chosen, others = runnable(list(cases))
    return Matrix(tuple(chosen), (*exclusions, *others), notices=tuple(notices))


def check_settings(experiment: Experiment) -> None:
    """Raise `OptionError` for an engine, a precision or a setting that is unknown."""
    for arm in map(_arm, experiment.engines):
        read_options(engines.find(arm.engine).options, arm.engine, arm.texts)


def _arm(text: str) -> _Arm:
    found = _ENGINE.fullmatch(text)
    if found is None:
        raise OptionError(
            f"cannot use the engine {text!r} of an experiment",
            why="it is not ENGINE-PRECISION[+SETTING=VALUE]",
            mend=f"write 'ort-fp32', or 'ort-fp32+intra_op_threads=1'; precisions: "
            f"{', '.join(PRECISIONS)}",
        )
    pairs = [each.partition("=") for each in found["settings"].split("+")[1:]]
    texts = {name: value or "true" for name, _, value in pairs}
    precision = next(each for each in PRECISIONS if each == found["precision"])
    return _Arm(found["engine"], precision, texts)


def _is_wanted(arm: _Arm, config: InferConfig) -> bool:
    is_any = bool({AUTO, ALL} & set(config.engines))
    return (is_any or arm.engine in config.engines) and config.allows("precisions", arm.precision)


def _settings(
    arm: _Arm, given: dict[str, OptionValue], device: str
) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings of an arm, and the names of those that a CPU does not have."""
    options = engines.find(arm.engine).options
    values = given | read_options(options, arm.engine, arm.texts)
    is_gpu = Device.named(device).is_gpu
    dropped = [name for name in arm.texts if options[name].gpu_only and not is_gpu]
    kept = {name: value for name, value in values.items() if name not in dropped}
    return tuple(sorted(kept.items())), tuple(dropped)


def _dropped(names: Sequence[str], case: Case) -> str:
    return f"{case.id} runs without {', '.join(names)}, which only a GPU has"
