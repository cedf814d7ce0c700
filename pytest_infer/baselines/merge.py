"""Bring together what several machines have stored of one device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_infer.baselines.entry import Measured
from pytest_infer.baselines.merged_timings import chosen_timings, store_timings
from pytest_infer.baselines.store import in_words, merge
from pytest_infer.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_infer.baselines.entry import Entry
    from pytest_infer.baselines.folder import Baselines, Fingerprint
    from pytest_infer.baselines.store import Change, Stored

Take: TypeAlias = Literal["newest", "into", "from"]
"""Whose entry is kept where two differ: the one that was measured later, or always one side's."""

MOST_SHOWN = 10


def merge_baselines(
    into: Path, sources: Sequence[Baselines], take: Take | None = None
) -> list[Change]:
    """Store every entry of ``sources`` in the folder ``into``; return what changed there.

    All or nothing: raise `BaselineError` if the devices differ, if figures are published, or if a
    key has other figures on two sides and ``take`` does not say which; the error names the keys.
    """
    device = _common_device(sources)
    sides = [{model: each.read(model) for model in each.models()} for each in sources]
    models = sorted({model for side in sides for model in side})
    timings = chosen_timings(into, sources, take)
    changes = merge(into, device, models, lambda there: _joined(into, [there, *sides], take))
    store_timings(into, device, timings)
    return changes


def _common_device(sources: Sequence[Baselines]) -> Fingerprint:
    first = sources[0]
    for source in sources:
        if source.is_published:
            why = f"{source.folder} holds published figures, which are no machine's"
        elif source.fingerprint != first.fingerprint:
            why = (
                f"{source.folder} is of {in_words(source.fingerprint)}, "
                f"{first.folder} of {in_words(first.fingerprint)}"
            )
        else:
            continue
        raise BaselineError(
            "cannot merge baselines", why=why, mend="merge folders of one device at a time"
        )
    return first.fingerprint


def _joined(into: Path, sides: Iterable[Stored], take: Take | None) -> Stored:
    """Return the entries of all sides; raise `BaselineError` where nothing says whose."""
    joined: dict[str, dict[str, Entry]] = {}
    conflicts = []
    for side in sides:
        for model, entries in side.items():
            known = joined.setdefault(model, {})
            for key, entry in entries.items():
                chosen = _chosen(known.get(key, entry), entry, take)
                known[key] = chosen or entry
                conflicts += [] if chosen else [key]
    if conflicts:
        keys = sorted(set(conflicts))
        more = f" and {len(keys) - MOST_SHOWN} more" * (len(keys) > MOST_SHOWN)
        raise BaselineError(
            f"cannot merge baselines into {into}",
            why=f"they have other figures for {', '.join(keys[:MOST_SHOWN])}{more}",
            mend="say whose: --take=newest (measured later), --take=into or --take=from",
        )
    return joined


def _chosen(old: Entry, new: Entry, take: Take | None) -> Entry | None:
    """Return the entry to keep, None if that is not said."""
    if (old.figures, old.gate) == (new.figures, new.gate) or take == "into":
        return old
    if take == "from":
        return new
    dates = _date(old), _date(new)
    if take is None or dates[0] == dates[1]:
        return None
    return max(old, new, key=_date)


def _date(entry: Entry) -> str:
    """Return the day on which an entry was measured; ISO 8601 sorts as it is."""
    return entry.provenance.date if isinstance(entry.provenance, Measured) else ""
