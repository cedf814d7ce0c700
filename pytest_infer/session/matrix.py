"""The matrix of cases: what was asked for, what can run here, and why the rest cannot."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from pytest_infer.case import Case
from pytest_infer.config import ALL, AUTO
from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import LacksOperators, Missing, TracesPython
from pytest_infer.engines.requests import graph_format
from pytest_infer.engines.setting import read_options
from pytest_infer.errors import NoCaseError, OptionError, unknown
from pytest_infer.models import registry as models
from pytest_infer.session.exclusion import Exclusion
from pytest_infer.session.wanted_models import Broken, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.config import InferConfig


@dataclass(frozen=True)
class Matrix:
    """Every case that can run here, in an order that all workers share, and every other."""

    cases: tuple[Case, ...]
    exclusions: tuple[Exclusion, ...]
    broken: tuple[Broken, ...] = ()
    """Models that cannot be read: each test that wants one fails."""
    notices: tuple[str, ...] = ()
    """What runs otherwise than it was asked for."""


@dataclass(frozen=True)
class Origin:
    """Where the run looked for models: what is said of it where one is unknown."""

    why: str = ""
    mend: str = ""


SOURCES = (
    "a file is a model if it ends in .onnx, .pt or .pt2, and a Hugging Face folder as hf:FOLDER; "
    "a function is PACKAGE.MODULE:FUNCTION"
)
"""What to do about a path that names no source."""

NO_MODULE = Missing(
    "an ONNX file has no module, from which these are made",
    "ask for engines that are built from ONNX files, or bring the module",
)
"""Why eager and what traces or compiles a module cannot run an ONNX file."""

NO_SCRIPT = Missing(
    "a TorchScript file has no Python code, which this engine traces",
    "engines that run or export it, as torchscript and ort do, or bring the module",
)

OPSET_OF_INT8 = 13
"""The operator set from which on quantized weights have a scale per channel."""

Lack: TypeAlias = "Callable[[str], Missing | None]"
PrecisionLack: TypeAlias = "Callable[[str, Precision], Missing | None]"


def make_matrix(
    config: InferConfig,
    device_of: Callable[[str], str],
    missing: Lack,
    lacking: PrecisionLack = lambda *_: None,
    *,
    wanted: Wanted | None = None,
) -> Matrix:
    """Return the matrix that ``config`` asks for, each engine on its ``device_of``.

    Raise `OptionError` for unknown names, for an engine that was asked for by name and cannot
    run here, for a setting that an engine does not have, and if no case is left. ``lacking`` says
    why an engine's own version or hardware cannot do one of its precisions. ``wanted`` are the
    models, all of them known; None: those that ``config`` names.
    """
    settings = settings_of(config)
    chosen = wanted or known_models(Wanted(config.models), Origin())
    names = chosen.names
    _demand(_named(config), missing)
    cases: list[Case] = []
    exclusions: list[Exclusion] = []
    for engine, precision in product(_engines(config), config.precisions):
        device = device_of(engine)
        asked = [
            Case(model, engine, precision, batch, device, settings.get(engine, ()))
            for model, batch in product(names, config.batches)
        ]
        lack = (
            missing(engine)
            or lacking_precision(engine, precision, device)
            or lacking(engine, precision)
        )
        if lack is None:
            cases += asked
        else:
            what = f"{engine} in {precision}"
            exclusions.append(Exclusion(what, len(asked), lack, tuple(asked)))
    cases, others = runnable(cases)
    exclusions += others
    exclusions += [_unread(each, config) for each in chosen.broken]
    if not cases and not chosen.broken:
        raise _nothing_left(exclusions)
    order = {name: number for number, name in enumerate(names)}
    return Matrix(
        tuple(sorted(cases, key=lambda case: (order[case.model], case.batch, case.id))),
        tuple(exclusions),
        chosen.broken,
    )


def runnable(asked: Sequence[Case]) -> tuple[list[Case], list[Exclusion]]:
    """Return the cases that their models' files and batches allow, and the others."""
    cases = [case for case in asked if _lack_of_file(case) is None]
    others = [*_of_files(asked), *_without_batch(cases)]
    return [case for case in cases if _has_meaning(case)], others


def known_models(wanted: Wanted, origin: Origin) -> Wanted:
    """Return the models to test, all if none was named; raise `OptionError` for unknown names."""
    known = models.known_names()
    for name in wanted.names:
        if name not in known:
            error = unknown("model", name, known)
            source = SOURCES if "/" in name or os.path.lexists(name) else ""
            raise OptionError(
                error.what, why=error.why + origin.why, mend=source or error.mend + origin.mend
            )
    return Wanted(tuple(known)) if wanted.is_all else wanted


def _unread(broken: Broken, config: InferConfig) -> Exclusion:
    """Return the cases of a model that cannot be read."""
    count = len(_engines(config)) * len(config.precisions) * len(config.batches)
    return Exclusion(broken.model, count, Missing(broken.error.why, broken.error.mend))


