"""``pytest-infer``: run the suites, list engines, look after baselines, the cache and reports."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from pytest_infer.border import border
from pytest_infer.commands import (
    artifacts,
    baselines,
    cache,
    compare,
    explain,
    history,
    report,
    suites,
)
from pytest_infer.errors import InferError

if TYPE_CHECKING:
    from collections.abc import Sequence

NOUNS = (suites, explain, baselines, cache, report, compare, history, artifacts)

TROUBLE = 2
"""The exit status of an error, as argparse's own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = ArgumentParser("pytest-infer", description=__doc__)
    nouns = parser.add_subparsers(required=True)
    for noun in NOUNS:
        noun.add_commands(nouns)
    nouns.metavar = "|".join(nouns.choices)
    options = parser.parse_args(arguments)
    try:
        with border("run the command"):
            status: int = options.run(options)
    except InferError as error:
        sys.stderr.write(f"{error}\n")
        return TROUBLE
    return status


if __name__ == "__main__":
    sys.exit(main())
