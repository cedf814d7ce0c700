"""The JSON report: its versioned schema, checked where a file is read again.

``docs/guides/reports.md`` says what the fields mean. A field that is added is no new version:
readers skip what they do not know. One that is removed, or means something else, raises `SCHEMA`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from pytest_infer.graphs.drawing import Drawing  # noqa: TC001 - msgspec reads the annotation
from pytest_infer.reports.pictures import BASE64

SCHEMA = 2
"""1 had no ``run``, and its records no ``file`` and ``line``."""


Jpeg: TypeAlias = Annotated[str, msgspec.Meta(pattern=f"^{BASE64}$")]
"""In base64."""


class CaseFields(msgspec.Struct):
    """The case that a record is about."""

    model: str
    engine: str
    precision: Literal["fp64", "fp32", "tf32", "bf16", "fp16", "int8"]
    batch: int
    device: str
    options: dict[str, bool | int | str]
    variant: str | msgspec.UnsetType = msgspec.UNSET


class RecordFields(msgspec.Struct):
    """One verdict on one case."""

    test: str
    case: CaseFields
    case_id: str
    judge: str
    status: Literal["pass", "fail", "inconclusive", "known", "new"]
    code: str
    message: str
    figures: dict[str, int | float]
    details: dict[str, Any]
    device: dict[str, Any]
    runtime: dict[str, Any]
    attempt: int
    file: str = ""
    line: int = 0


class LackFields(msgspec.Struct):
    """Why something could not run, and how to mend it."""

    why: str
    mend: str


class ExclusionFields(msgspec.Struct):
    """What could not run."""

    what: str
    cases: int
    lack: LackFields


class CoverageFields(msgspec.Struct):
    """How many checks there were, and what became of the others."""

    expected: int
    ran: int
    repeated: int
    narrowed: int
    once: int
    without_case: tuple[str, ...]
    unasked: int
    exclusions: tuple[ExclusionFields, ...]
    built: int
    reused: int
    notices: tuple[str, ...]
    weights: dict[str, str]
    probe_s: dict[str, float]
    sent_bytes: dict[str, int]
    unread: tuple[str, ...] = ()
    """Models that could not be read; since 2026-11-30."""
    uncompared: int = 0
    """Comparisons of environments that were not asked for; since 2026-11-30."""
    unevaluated: int = 0
    """Tests of accuracy without a model that has an evaluation set; since 2026-11-30."""
    experiments: int = 0
    """Files with experiments of articles that this run left out; since 2026-11-30."""
    experiments_command: str = ""
    """What runs them; since 2026-11-30."""


class PointFields(msgspec.Struct):
    """One batch of a sweep."""

    batch: int
    p50_ms: float
    throughput_per_s: float
    of_best: float | None
    speedup: float | None
    is_best: bool
    status: str


class SweepFields(msgspec.Struct):
    """The batches at which one engine was timed."""

    model: str
    engine: str
    precision: str
    device: str
    settings: dict[str, bool | int | str]
    points: list[PointFields]


class RunFields(msgspec.Struct):
    """When, where and how the run was made."""

    started: str
    duration_s: float
    command: str
    commit: str
    dirty: bool | None
    plugin: str
    platform: str
    machine: str
    versions: dict[str, str]
    options: dict[str, Any]
    seeds: dict[str, str]
    stopped: str = ""
    """Why the run ended before all that was asked for had run; since 2026-12-01."""


class ResultFields(msgspec.Struct):
    """A JSON report of pytest-infer."""

    schema: Literal[2]
    run: RunFields
    coverage: CoverageFields
    records: list[RecordFields]
    earlier_attempts: list[RecordFields]
    sweeps: list[SweepFields]
    pictures: dict[str, Jpeg] = {}
    """By the names with which ``photographs`` in details of records refer to them."""
    drawings: dict[str, Drawing] = {}
    """By the names with which ``drawing`` in details of records refers to them."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a JSON report."""
    return msgspec.json.schema(ResultFields)
