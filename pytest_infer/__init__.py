"""Regression tests for neural-network inference engines: right, and still fast.

The names below are the public face; what is not among them, in `pytest_infer.testing` or in
`pytest_infer.fuzzing.strategies` is private. Each is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Case, Precision
    from pytest_infer.devices.device import Device
    from pytest_infer.engines.feed_check import check_feeds
    from pytest_infer.engines.protocol import (
        BuildRequest,
        BuiltEngine,
        Engine,
        Evidence,
        Missing,
        Runner,
    )
    from pytest_infer.engines.registry import register
    from pytest_infer.engines.setting import EngineOption
    from pytest_infer.errors import (
        BaselineError,
        BuildError,
        CacheError,
        CaseError,
        ExportError,
        HostError,
        InferError,
        LoadError,
        ModelError,
        NoCaseError,
        OptionError,
        RunError,
        TimingError,
    )
    from pytest_infer.fuzzing.fuzz import Fuzz
    from pytest_infer.graphs.graph import Graph, GraphRequest
    from pytest_infer.graphs.module import module_from_graph
    from pytest_infer.judges.judged_rows import JudgedRows
    from pytest_infer.judges.known_failures import KnownFailure, KnownFinding, expect
    from pytest_infer.judges.metrics import metric
    from pytest_infer.judges.tasks.registry import task
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.models.decorator import model
    from pytest_infer.models.evaluation import Evaluation
    from pytest_infer.models.model_from import model_from
    from pytest_infer.models.spec import Dim, ModelSpec, Profile, TensorSpec
    from pytest_infer.models.yolo import Yolo
    from pytest_infer.plugin.enforce import Enforce
    from pytest_infer.session.accuracy import Accuracy
    from pytest_infer.session.against import Against
    from pytest_infer.session.answers import Answers
    from pytest_infer.session.baseline_judge import BaselineJudge
    from pytest_infer.session.consistency import Consistency
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.latency import Latency
    from pytest_infer.session.model import LoadedModel
    from pytest_infer.session.parity import Parity
    from pytest_infer.session.reference import Reference
    from pytest_infer.session.timer import GpuTimer
    from pytest_infer.session.truth import Truth
    from pytest_infer.session.variants import Variants
    from pytest_infer.timing.samples import Samples
    from pytest_infer.verdict import Verdict

__version__ = "0.1.0"

__all__ = [
    "Accuracy",
    "Against",
    "Answers",
    "Array",
    "Arrays",
    "BaselineError",
    "BaselineJudge",
    "BuildError",
    "BuildRequest",
    "BuiltEngine",
    "CacheError",
    "Case",
    "CaseError",
    "Consistency",
    "Device",
    "Dim",
    "Enforce",
    "Engine",
    "EngineOption",
    "EngineUnderTest",
    "Evaluation",
    "Evidence",
    "ExportError",
    "Fuzz",
    "GpuTimer",
    "Graph",
    "GraphRequest",
    "HostError",
    "InferError",
    "JudgedRows",
    "KnownFailure",
    "KnownFinding",
    "Latency",
    "LoadError",
    "LoadedModel",
    "Missing",
    "ModelError",
    "ModelSpec",
    "NoCaseError",
    "OptionError",
    "Parity",
    "Precision",
    "Profile",
    "Reference",
    "RunError",
    "Runner",
    "Samples",
    "TensorSpec",
    "TimingError",
    "Tolerance",
    "Truth",
    "Variants",
    "Verdict",
    "Yolo",
    "check_feeds",
    "expect",
    "metric",
    "model",
    "model_from",
    "module_from_graph",
    "register",
    "task",
]

_HOMES = {
    "arrays": "Array Arrays",
    "case": "Case Precision",
    "devices.device": "Device",
    "engines.feed_check": "check_feeds",
    "engines.protocol": "BuildRequest BuiltEngine Engine Evidence Missing Runner",
    "engines.registry": "register",
    "engines.setting": "EngineOption",
    "errors": "BaselineError BuildError CacheError CaseError ExportError HostError "
    "InferError LoadError ModelError NoCaseError OptionError RunError TimingError",
    "fuzzing.fuzz": "Fuzz",
    "graphs.graph": "Graph GraphRequest",
    "graphs.module": "module_from_graph",
    "judges.judged_rows": "JudgedRows",
    "judges.known_failures": "KnownFailure KnownFinding expect",
    "judges.metrics": "metric",
    "judges.tasks.registry": "task",
    "judges.tolerance": "Tolerance",
    "models.decorator": "model",
    "models.evaluation": "Evaluation",
    "models.model_from": "model_from",
    "models.spec": "Dim ModelSpec Profile TensorSpec",
    "models.yolo": "Yolo",
    "plugin.enforce": "Enforce",
    "session.accuracy": "Accuracy",
    "session.against": "Against",
    "session.answers": "Answers",
    "session.baseline_judge": "BaselineJudge",
    "session.consistency": "Consistency",
    "session.engine": "EngineUnderTest",
    "session.latency": "Latency",
    "session.model": "LoadedModel",
    "session.parity": "Parity",
    "session.reference": "Reference",
    "session.timer": "GpuTimer",
    "session.truth": "Truth",
    "session.variants": "Variants",
    "timing.samples": "Samples",
    "verdict": "Verdict",
}
"""The module of each name."""


def home_of(name: str) -> str | None:
    """Return the module of a public name; None for a name that is not public."""
    found = (home for home, names in _HOMES.items() if name in names.split())
    return next((f"{__name__}.{home}" for home in found), None)


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for."""
    home = home_of(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
