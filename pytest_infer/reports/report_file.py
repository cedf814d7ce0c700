"""Write the report to files: JSON for programs, Markdown and HTML for people."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.errors import OptionError
from pytest_infer.plain_text import plain_text
from pytest_infer.reports import sweep
from pytest_infer.reports.summary import (
    HEADINGS,
    RESOURCE_HEADINGS,
    resource_rows,
    rows_from_records,
)
from pytest_infer.reports.table import WIDE
from pytest_infer.reports.terminal import coverage_lines, tables_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.reports.counts import Coverage
    from pytest_infer.reports.record import Record

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"

SCHEMA = 1
TEXT_WIDTH = 160


def write_report(
    kind: str,
    path: Path,
    records: Sequence[Record],
    coverage: Coverage,
    earlier: Sequence[Record] = (),
) -> None:
    """Write one report; raise `OptionError` if its path cannot be written.

    Only JSON has the records of ``earlier`` attempts at tests, which count for nothing.
    """
    is_json = kind == "json"
    text = json_text(records, coverage, earlier) if is_json else WRITERS[kind](records, coverage)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_added = kind == "md" and _is_step_summary(path)
        mode = "a" if is_added else "w"
        with path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
            gap = "\n" if is_added and file.tell() else ""  # a table begins after a blank line
            file.write(gap + text)
    except OSError as error:
        raise OptionError(
            f"cannot write the report {path}",
            why=str(error),
            mend=f"name another file with --infer-report={kind}:PATH",
        ) from error


def _is_step_summary(path: Path) -> bool:
    """Return whether a path is the file to which the steps of a GitHub job append in turn."""
    named = os.environ.get(STEP_SUMMARY, "")
    return bool(named) and path.resolve() == Path(named).resolve()


def json_text(
    records: Sequence[Record],
    coverage: Coverage,
    earlier: Sequence[Record] = (),
) -> str:
    """Return every record, count and sweep over batches."""
    content = {
        "schema": SCHEMA,
        "coverage": coverage.as_dict(),
        "records": [each.as_dict() for each in records],
        "earlier_attempts": [each.as_dict() for each in earlier],
        "sweeps": [each.as_dict() for each in sweep.sweeps_from_records(records)],
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def markdown_text(records: Sequence[Record], coverage: Coverage) -> str:
    """Return the tables and the counts in Markdown."""
    sweeps = [cells for each in sweep.sweeps_from_records(records) for cells in each.cells()]
    counts = [f"- {_escaped(line)}" for line in coverage_lines(coverage, records)]
    lines = [
        *_table(HEADINGS, [row.cells() for row in rows_from_records(records)]),
        *(["", *_table(sweep.HEADINGS, sweeps)] if sweeps else []),
        *(["", *_table(RESOURCE_HEADINGS, rows)] if (rows := resource_rows(records)) else []),
        "",
        *counts,
    ]
    return "\n".join(lines) + "\n"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ("---",) * len(headings), *rows]
    return ["| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines]


def html_text(records: Sequence[Record], coverage: Coverage) -> str:
    """Return a page with the tables, the counts, and what failed or has no conclusion."""
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    texts = [
        *coverage_lines(coverage, records),
        *(
            f"\n{record.test}: {record.status}\n{record.message}"
            for record in records
            if record.status != "pass"
        ),
    ]
    console = Console(record=True, file=StringIO(), width=WIDE, highlight=False)
    for table in tables_of(records):
        console.print(table)
    for text in texts:
        console.print(Text(plain_text(text)), width=TEXT_WIDTH)
    return console.export_html(inline_styles=True)


def _escaped(text: str) -> str:
    """Return text in which Markdown finds no markup of tables, and no HTML."""
    escapes: dict[str, str | int | None] = {
        "\\": "\\\\",
        "|": "\\|",
        "<": "&lt;",
        "[": "\\[",
        "\n": " ",
    }
    return plain_text(text).translate(str.maketrans(escapes))


WRITERS = {"md": markdown_text, "html": html_text}
