"""The ledger of known failures: what an engine is known not to build or run, and how it says so.

A case in the ledger is expected to fail at its stage with its error. Another error is news, and so
is a success: both fail the test until the ledger is mended. What shape fuzzing is known to
find is passed over and counted; it may be missed, but not be worse than it is known to be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_infer.case import OptionValue
from pytest_infer.devices.device import Device
from pytest_infer.errors import (
    BuildError,
    ExportError,
    InferError,
    LoadError,
    RunError,
    explanation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_infer.case import Case
    from pytest_infer.verdict import Verdict

Stage: TypeAlias = Literal["export", "build", "load", "run"]
Settled: TypeAlias = Literal["known", "changed", "gone"]

STAGES: Mapping[Stage, type[InferError]] = {
    "export": ExportError,
    "build": BuildError,
    "load": LoadError,
    "run": RunError,
}


@dataclass(frozen=True)
class KnownFailure:
    """One entry: which cases fail, at which stage, with which words, and why that is accepted."""

    engine: str
    model: str
    stage: Stage
    error: str
    """A part of the error's reason that no other error has."""
    because: str
    """What is known of it: the cause, or where it was reported, and the versions that have it."""
    precisions: tuple[str, ...] = ()
    """Empty for every one."""
    devices: tuple[str, ...] = ()
    """Kinds of devices (``cpu``, ``cuda``); empty for every one."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    """The engine's settings with which it fails."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """How the versions of the engine's libraries begin with which it fails: tensorrt: 8."""

    def covers(
        self,
        case: Case,
        settings: Mapping[str, OptionValue],
        versions: Callable[[], Mapping[str, str]],
    ) -> bool:
        """Return whether ``case``, whose engine has ``settings``, is expected to fail.

        The ``versions`` of the libraries in its engine's host are asked for last, and only if the
        entry names some: the host may have to start.
        """
        return (
            (self.engine, self.model) == (case.engine, case.model)
            and _is_among(case, self.precisions, self.devices)
            and all(settings.get(name) == value for name, value in self.options.items())
            and (not self.versions or self._has(versions()))
        )

    def _has(self, versions: Mapping[str, str]) -> bool:
        """Return whether ``versions`` begin as the entry says, part by part."""
        return all(
            f"{versions.get(name, '')}.".startswith(f"{start}.")
            for name, start in self.versions.items()
        )

    def settle(self, error: InferError | None) -> Settled:
        """Return whether what happened is what is known; None: nothing failed."""
        if error is None:
            return "gone"
        is_known = isinstance(error, STAGES[self.stage]) and self.error in error.why
        return "known" if is_known else "changed"

    def news(self, settled: Settled, error: InferError | None) -> str:
        """Return the message about a failure that changed or is gone."""
        known = f"{self.engine} failed on {self.model} at its {self.stage}: {self.error}"
        if settled == "gone":
            return explanation(
                f"a known failure of {self.engine} on {self.model} is gone",
                why=f"{known} ({self.because}); now it works",
                mend="remove it from the ledger of known failures",
            )
        return explanation(
            f"a known failure of {self.engine} on {self.model} has changed",
            why=f"{known} ({self.because}); now:\n{error}",
            mend="find what changed, and mend the ledger of known failures",
        )


@dataclass(frozen=True)
class KnownFinding:
    """One entry: on which feeds an engine is wrong, by how much, and why that is accepted."""

    engine: str
    model: str
    values: tuple[str, ...]
    """Of the recipes, as ``--infer-fuzz-replay`` has them."""
    code: str
    """The verdict's."""
    most: float
    """How many times its tolerance the error is at most; a larger one is news."""
    because: str
    """What is known of it: the cause, or where it was reported, and the versions that have it."""
    precisions: tuple[str, ...] = ()
    """Empty for every one."""
    devices: tuple[str, ...] = ()
    """Kinds of devices (``cpu``, ``cuda``); empty for every one."""

    def covers(self, case: Case, values: str, verdict: Verdict) -> bool:
        """Return whether a failed ``verdict`` on feeds of these ``values`` is known."""
        return (
            (self.engine, self.model, self.code) == (case.engine, case.model, verdict.code)
            and values in self.values
            and verdict.figures.get("worst_ratio", math.inf) <= self.most
            and _is_among(case, self.precisions, self.devices)
        )


def _is_among(case: Case, precisions: tuple[str, ...], devices: tuple[str, ...]) -> bool:
    """Return whether an entry with these, empty for every one, is about ``case``."""
    kind = Device.named(case.device).kind
    return case.precision in (precisions or (case.precision,)) and kind in (devices or (kind,))


LEDGER: tuple[KnownFailure, ...] = (
    KnownFailure(
        "trt",
        "detr_resnet50",
        "build",
        "Could not find any implementation for node {ForeignNode[",
        "TensorRT 8.6.0 finds no kernel for a part of DETR's position embedding beside int8 "
        "layers, after an error of Myelin's; in fp32 and fp16 it does",
        precisions=("int8",),
        versions={"tensorrt": "8.6"},
    ),
    KnownFailure(
        "tvm",
        "detr_resnet50",
        "build",
        "Binary operators must have the same datatype for both operands",
        "TVM 0.27.0.post1 imports floor_divide of a fraction by an integer from torch.export only "
        "if both are of one type; by tvm.route=onnx it works",
        options={"route": "export"},
    ),
)
"""What this package's own models and engines are known not to do."""

FINDINGS: tuple[KnownFinding, ...] = (
    KnownFinding(
        "compile",
        "efficientnet_b0",
        ("ones", "zeros", "tiny", "denormal"),
        "diverged",
        most=2.25,
        because="torch 2.15.0's Inductor adds up the mean of alike places one after the other on a "
        "CPU, by docs/results/fuzzing.md's reproduction",
        devices=("cpu",),
    ),
)
"""Where they are known to be wrong."""

_expected: list[KnownFailure] = []
_expected_findings: list[KnownFinding] = []


def expect(entry: KnownFailure | KnownFinding) -> None:
    """Add an entry of a project's own, from its ``conftest.py``."""
    if isinstance(entry, KnownFinding):
        _expected_findings.append(entry)
    else:
        _expected.append(entry)


def known_finding(case: Case, values: str, verdict: Verdict) -> KnownFinding | None:
    """Return the first entry that covers a failed ``verdict`` on feeds of these ``values``."""
    entries = (*_expected_findings, *FINDINGS)
    return next((entry for entry in entries if entry.covers(case, values, verdict)), None)


def known_failure(
    case: Case,
    settings: Callable[[], Mapping[str, OptionValue]],
    versions: Callable[[], Mapping[str, str]],
) -> KnownFailure | None:
    """Return the first entry that covers ``case``; a project's own come first.

    Its engine's ``settings`` are asked for only if there is an entry for the engine and the model,
    the ``versions`` in its host only if all else of such an entry agrees.
    """
    entries: Iterable[KnownFailure] = (
        entry
        for entry in (*_expected, *LEDGER)
        if (entry.engine, entry.model) == (case.engine, case.model)
    )
    return next((entry for entry in entries if entry.covers(case, settings(), versions)), None)
