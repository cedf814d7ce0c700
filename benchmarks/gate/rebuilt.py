"""Put verdicts on engines that were built again into the page of results.

    python benchmarks/gate/rebuilt.py [--keep MACHINE=REPORT.json ...]

Each kept verdict is judged by today's rule, from what was measured and what was stored then.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from dataclasses import replace
from math import exp, log
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from evaluate_pairs import table

from pytest_infer.judges.gate import Stored, decide
from pytest_infer.judges.terms import GPU, LAUNCH_BOUND, OTHER_CLOCK, OTHER_GPU, with_rebuild
from pytest_infer.timing.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer.judges.gate import Decision

HERE = Path(__file__).parent
DATA = HERE / "data" / "rebuilt-h200.jsonl"
PAGE = HERE.parents[1] / "docs" / "results" / "gate.md"
BEGIN, END = "<!-- rebuilt: begin -->", "<!-- rebuilt: end -->"

TERMS = {
    terms.name: terms
    for each in (GPU, OTHER_GPU, replace(OTHER_GPU, by_kernel=True), OTHER_CLOCK, LAUNCH_BOUND)
    for terms in (each, with_rebuild(each))
}
"""By their names; of two of one name the last one stays, by which TensorRT's plans are judged."""


def kept(machine: str, report: Path) -> Iterator[dict[str, Any]]:
    """Yield a line for each verdict of the gate in a report."""
    content = json.loads(report.read_text())
    for record in content["records"]:
        compared = record["details"].get("compared")
        if compared and record["case"]["engine"] == "trt":
            yield {
                "machine": machine,
                "started": content["run"]["started"],
                "case": record["case_id"],
                "terms": compared["terms"],
                "stored": compared["stored"],
                "now": compared["now"],
            }


def judged(line: dict[str, Any]) -> Decision | None:
    """Return what today's rule says of a kept verdict."""
    stored = Stored(
        *([each[name] for each in line["stored"]] for name in ("theta", "rho", "engine_ms"))
    )
    looks = [
        Measurement(
            theta=each["theta"],
            rho=each["rho"],
            engine_ms=each["engine_ms"],
            kept=each["rounds"],
            dropped={},
            duet=each["duet"],
        )
        for each in line["now"]
    ]
    return decide(stored, looks, TERMS[line["terms"]])


def by_case(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of a table in Markdown: a row for each case and kind of comparison."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for each in lines:
        groups[each["case"], each["terms"]].append(each)
    headings = (
        *("case", "compared on", "machines", "verdicts", "over the fixed kernel, mean"),
        *("the furthest", "the time itself, mean", "over the reference net"),
    )
    rows = []
    for (case, terms), group in sorted(groups.items()):
        found = [judged(each) for each in group]
        outcomes = Counter(each.outcome if each else "another look" for each in found)
        changes = [each.change for each in found if each]
        ratios = [each.ratio_change for each in found if each]
        times = [_time_change(each) for each in group]
        machines = sorted({each["machine"] for each in group})
        cells = (
            case,
            terms,
            " ".join(machines),
            ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())),
            f"{fmean(changes):+.2%}",
            f"{max(changes, key=abs):+.2%}",
            f"{fmean(times):+.2%}",
            f"{min(ratios):+.1%} to {max(ratios):+.1%}",
        )
        rows.append(cells)
    return table(headings, rows)


def _time_change(line: dict[str, Any]) -> float:
    """Return by how much the engine's time itself differs from the stored one, as a share."""
    sides = (fmean(log(each["engine_ms"]) for each in line[name]) for name in ("now", "stored"))
    now, before = sides
    return exp(now - before) - 1


def main() -> None:
    """Keep what is given, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", nargs="+", default=[], metavar="MACHINE=REPORT")
    with DATA.open("a") as file:
        for each in parser.parse_args().keep:
            machine, _, report = each.partition("=")
            file.writelines(json.dumps(line) + "\n" for line in kept(machine, Path(report)))
    lines = [json.loads(line) for line in DATA.read_text().splitlines()]
    head, rest = PAGE.read_text().split(BEGIN)
    text = "\n".join((BEGIN, *by_case(lines), END))
    PAGE.write_text(head + text + rest.split(END)[1])


if __name__ == "__main__":
    main()