def _of_files(cases: Sequence[Case]) -> list[Exclusion]:
    """Return the cases of models that are ONNX files and cannot be what the case is."""
    lacks = [(case, lack) for case in cases if (lack := _lack_of_file(case))]
    found: dict[tuple[str, Missing], list[Case]] = {}
    for case, lack in lacks:
        found.setdefault((case.model, lack), []).append(case)
    return [
        Exclusion(f"{model} on {_engines_of(asked)}", len(asked), lack, tuple(asked))
        for (model, lack), asked in found.items()
    ]


def _engines_of(cases: Sequence[Case]) -> str:
    return ", ".join(dict.fromkeys(f"{case.engine} in {case.precision}" for case in cases))


def _lack_of_file(case: Case) -> Missing | None:
    """Return why a file cannot be run by an engine, or in a precision; None if it can."""
    spec = models.find(case.model).spec
    facts = spec.onnx
    if facts is None:
        engine = engines.find(case.engine)
        is_traced = isinstance(engine, TracesPython) and engine.traces_python
        return NO_SCRIPT if spec.is_scripted and is_traced else None
    if graph_format(case) == "module":
        return NO_MODULE
    if lack := _lack_of_operators(case, facts.domains):
        return lack
    if facts.precision not in {None, case.precision}:
        return Missing(
            f"the file's own types are {facts.precision}", f"--infer-precision={facts.precision}"
        )
    if case.precision == "int8" and facts.precision is None and facts.opset < OPSET_OF_INT8:
        return Missing(
            f"its operator set is {facts.opset}; a scale per channel needs {OPSET_OF_INT8}",
            f"convert it: onnx.version_converter.convert_version(model, {OPSET_OF_INT8})",
        )
    return None


def _lack_of_operators(case: Case, domains: Sequence[str]) -> Missing | None:
    """Return which operators of a file an engine has none of; None if it says so of none."""
    engine = engines.find(case.engine)
    unknown = engine.unknown_domains if isinstance(engine, LacksOperators) else ()
    lacking = [domain for domain in domains if domain in unknown]
    if not lacking:
        return None
    return Missing(
        f"the file has operators of {', '.join(lacking)}, and {case.engine} has none of them",
        "ask for engines that have them, as ort does, or export the model without them",
    )


def _has_meaning(case: Case) -> bool:
    """Return whether a case's batch means something; 1 is what a model without any takes.

    A file whose sizes are fixed at a batch takes that one.
    """
    spec = models.find(case.model).spec
    return spec.takes_rows or case.batch == (spec.onnx.rows if spec.onnx else 1)


def _without_batch(cases: Sequence[Case]) -> list[Exclusion]:
    """Return the cases of models that have no batch, at any other than 1."""
    counts = Counter((case.model, case.batch) for case in cases if not _has_meaning(case))
    return [
        Exclusion(f"{model} at batch {batch}", count, _lack_of_batch(model))
        for (model, batch), count in counts.items()
    ]


def _lack_of_batch(model: str) -> Missing:
    facts = models.find(model).spec.onnx
    if facts is not None:
        return Missing(
            f"the sizes in its file are fixed, at a batch of {facts.rows}",
            f"--infer-batch={facts.rows}, or export it with a dynamic first dimension",
        )
    return Missing(
        "no input of its spec has a dimension called batch: every case would be the same",
        "--infer-batch=1, or name the first dimension batch in the model's decorator",
    )


def _engines(config: InferConfig) -> tuple[str, ...]:
    """Return the engines to try."""
    return _named(config) if AUTO not in config.engines else tuple(engines.registered())


def _named(config: InferConfig) -> tuple[str, ...]:
    """Return the engines without which the user wants no run."""
    known = engines.registered()
    for name in config.engines:
        if name not in (*known, AUTO, ALL):
            raise unknown("engine", name, [*known, AUTO, ALL])
    if ALL in config.engines:
        return tuple(known)
    return tuple(name for name in config.engines if name != AUTO)


def lacking_precision(engine: str, precision: str, device: str) -> Missing | None:
    """Return why an engine knows no such precision on ``device``; None if it does."""
    kind = Device.named(device).kind
    able = engines.find(engine).precisions.get(kind, ())
    if precision in able:
        return None
    return Missing(
        why=f"on {kind}, {engine} runs {', '.join(able) or 'nothing'}",
        mend=f"--infer-precision={able[0]}" if able else "another --infer-device",
    )


def settings_of(config: InferConfig) -> dict[str, tuple[tuple[str, OptionValue], ...]]:
    """Return what each engine's settings are changed to."""
    texts: dict[str, dict[str, str]] = {}
    for name, text in config.engine_options.items():
        engine, _, option = name.partition(".")
        texts.setdefault(engine, {})[option] = text
    return {
        engine: tuple(read_options(engines.find(engine).options, engine, named).items())
        for engine, named in texts.items()
    }


def _demand(chosen: Sequence[str], missing: Callable[[str], Missing | None]) -> None:
    for engine in chosen:
        lack = missing(engine)
        if lack:
            raise OptionError(f"cannot run engine {engine!r} here", why=lack.why, mend=lack.mend)


def _nothing_left(exclusions: Sequence[Exclusion]) -> NoCaseError:
    return NoCaseError(
        "no case is left to test",
        why="; ".join(f"{each.what}: {each.lack.why}" for each in exclusions),
        mend="; ".join(dict.fromkeys(each.lack.mend for each in exclusions)),
    )
