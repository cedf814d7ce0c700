"""Show the rows of the report in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.plain_text import plain_text
from pytest_infer.reports import sweep
from pytest_infer.reports.summary import (
    HEADINGS,
    RESOURCE_HEADINGS,
    counts_of,
    resource_rows,
    rows_from_records,
)
from pytest_infer.reports.table import COLORS, _empty, filled_table
from pytest_infer.units import BYTES_PER_MB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from pytest_infer.reports.counts import Coverage
    from pytest_infer.reports.record import Record

MOST_SHOWN = 5


def tables_of(records: Sequence[Record], *, is_verbose: bool = True) -> list[Table]:
    """Return every table that has something to show; that of resources if ``is_verbose``."""
    if not records:
        return []
    others = (sweep_table(records), resource_table(records) if is_verbose else None)
    return [table_of(records), *(table for table in others if table)]


def table_of(records: Sequence[Record]) -> Table:
    """Return the table of all cases."""
    from rich.text import Text

    table = _empty(HEADINGS)
    for row in rows_from_records(records):
        *cells, verdict = map(plain_text, row.cells())
        # as Text, since brackets in a str would be markup
        table.add_row(*map(Text, cells), Text(verdict, style=COLORS[row.status]))
    return table


def sweep_table(records: Sequence[Record]) -> Table | None:
    """Return the table of what was timed at several batches, a section each; None without any."""
    sections = [each.cells() for each in sweep.sweeps_from_records(records)]
    return filled_table(sweep.HEADINGS, sections) if sections else None


def resource_table(records: Sequence[Record]) -> Table | None:
    """Return the table of sizes, build and load times and memory; None if nothing is known."""
    rows = resource_rows(records)
    return filled_table(RESOURCE_HEADINGS, [rows]) if rows else None


def coverage_lines(coverage: Coverage, records: Sequence[Record]) -> list[str]:
    """Return what ran, what did not, and why."""
    verdicts = ", ".join(f"{number} {status}" for status, number in counts_of(records).items())
    lines = [
        (
            f"{coverage.ran} of {coverage.expected} checks ran, "
            f"{coverage.narrowed} narrowed away by marks; verdicts: {verdicts or 'none'}"
        ),
        f"engines: {coverage.built} built, {coverage.reused} found in the cache",
    ]
    random = sorted(model for model, kind in coverage.weights.items() if kind == "random")
    if random:
        lines.insert(0, f"random weights, as the constructor draws them: {', '.join(random)}")
    if coverage.probe_s:
        lines.append(_probes(coverage.probe_s))
    if coverage.repeated:
        lines.append(f"earlier attempts: {coverage.repeated}; of each test the last one counts")
    if coverage.without_case:
        lines.append(
            f"no case of this run is left by the marks of: {_listed(coverage.without_case)}"
        )
    if coverage.unasked:
        lines.append(_unasked(coverage.unasked))
    lines += [
        f"files: {size_bytes / BYTES_PER_MB:.1f} MB sent to {machine}"
        for machine, size_bytes in sorted(coverage.sent_bytes.items())
    ]
    lines += _unclear(records)
    lines += [f"notice: {notice}" for notice in coverage.notices]
    lines += [_exclusion(each) for each in coverage.exclusions]
    return lines


def _unasked(number: int) -> str:
    tests = f"{number} shape-fuzzing test{'s' * (number > 1)}"
    return f"{tests} not selected; run {'them' if number > 1 else 'it'} with -m fuzz"


def _probes(seconds: Mapping[str, float]) -> str:
    models = f"{len(seconds)} model{'s' * (len(seconds) > 1)}"
    return f"probes: {models} answered as they are now, in {sum(seconds.values()):.1f} s"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" * (len(names) > MOST_SHOWN)
    return ", ".join(names[:MOST_SHOWN]) + more


def _exclusion(each: dict[str, Any]) -> str:
    number, lack = each["cases"], each["lack"]
    cases = f"{number} case{'s' * (number > 1)}"
    return f"could not run: {each['what']} ({cases}): {lack['why']}; mend: {lack['mend']}"


def _unclear(records: Sequence[Record]) -> list[str]:
    """Return the first message of each kind of verdict that is neither a pass nor a failure."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if record.status in {"inconclusive", "known", "new"}:
            kinds.setdefault((record.status, record.code), []).append(record.message)
    return [
        f"{status}: {messages[0]}" + (f" (and {len(messages) - 1} more)" if messages[1:] else "")
        for (status, _), messages in kinds.items()
    ]
