"""The ledger of known failures: what an engine is known not to build or run, and how it says so.

A case in the ledger is expected to fail at its stage with its error. Another error is news, and so
is a success: both fail the test until the ledger is mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_infer.errors import (
    BuildError,
    ExportError,
    InferError,
    LoadError,
    RunError,
    explanation,
)
from pytest_infer.spec import OptionValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_infer.spec import Case

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
    """A part of the error's reason that tells it from any other."""
    because: str
    """What is known of it: the cause, or where it was reported, and the versions that have it."""
    precisions: tuple[str, ...] = ()
    """Empty for every one."""
    devices: tuple[str, ...] = ()
    """Kinds of devices (``cpu``, ``cuda``); empty for every one."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    """The engine's settings with which it fails."""

    def covers(self, case: Case, settings: Mapping[str, OptionValue]) -> bool:
        """Return whether ``case``, whose engine has ``settings``, is expected to fail."""
        return (
            (self.engine, self.model) == (case.engine, case.model)
            and case.precision in (self.precisions or (case.precision,))
            and case.device.partition(":")[0] in (self.devices or (case.device.partition(":")[0],))
            and all(settings.get(name) == value for name, value in self.options.items())
        )

    def settle(self, error: InferError | None) -> Settled:
        """Return whether what happened is what is known; None: nothing failed."""
        if error is None:
            return "gone"
        is_known = isinstance(error, STAGES[self.stage]) and self.error in error.why
        return "known" if is_known else "changed"

    def news(self, settled: Settled, error: InferError | None) -> str:
        """Return what to tell of a failure that changed or is gone."""
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


LEDGER: tuple[KnownFailure, ...] = (
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

_expected: list[KnownFailure] = []


def expect(failure: KnownFailure) -> None:
    """Add a known failure of a project's own, from its ``conftest.py``."""
    _expected.append(failure)


def known_failure(
    case: Case, settings: Callable[[], Mapping[str, OptionValue]]
) -> KnownFailure | None:
    """Return the first entry that covers ``case``; a project's own come first.

    Its engine's ``settings`` are asked for only if there is an entry for the engine and the model.
    """
    entries: Iterable[KnownFailure] = (
        entry
        for entry in (*_expected, *LEDGER)
        if (entry.engine, entry.model) == (case.engine, case.model)
    )
    return next((entry for entry in entries if entry.covers(case, settings())), None)
