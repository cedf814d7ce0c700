"""The figures of the page: JSON reports of runs, and stored baselines, each with its origin."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = "docs/results/data"
NS_PER_MS = 1_000_000
FOLDER = re.compile(r"(?<![\w/.-])/(?!opt/)[^\s,:'\"]*/")
"""An absolute folder of the machine that ran a command, but for ``/opt``, where anyone installs."""


@dataclass(frozen=True)
class Run:
    """One JSON report of ``pytest suites/seeds``."""

    file: str
    """From the repository's root on."""
    command: str
    started: str
    ended_early: str
    """How many of its checks ran, if it was ended before the last; else empty."""
    device: str
    cores: int
    versions: Mapping[str, str]
    commit: str
    records: tuple[Mapping[str, Any], ...]
    lacks: tuple[tuple[str, str], ...]
    """What could not run, and why."""

    @property
    def place(self) -> str:
        """Return what the file's name calls the device."""
        return PurePosixPath(self.file).stem.rpartition("-")[2]


@dataclass(frozen=True)
class Row:
    """One engine of one model at one batch, in one test of a run."""

    engine: str
    """Engine, precision and settings, as a case's id has them."""
    batch: int
    figures: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """One entry of a baseline."""

    engine: str
    batch: int
    figures: Mapping[str, float]
    provenance: Mapping[str, Any]
    file: str


def read_runs(root: Path) -> list[Run]:
    """Return every run whose report is kept, in the order of the files' names."""
    return [_run(path, root) for path in sorted((root / DATA).glob("seeds-*.json"))]


def by_device(runs: list[Run]) -> dict[str, list[Run]]:
    """Return the runs of each device, by what it is called on the page."""
    found: dict[str, list[Run]] = {}
    for each in runs:
        found.setdefault(each.device, []).append(each)
    return found


def keep(report: Path, root: Path) -> None:
    """Store a report for the page; the machine's name and its folders are left out."""
    content = json.loads(report.read_text())
    options = {name: _public(value) for name, value in content["run"]["options"].items()}
    command = FOLDER.sub("", content["run"]["command"])
    content["run"] |= {"machine": "", "options": options, "command": command}
    (root / DATA / report.name).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def rows_of(runs: list[Run], model: str, test: str, judge: str = "latency") -> list[Row]:
    """Return what a test of a model recorded, in the order of the runs and their tests."""
    return [
        _row(record)
        for run in runs
        for record in run.records
        if record["case"]["model"] == model
        and record["judge"] == judge
        and record["test"].partition("::")[2].partition("[")[0] == test
    ]


def read_stored(root: Path, device: str, model: str) -> list[Stored]:
    """Return the entries of a device's baseline of a model, by engine and batch."""
    path = root / "baselines" / device / f"{model}.json"
    entries = json.loads(path.read_text())["entries"]
    found = [
        Stored(*_parts(key, model), entry["figures"], entry["provenance"], _name(path, root))
        for key, entry in entries.items()
    ]
    return sorted(found, key=lambda each: (each.engine, each.batch))


def calls_ms(row: Row) -> list[float]:
    """Return the durations of a row's calls in ms, in their order."""
    return [each / NS_PER_MS for each in row.details["samples"]["durations_ns"]]


def _run(path: Path, root: Path) -> Run:
    report = json.loads(path.read_text())
    records, told = report["records"], report["run"]
    if not records:
        raise ValueError(f"{path} has no records")
    devices = {str(each["device"].get("name", "")) for each in records}
    if len(devices) != 1:
        raise ValueError(f"{path} is of several devices: {', '.join(sorted(devices))}")
    return Run(
        file=_name(path, root),
        command=told["command"],
        started=told["started"],
        ended_early=_early_end(report),
        device=devices.pop(),
        cores=int(records[0]["device"].get("cores", 0)),
        versions=_versions(records),
        commit=told["commit"],
        records=tuple(records),
        lacks=tuple(_lacks(report["coverage"]["exclusions"])),
    )


def _early_end(report: dict[str, Any]) -> str:
    coverage = report["coverage"]
    if not report["run"].get("stopped"):  # older reports do not say
        return ""
    return f"ended early, after {coverage['ran']} of {coverage['expected']} checks"


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _public(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_public(inner) for inner in value]
    return PurePosixPath(value).name if isinstance(value, str) and value[:1] == "/" else value


def _versions(records: list[dict[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in records:
        found |= {name: str(version) for name, version in record["runtime"].items() if version}
    return dict(sorted(found.items()))


def _lacks(exclusions: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for each in exclusions:
        yield each["what"], each["lack"]["why"]


def _row(record: Mapping[str, Any]) -> Row:
    engine, batch = _parts(record["case_id"], record["case"]["model"])
    return Row(engine, batch, record["figures"], record["details"])


def _parts(key: str, model: str) -> tuple[str, int]:
    """Return engine, precision and settings of a case's id, and its batch."""
    engine, _, after = key.removeprefix(f"{model}-").rpartition("-b")
    number = after.partition("+")[0]
    return engine + after.removeprefix(number), int(number)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
