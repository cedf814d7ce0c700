"""Write docs/results/seeds.md and its charts from the figures that are kept in this repository.

python tools/seeds_page.py [--check] [--keep REPORT.json ...]
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from seeds_parts.data import DATA, by_device, keep, read_runs
from seeds_parts.markdown import link, points, table
from seeds_parts.sections import charts_of, values_of

if TYPE_CHECKING:
    from seeds_parts.data import Run

ROOT = Path(__file__).parents[1]
FOLDER = "docs/results"
PAGE = "seeds.md"
TEMPLATE = "page.md.jinja"


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with ``--check`` name those that are out of date; return 1 for any."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument(
        "--keep",
        nargs="+",
        type=Path,
        default=[],
        metavar="REPORT",
        help="JSON reports to keep for the page, without this machine's name and folders",
    )
    options = parser.parse_args(arguments)
    for path in options.keep:
        keep(path, ROOT)
    files = made_files(ROOT)
    if options.check:
        stale = stale_files(ROOT / FOLDER, files)
        sys.stdout.writelines(f"out of date: {FOLDER}/{name}\n" for name in stale)
        return 1 if stale else 0
    for name, text in files.items():
        (ROOT / FOLDER / name).write_text(text)
    return 0


def made_files(root: Path) -> dict[str, str]:
    """Return the text of each file that belongs to the page, by name."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    runs = read_runs(root)
    if not runs:
        raise ValueError(f"{DATA} has no seeds-*.json: nothing was measured")
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "seeds_parts"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - it writes Markdown, of our own files
        keep_trailing_newline=True,
    )
    page = templates.get_template(TEMPLATE).render(
        runs=_runs(runs), lacks=_lacks(runs), **values_of(root, runs)
    )
    return {PAGE: page, **charts_of(root, runs)}


def stale_files(folder: Path, files: dict[str, str]) -> list[str]:
    """Return the names of the files that are missing or hold another text."""
    return [
        name
        for name, text in files.items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
    ]


def _runs(runs: list[Run]) -> str:
    rows = [
        (
            link(each.file),
            each.device + (f", {each.cores} core{'s' * (each.cores > 1)}" if each.cores else ""),
            ", ".join(f"{name} {version}" for name, version in each.versions.items()),
            f"{each.started[:16].replace('T', ' ')} UTC"
            + (f"; {each.ended_early}" if each.ended_early else ""),
            f"`{each.command}`",
        )
        for each in runs
    ]
    return table(("measured here", "device", "versions", "started", "command"), rows)


def _lacks(runs: list[Run]) -> str:
    """Return what could not run on each device, by the reasons."""
    parts = []
    for device, group in by_device(runs).items():
        lacks: dict[str, dict[str, None]] = {}
        for what, why in (lack for each in group for lack in each.lacks):
            lacks.setdefault(why, {})[what] = None
        if lacks:
            told = points(f"{why}: {', '.join(whats)}" for why, whats in lacks.items())
            parts.append(f"Could not run on {device}:\n\n{told}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
