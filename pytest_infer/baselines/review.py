"""What of the stored baselines a complete run had no case for, and what is out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pytest_infer.baselines.chosen import ChosenBaselines, identity_of
from pytest_infer.baselines.entry import Measured
from pytest_infer.baselines.versions import changed_versions
from pytest_infer.case import settings_text
from pytest_infer.case_id import id_parts
from pytest_infer.engines import registry as engines
from pytest_infer.models import registry as models

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_infer.baselines.entry import Entry
    from pytest_infer.baselines.folder import Baselines
    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.reports.record import Record

Records: TypeAlias = "Sequence[Record]"

NO_RUNTIME = "python"
"""What is in every runtime and belongs to none."""

MOST_SHOWN = 5


def review_lines(config: InferConfig, records: Records, met: Collection[str]) -> list[str]:
    """Return the lines about the baselines of each device on which a complete run ran.

    ``met`` are the ids of the cases of all its tests.
    """
    devices = {str(identity_of(each.device)): each.device for each in records}
    lines = []
    for device in devices.values():
        chosen = ChosenBaselines(config, device)
        own = [each for each in records if identity_of(each.device) == identity_of(device)]
        if device and chosen.is_own and chosen.baselines:
            lines += _lines(chosen.baselines, config, own, met)
    return lines


def _lines(
    baselines: Baselines, config: InferConfig, records: Records, met: Collection[str]
) -> list[str]:
    stored = {model: baselines.read(model) for model in baselines.models()}
    cases = [each.case for each in records]
    lines = []
    if found := unused(stored, cases, config, met):
        lines.append(
            f"unused: {_counted(found)} of {baselines.folder}: no test of this run has such a "
            f"case; delete what is not needed: {_listed(found)}"
        )
    entries = {key: entry for each in stored.values() for key, entry in each.items()}
    for change, keys in stale(entries, records).items():
        lines.append(
            f"stale: {_counted(keys)} of {baselines.folder}, stored with another {change}; "
            f"renew by --update-baselines: {_listed(keys)}"
        )
    return lines


def unused(
    stored: Mapping[str, Mapping[str, Entry]],
    cases: Iterable[Case],
    config: InferConfig,
    met: Collection[str],
) -> list[str]:
    """Return the keys that are no case of the run, though all that it ran was to be met.

    Other precisions, batches and settings than were asked for, and engines that did not run on this
    device, are no matter of this run. An engine that nobody knows any more is.
    """
    ran = {(each.engine, settings_text(dict(each.options))) for each in cases}
    known = engines.registered()
    found = []
    unlisted = models.registered().keys() - models.listed().keys()  # experiments have these
    for model, entries in stored.items():
        if model in unlisted:
            continue
        for key in set(entries) - set(met):
            parts = id_parts(model, key)
            if parts is None:  # no key that was read is, see `checked_entry`
                continue
            is_asked = parts.precision in config.precisions and parts.batch in config.batches
            is_ran = (parts.engine, parts.settings) in ran or parts.engine not in known
            found += [key] if is_asked and is_ran else []
    return sorted(found)


def stale(entries: Mapping[str, Entry], records: Records) -> dict[str, list[str]]:
    """Return the keys whose entries were stored with something else, by what that is."""
    found: dict[str, list[str]] = {}
    for key, record in {each.case_id: each for each in records if each.runtime}.items():
        entry = entries.get(key)
        artefacts = [
            each.artefact for each in records if each.case_id == key and each.artefact is not None
        ]
        if entry and (change := _change(entry, record, artefacts)):
            found.setdefault(change, []).append(key)
    return {change: sorted(keys) for change, keys in sorted(found.items())}


def _change(entry: Entry, record: Record, artefacts: Sequence[str]) -> str:
    """Return what has changed since an entry was stored; empty if nothing has."""
    if not isinstance(entry.provenance, Measured):
        return ""
    before = {**entry.provenance.versions, "driver": entry.provenance.driver}
    after = {**record.runtime, "driver": record.device.get("driver", "")}
    changes = [
        f"{each.name} ({each.old} -> {each.new})"
        for each in changed_versions(before, after)
        if each.name != NO_RUNTIME
    ]
    if changes:
        return ", ".join(changes)
    stored = entry.gate.artefact if entry.gate else ""
    return "built engine" if stored and artefacts and stored != artefacts[-1] else ""


def _counted(keys: Sequence[str]) -> str:
    return f"{len(keys)} {'entry' if len(keys) == 1 else 'entries'}"


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - MOST_SHOWN} more" * (len(keys) > MOST_SHOWN)
    return ", ".join(keys[:MOST_SHOWN]) + more
