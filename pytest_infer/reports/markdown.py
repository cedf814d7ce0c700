"""The report in Markdown: for the summary of a CI job, a pull request or an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.plain_text import plain_text
from pytest_infer.reports import accuracy, against, layer_losses, sweep
from pytest_infer.reports.caveats import caveats, stop_line
from pytest_infer.reports.message import parts_of
from pytest_infer.reports.run_info import SHORT_COMMIT
from pytest_infer.reports.summary import (
    HEADINGS,
    RESOURCE_HEADINGS,
    resource_rows,
    rows_from_records,
    status_counts,
)
from pytest_infer.reports.terminal import coverage_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.reports.record import Record
    from pytest_infer.reports.result import Result
    from pytest_infer.reports.run_info import RunInfo

SIGNS = {"fail": "❌", "inconclusive": "❔", "known": "☑️", "new": "🆕", "pass": "✅"}

MOST_FAILURES = 50
"""GitHub cuts a summary of more than 1 MiB as a whole."""

_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        "|": "\\|",
        "<": "&lt;",
        "[": "\\[",
        "`": "\\`",
        "*": "\\*",
        "~": "\\~",
        "@": "@<!-- -->",  # a name after it is nobody to be told
        "#": "#<!-- -->",
        "\n": " ",
    }
)


def markdown_text(result: Result) -> str:
    """Return how the run ended, what failed and why, the tables and the counts."""
    records = result.records
    sweeps = [cells for each in sweep.sweeps_from_records(records) for cells in each.cells()]
    judged = accuracy.accuracy_cells(records)
    losses = [cells for section in layer_losses.loss_cells(records) for cells in section]
    compared, resources = against.against_cells(records), resource_rows(records)
    told = caveats(records) + coverage_lines(result.coverage, records)
    counts = [f"- {escaped(line)}" for line in told]
    blocks = [
        [headline(result), *_origin(result.run)],
        failure_lines(records),
        table(HEADINGS, [row.cells() for row in rows_from_records(records)]),
        table(sweep.HEADINGS, sweeps) if sweeps else [],
        table(*compared) if compared else [],
        table(layer_losses.HEADINGS, losses) if losses else [],
        table(*judged) if judged else [],
        table(RESOURCE_HEADINGS, resources) if resources else [],
        counts,
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def headline(result: Result) -> str:
    """Return one line that says how the run ended, by cases: no tick where a part is missing."""
    counts = status_counts(row.status for row in rows_from_records(result.records))
    worst, stop = next(iter(counts), "new"), stop_line(result)
    sign = SIGNS["inconclusive" if stop and worst in {"pass", "new"} else worst]
    told = ", ".join(f"{number} {status}" for status, number in counts.items())
    parts = [escaped(stop), told or "no case was judged"]
    return f"### {sign} pytest-infer: {'; '.join(filter(None, parts))}"


def _origin(run: RunInfo) -> list[str]:
    """Return when and from what the run was made; nothing if that is unknown."""
    if not run.started:
        return []
    dirty = " with changes" if run.dirty else ""
    commit = f", commit {run.commit[:SHORT_COMMIT]}{dirty}" if run.commit else ""
    told = f"{run.started}{commit}, pytest-infer {run.plugin}: {run.command}"
    return ["", escaped(told)]


def failure_lines(records: Sequence[Record]) -> list[str]:
    """Return every failure as an item: what, and below it why and the mend."""
    failures = [record for record in records if record.status == "fail"]
    lines = []
    for record in failures[:MOST_FAILURES]:
        what, parts = parts_of(record.message)
        lines.append(f"- **{escaped(what)}** ({escaped(record.test)})")
        lines += [f"  - {label}: {escaped(text)}" for label, text in parts]
    left = len(failures) - MOST_FAILURES
    return lines + ([f"- and {left} more, which the other reports have"] if left > 0 else [])


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [headings, ("---",) * len(headings), *rows]
    return ["| " + " | ".join(escaped(cell) for cell in line) + " |" for line in lines]


def escaped(text: str) -> str:
    """Return text on one line in which Markdown finds no markup, link or HTML."""
    return plain_text(text).translate(_ESCAPES)
