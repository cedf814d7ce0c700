"""Store what a run has measured, for ``--update-baselines``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pytest_infer.baselines.chosen import ChosenBaselines, identity_of
from pytest_infer.baselines.difference import change_table
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.store import update
from pytest_infer.baselines.storing import storing_command
from pytest_infer.reports.table import rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.config import InferConfig
    from pytest_infer.reports.record import Record
    from pytest_infer.stored_gate import Gate

NOTHING = {
    "all": "nothing was measured",
    "new": "nothing that was measured is missing",
    "improved": "nothing that was measured is missing or has improved",
    None: "nothing was to be stored",
}
"""Why a run has stored nothing."""

STORED = (
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "throughput_per_s",
    "speedup",
    "mae",
    "max_abs",
    "relative_l2",
    "engine_bytes",
    "build_s",
    "load_s",
    "peak_host_bytes",
    "device_bytes",
)


def store_by_device(config: InferConfig, records: Sequence[Record]) -> list[str]:
    """Store every measured case in the baselines of the device on which it ran."""
    measured = {each.case_id: each.device for each in records if each.judge == "latency"}
    if not measured:
        return [f"no baseline was stored: {NOTHING['all']}"]
    lines = []
    for device in {str(identity_of(each)): each for each in measured.values()}.values():
        own = {key for key, each in measured.items() if identity_of(each) == identity_of(device)}
        lines += store_measured(
            config,
            ChosenBaselines(config, device),
            [each for each in records if each.case_id in own],
        )
    return lines


def store_measured(
    config: InferConfig, chosen: ChosenBaselines, records: Sequence[Record]
) -> list[str]:
    """Store the figures of every case of one device that nothing speaks against; return what was.

    With ``--update-baselines=new`` or ``improved``, an entry that is there is replaced only if
    its case has improved.
    """
    bad = {r.case_id: r.code for r in records if r.status in {"fail", "inconclusive"}}
    bad = _rivals(records) | bad
    measured = {r.case_id: r for r in records if r.judge == "latency"}
    entries = {
        record.case: Entry(_figures(key, records), _provenance(record), _gate(key, records))
        for key, record in measured.items()
        if key not in bad
    }
    renewed = {r.case_id for r in records if r.to_store and r.to_store.renews}
    is_all = config.update == "all"
    kept = [case for case in entries if not (is_all or case.id in renewed)]
    wanted = [
        key
        for key, each in measured.items()
        if is_all or key not in chosen.present(each.case.model)
    ]
    changes = update(chosen.folder, chosen.identity, entries, missing_only=kept) if entries else []
    lines = [f"stored in {chosen.folder}: {len(changes)} entries"] if changes else []
    lines += [rendered(change_table(changes)).strip("\n")] if changes else []
    lines += [f"not stored: {key} ({bad[key]})" for key in wanted if key in bad]
    return lines or [f"no baseline was stored: {NOTHING[config.update]}"]


def _rivals(records: Sequence[Record]) -> dict[str, str]:
    """Return the keys that were measured more than once, and by which tests.

    A test that measures for the gate comes before others that only time the same case.
    """
    found = {}
    for key in {record.case_id for record in records}:
        tests = [record.test for record in _timed(key, records)]
        if len(tests) > 1:
            found[key] = (
                f"measured {len(tests)} times, by {', '.join(sorted(set(tests)))}; a key has one "
                "entry: store from one test, or parametrize it"
            )
    return found


def _timed(key: str, records: Sequence[Record]) -> list[Record]:
    """Return what could be stored of one case: what measured for the gate, or else what timed."""
    own = [record for record in records if record.case_id == key]
    gated = [record for record in own if record.to_store]
    return gated or [record for record in own if record.judge == "latency"]


def _figures(key: str, records: Sequence[Record]) -> dict[str, float]:
    """Return a case's times by the test that measured it, and its worst errors by any."""
    timing = {record.test for record in _timed(key, records)}
    figures: dict[str, float] = {}
    for record in records:
        if record.case_id != key:
            continue
        given = {name: record.figures[name] for name in STORED if name in record.figures}
        if record.judge == "latency" and record.test in timing:
            figures |= given
        elif record.judge == "parity":
            figures |= {name: max(each, figures.get(name, 0)) for name, each in given.items()}
    return {name: float(f"{value:.5g}") for name, value in figures.items()}


def _gate(key: str, records: Sequence[Record]) -> Gate | None:
    """Return what a case's baseline record measured for the gate, None if nothing did."""
    found = [each.to_store.gate for each in records if each.case_id == key and each.to_store]
    return found[-1] if found else None


def _provenance(record: Record) -> Measured:
    return Measured(
        device=record.device["name"],
        date=datetime.now(timezone.utc).date().isoformat(),
        command=storing_command(record.case),
        driver=record.device.get("driver", ""),
        versions=dict(record.runtime),
    )
