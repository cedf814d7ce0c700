"""``pytest-infer report``: make other reports of a JSON report; describe its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.commands.printed import print_text
from pytest_infer.errors import OptionError
from pytest_infer.reports.history import read_history
from pytest_infer.reports.report_file import WRITERS, write_text
from pytest_infer.reports.result_file import read_result
from pytest_infer.reports.schema import json_schema

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction


def add_commands(nouns: _SubParsersAction[ArgumentParser]) -> None:
    """Add this noun's command."""
    told = "make a page, Markdown or another report of a JSON report"
    noun = nouns.add_parser("report", help=told, description=told)
    noun.add_argument("result", metavar="RESULT.json", type=Path, nargs="?")
    for kind in WRITERS:
        noun.add_argument(f"--{kind}", metavar="PATH", type=Path)
    noun.add_argument("--past", metavar="PATH", type=Path, help="a history that the page shows")
    noun.add_argument(
        "--schema", action="store_true", help="print the JSON Schema, and nothing else"
    )
    noun.set_defaults(run=_report)


def _report(options: Namespace) -> int:
    if options.schema:
        print_text(json.dumps(json_schema(), indent=2))
        return 0
    chosen = {kind: getattr(options, kind) for kind in WRITERS if getattr(options, kind)}
    if options.result is None or not chosen:
        raise OptionError(
            "nothing is to be made",
            why="no JSON report is named" if options.result is None else "no report is named",
            mend="for example: pytest-infer report run.json --html page.html",
        )
    over = next((path for path in chosen.values() if _is_same(path, options.result)), None)
    if over:
        raise OptionError(
            f"{over} is the report that is read",
            why="it would be written over",
            mend="name another file",
        )
    result = read_result(options.result)
    if options.past:
        result = replace(result, history=read_history(options.past))
    try:
        texts = {kind: WRITERS[kind](result) for kind in chosen}
    except (LookupError, TypeError, AttributeError) as error:  # details have no schema
        raise OptionError(
            f"cannot use {options.result}",
            why=f"what its details hold was not written by this version ({type(error).__name__}: "
            f"{error})",
            mend="name a file that --infer-report=json:PATH has written",
        ) from error
    for kind, path in chosen.items():
        write_text(kind, path, texts[kind], option=f"--{kind} PATH")
        print_text(f"report: {path}")
    return 0


def _is_same(first: Path, second: Path) -> bool:
    return first.resolve() == second.resolve()
