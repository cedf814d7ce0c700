"""Show the rows of the report in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.reports import accuracy, against, layer_losses, profile, sweep
from pytest_infer.reports.caveats import MOST_SHOWN, listed
from pytest_infer.reports.columns import DISPENSABLE
from pytest_infer.reports.narrow import narrow
from pytest_infer.reports.run_info import SHORT_COMMIT
from pytest_infer.reports.summary import (
    HEADINGS,
    RESOURCE_HEADINGS,
    counts_of,
    resource_rows,
    rows_from_records,
)
from pytest_infer.reports.table import COLORS, WIDE, _empty, filled_table
from pytest_infer.units import BYTES_PER_MB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from pytest_infer.reports.counts import Coverage
    from pytest_infer.reports.narrow import Narrow
    from pytest_infer.reports.record import Record
    from pytest_infer.reports.run_info import RunInfo


def tables_of(
    records: Sequence[Record], *, is_verbose: bool = True, width: int = WIDE
) -> list[Table]:
    """Return every table that has something to show; that of resources if ``is_verbose``."""
    if not records:
        return []
    return [
        *case_tables(records, width),
        *filter(None, [sweep_table(records)]),
        *against_tables(records, width),
        *accuracy_tables(records, width),
        *filter(None, [loss_table(records)]),
        *(resource_tables(records, width) if is_verbose else ()),
    ]


def case_tables(records: Sequence[Record], width: int = WIDE) -> list[Table]:
    """Return the table of all cases, or one per model where it would be wider than ``width``."""
    found = rows_from_records(records)
    fitted = narrow(HEADINGS, [row.cells() for row in found], width, DISPENSABLE)
    return _drawn(fitted, {row.status: COLORS[row.status] for row in found})


def _drawn(fitted: Narrow, colors: Mapping[str, str] | None = None) -> list[Table]:
    """Return a table for each section, and the notes under the last one.

    ``colors`` are those of the last column, by the word it begins with.
    """
    from rich.text import Text

    tables = []
    for title, rows in fitted.sections:
        table = _empty(fitted.headings, title=title)
        for *cells, last in rows:
            # as Text, since brackets in a str would be markup
            style = (colors or {}).get(last.partition(":")[0], "")
            table.add_row(*map(Text, cells), Text(last, style=style))
        tables.append(table)
    if fitted.notes:
        tables[-1].caption = Text("\n".join(fitted.notes), no_wrap=True, overflow="ignore")
    return tables


def origin_line(records: Sequence[Record], run: RunInfo) -> str:
    """Return what the figures are worth nothing without: device, versions, commit, time."""
    devices = sorted({str(each.device.get("name", "")) for each in records} - {""})
    versions = {
        f"{name} {version}"
        for each in records
        for name, version in each.runtime.items()
        if name != "python" and version
    }
    commit = run.commit[:SHORT_COMMIT] + ("+changes" if run.dirty else "")
    parts = [
        " and ".join(devices),
        ", ".join(sorted(versions)),
        f"commit {commit}" if run.commit else "",
        f"{run.started[:16].replace('T', ' ')} UTC" if run.started else "",
    ]
    return "; ".join(part for part in parts if part)


def sweep_table(records: Sequence[Record]) -> Table | None:
    """Return the table of what was timed at several batches, a section each; None without any."""
    sections = [each.cells() for each in sweep.sweeps_from_records(records)]
    return filled_table(sweep.HEADINGS, sections) if sections else None


def against_tables(records: Sequence[Record], width: int = WIDE) -> list[Table]:
    """Return the tables of engines in two environments; none if nothing was compared."""
    cells = against.against_cells(records)
    return _drawn(narrow(*cells, width, against.DISPENSABLE)) if cells else []


def accuracy_tables(records: Sequence[Record], width: int = WIDE) -> list[Table]:
    """Return the tables of answers to held-out rows; none if none were judged."""
    cells = accuracy.accuracy_cells(records)
    return _drawn(narrow(*cells, width, accuracy.DISPENSABLE)) if cells else []


def loss_table(records: Sequence[Record]) -> Table | None:
    """Return the table of the layers that lose most in int8; None if that was not measured."""
    sections = layer_losses.loss_cells(records)
    return filled_table(layer_losses.HEADINGS, sections) if sections else None


def resource_tables(records: Sequence[Record], width: int = WIDE) -> list[Table]:
    """Return the tables of sizes, build and load times and memory; none if nothing is known."""
    rows = resource_rows(records)
    return _drawn(narrow(RESOURCE_HEADINGS, rows, width)) if rows else []


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
            f"no case of this run fits the marks of: {listed(_functions(coverage.without_case))}"
        )
    if coverage.once:
        lines.append(
            f"{coverage.once} checks left to --infer-thorough: without it they are made once per "
            "engine, on the smallest model"
        )
    if coverage.unasked:
        lines.append(_unasked(coverage.unasked))
    if coverage.uncompared:
        lines.append(_uncompared(coverage.uncompared))
    if coverage.unevaluated:
        lines.append(_unevaluated(coverage.unevaluated))
    if coverage.experiments:
        command = coverage.experiments_command
        lines.append(f"{coverage.experiments} experiments of the articles left to: {command}")
    lines += against.changed_lines(records)
    lines += [
        f"files: {size_bytes / BYTES_PER_MB:.1f} MB sent to {machine}"
        for machine, size_bytes in sorted(coverage.sent_bytes.items())
    ]
    lines += layer_losses.loss_lines(records)
    lines += profile.profile_lines(records)
    lines += _unclear(records)
    lines += [f"notice: {notice}" for notice in coverage.notices]
    lines += [_exclusion(each) for each in coverage.exclusions]
    return lines


def codes_line(records: Sequence[Record]) -> list[str]:
    """Return how to look up the codes of what did not pass; nothing if all passed."""
    codes = sorted({record.code for record in records if record.status != "pass"})
    return [f"codes: pytest-infer explain {' '.join(codes[:MOST_SHOWN])}"] if codes else []


def _unasked(number: int) -> str:
    tests = f"{number} shape-fuzzing test{'s' * (number > 1)}"
    return f"{tests} not selected; run {'them' if number > 1 else 'it'} with -m fuzz"


def _uncompared(number: int) -> str:
    tests = f"{number} comparison{'s' * (number > 1)} of environments"
    return (
        f"{tests} not selected; run {'them' if number > 1 else 'it'} with "
        "--infer-against=ENGINE=SPEC"
    )


def _unevaluated(number: int) -> str:
    tests = f"{number} test{'s' * (number > 1)} of accuracy"
    return f"{tests} not selected; no model of this run has an evaluation set (evaluation=)"


def _functions(nodeids: Sequence[str]) -> list[str]:
    """Return tests without their parameters."""
    return list(dict.fromkeys(each.partition("[")[0] for each in nodeids))


def _probes(seconds: Mapping[str, float]) -> str:
    models = f"{len(seconds)} model{'s' * (len(seconds) > 1)}"
    took = f"{sum(seconds.values()):.1f} s"
    return f"{models} called once to see whether code or data has changed: {took}"


def _exclusion(each: dict[str, Any]) -> str:
    number, lack = each["cases"], each["lack"]
    cases = f"{number} case{'s' * (number > 1)}"
    why = lack["why"].partition("\n")[0]  # the report of a test has the rest
    return f"could not run: {each['what']} ({cases}): {why}; mend: {lack['mend']}"


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
