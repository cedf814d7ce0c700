"""``pytest-infer compare``: two JSON reports side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.commands.printed import print_text
from pytest_infer.reports.compare import (
    HEADINGS,
    headline_of,
    layer_lines,
    markdown_of,
    origins,
    pairs_of,
)
from pytest_infer.reports.report_file import write_text
from pytest_infer.reports.result_file import read_result
from pytest_infer.reports.table import filled_table, rendered

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

WORSE = 1
"""The exit status where a case has a worse verdict than before."""


def add_commands(nouns: _SubParsersAction[ArgumentParser]) -> None:
    """Add this noun's command."""
    told = (
        "show two JSON reports side by side; the exit status is 1 if a verdict became worse, or if "
        "a case fails that was not there"
    )
    noun = nouns.add_parser("compare", help=told, description=told)
    noun.add_argument("old", metavar="A.json", type=Path)
    noun.add_argument("new", metavar="B.json", type=Path)
    noun.add_argument("--md", action="store_true", help="print Markdown, for a pull request")
    noun.add_argument("--html", metavar="PATH", type=Path, help="write a page, too")
    noun.set_defaults(run=_compare)


def _compare(options: Namespace) -> int:
    old, new = read_result(options.old), read_result(options.new)
    pairs, told = pairs_of(old, new), origins(old, new)
    if options.md:
        print_text(markdown_of(pairs, told, layer_lines(old, new)))
    else:
        lines = [headline_of(pairs)]
        lines += [f"{name}: {before} -> {after}" for name, before, after in told]
        cells = [pair.cells() for pair in pairs]
        print_text("\n".join([*lines, rendered(filled_table(HEADINGS, [cells]))]))
        for line in layer_lines(old, new):
            print_text(line)
    if options.html:
        from pytest_infer.reports.page.comparison import comparison_text

        names = str(options.old), str(options.new)
        write_text("html", options.html, comparison_text(old, new, names), option="--html PATH")
    return WORSE if any(pair.is_worse for pair in pairs) else 0
