"""Put the error rates of ``--infer-against`` into its page, from what `pairs` has collected.

    python benchmarks/gate/evaluate_pairs.py benchmarks/gate/data/pairs-cpu.jsonl --update

The verdicts of the first table are those that were reached, each of separate processes. For the
second, whole pairs of one case and load are drawn with replacement and judged by the same rule,
slower by a share that is added. Inconclusive counts as a loss.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from math import log
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from pytest_infer.judges.against import CPU_PAIRS, MOST_TRIES, decide
from pytest_infer.timing.pair import Pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "upgrades.md"
BEGIN, END = "<!-- pairs: begin -->", "<!-- pairs: end -->"

DRAWS = 1000
"""Per case and load."""

SLOWDOWNS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.10)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return what was collected."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table in Markdown."""
    shown = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join(map(str, row)) + " |" for row in shown] + [""]


def reached(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return the table of verdicts as they were reached, by slowdown and load."""
    groups: dict[tuple[float, str], list[dict[str, Any]]] = defaultdict(list)
    for each in found:
        _, _, load, slowed, _ = each["key"]
        groups[slowed, load].append(each)
    rows = []
    for (slowed, load), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1])):
        outcomes = Counter(each["outcome"] for each in group)
        pairs = [pair for each in group for pair in each["pairs"]]
        spread = fmean((pair["change"] - log(1 + slowed)) ** 2 for pair in pairs) ** 0.5
        rows.append(
            (
                f"{slowed:+.0%}",
                "beside the neighbour" if load == "neighbour" else "without it",
                len(group),
                ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())),
                f"{median(each['change'] for each in group):+.2%}",
                f"{spread:.2%}",
                f"{fmean(len(each['pairs']) for each in group):.1f}",
                f"{median(each['elapsed_s'] for each in group):.0f} s",
            )
        )
    headings = (
        *("new is slower by", "load", "verdicts", "which", "median change"),
        *("sd of a pair", "pairs", "time per case"),
    )
    return table(headings, rows)


def drawn(found: Sequence[dict[str, Any]], random: Random) -> list[str]:
    """Return the table of what the rule says of drawn pairs, by slowdown."""
    pools: dict[tuple[str, str], list[float]] = defaultdict(list)
    for each in found:
        _, case, load, slowed, _ = each["key"]
        if not slowed:
            pools[case, load] += [pair["change"] for pair in each["pairs"]]
    rows = []
    for cases in (1, 24):
        shares = []
        for slowdown in SLOWDOWNS:
            outcomes = Counter(
                judged(pool, slowdown, random, cases)
                for pool in pools.values()
                for _ in range(DRAWS)
            )
            shares.append(outcomes["regressed"] / outcomes.total())
        name = "one case" if cases == 1 else f"as one of {cases} cases"
        rows.append((name, *(f"{share:.1%}" for share in shares)))
    return table(("reported as regressed", *(f"{each:+.0%}" for each in SLOWDOWNS)), rows)


def judged(pool: Sequence[float], slowdown: float, random: Random, cases: int) -> str:
    """Return the outcome of pairs that are drawn until the rule decides."""
    pairs: list[Pair] = []
    for _ in range(MOST_TRIES):
        change = random.choice(pool) + log(1 + slowdown)
        pairs.append(Pair(change, new_ms=1.0, old_ms=1.0, kept=100))
        if decision := decide(pairs, CPU_PAIRS, cases=cases):
            return decision.outcome
    raise RuntimeError("the rule did not decide")


def text_of(found: Sequence[dict[str, Any]]) -> str:
    """Return what stands in the page."""
    random = Random(0)
    first = found[0]
    versions = ", ".join(
        f"{name} {version}"
        for name, version in sorted(
            {pair for each in found for pair in each["versions"].items() if pair[1]}
        )
    )
    dates = sorted({each["when"][:10] for each in found})
    pairs = sum(len(each["pairs"]) for each in found)
    head = (
        f"{first['device']}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, in both "
        f"environments {versions}: {len(found)} verdicts of {pairs} pairs."
    )
    return "\n".join([head, "", *reached(found), *drawn(found, random)])


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    text = text_of(lines_of(options.data))
    if not options.update:
        print(text)
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


if __name__ == "__main__":
    main()
