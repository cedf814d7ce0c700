"""``pytest-infer baselines``: merge folders of several machines, compare two."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pytest_infer.baselines.chosen import shipped_folder
from pytest_infer.baselines.difference import change_table, difference_table, differences
from pytest_infer.baselines.merge import Take, merge_baselines
from pytest_infer.baselines.search import destination, resolve
from pytest_infer.baselines.timings import timing_differences
from pytest_infer.commands.printed import print_text
from pytest_infer.config import InferConfig
from pytest_infer.reports.table import rendered

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

DIFFERENT = 1
"""The exit status of two folders that differ, as diff's."""

DESCRIPTION = """Folders of baselines are named as --gpu-baseline names them: NAME in --folder
or among the shipped ones, or a PATH with a separator in it."""


def add_commands(nouns: _SubParsersAction[ArgumentParser]) -> None:
    """Add this noun's commands."""
    noun = nouns.add_parser("baselines", help="merge folders of baselines, or compare two")
    verbs = noun.add_subparsers(metavar="merge|diff", required=True)
    merge = _verb(verbs, "merge", "store what other folders hold of the same device, or nothing")
    merge.add_argument("into", metavar="INTO", help="the folder that is written; it may be new")
    merge.add_argument("sources", metavar="FROM", nargs="+", help="a folder that is read")
    merge.add_argument(
        "--take", choices=get_args(Take), help="whose figures are kept where two sides differ"
    )
    merge.set_defaults(run=_merge)
    diff = _verb(verbs, "diff", "show what differs; the exit status is 1 if anything does")
    diff.add_argument("old", metavar="A")
    diff.add_argument("new", metavar="B")
    diff.set_defaults(run=_diff)


def _verb(verbs: _SubParsersAction[ArgumentParser], name: str, told: str) -> ArgumentParser:
    verb = verbs.add_parser(
        name,
        help=told,
        description=f"{told}\n\n{DESCRIPTION}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    verb.add_argument(
        "--folder", type=Path, default=InferConfig.baselines, help="default: baselines"
    )
    return verb


def _merge(options: Namespace) -> int:
    """Merge, and print what became of the folder that was written."""
    folders = (options.folder, shipped_folder())
    sources = [resolve(each, folders) for each in options.sources]
    into = destination(options.into, options.folder)
    changes = merge_baselines(into, sources, options.take)
    told = f"stored in {into}: {len(changes)} entries"
    print_text(f"{told}\n{rendered(change_table(changes))}" if changes else told)
    return 0


def _diff(options: Namespace) -> int:
    """Print the differences, and the devices if they are two."""
    folders = (options.folder, shipped_folder())
    old, new = resolve(options.old, folders), resolve(options.new, folders)
    lines = [
        f"{each.folder}: {each.fingerprint}"
        for each in (old, new)
        if old.fingerprint != new.fingerprint
    ]
    found = differences(old, new)
    if found:
        lines.append(rendered(difference_table(found)))
    lines += timing_differences(old.folder, new.folder)
    print_text("\n".join(lines) or "no difference")
    return DIFFERENT if lines else 0
