"""The gate's error rates from collected measurements: a table, and a plot of its power.

    python benchmarks/gate/evaluate.py benchmarks/gate/data/cpu.jsonl --update

Baseline and candidate come from different windows. Whole measurements are drawn, never calls: a
baseline of 5 from one window, then as many looks of another as the decision asks for. A slowdown is
a shift of the candidates' ratios, or a net with more layers. The rivals have one process each, the
same engine called alone for about as long. Inconclusive is counted apart, and is a loss.
``--update`` writes the table into docs/results/gate.md, with the plot beside it (matplotlib).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from functools import partial
from math import exp, log, nan
from pathlib import Path
from random import Random
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any

from pytest_infer.judges.gate import STORED_MEASUREMENTS, Stored, measure_until_decided
from pytest_infer.session.gate_terms import PROTOCOL, terms_of
from pytest_infer.session.gate_timer import Setting
from pytest_infer.stored_gate import Gate, StoredMeasurement
from pytest_infer.timing.measurement import Measurement
from pytest_infer.timing.samples import LAUNCH_BOUND_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


DOCS = Path(__file__).parents[2] / "docs" / "results"
TRIALS = 2000
SLOWDOWNS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.10, 0.20)
CURVES = {
    "monotonic": tuple(number / 100 for number in range(13)),
    "cuda-event": tuple(number / 400 for number in range(17)),
}
"""The slowdowns of the plot, by the clock that measured."""

RIVALS = {
    "pytest-benchmark, min:5%": ("min_ms", 0.05),
    "pytest-benchmark, median:5%": ("median_ms", 0.05),
    "pytest-benchmark, mean:5%": ("mean_ms", 0.05),
    "median:25% (pytest-torch)": ("median_ms", 0.25),
}

ALL = -1
"""The window of a slower net: all of its measurements, for there are few of them."""

Line = dict[str, Any]
Cells = dict[str, dict[int, list[Line]]]
Rule = tuple[Cells, "Callable[[float], Any]", "Callable[[Line, Line], bool]"]
"""What a rule is tried on, the judge at a slowdown, and which windows it may compare."""


def anywhere(_old: Line, _new: Line) -> bool:
    """Compare any two windows."""
    return True


def on_one_gpu(old: Line, new: Line) -> bool:
    """Compare windows of the same GPU."""
    return bool(old["gpu"] == new["gpu"])


def on_two_gpus(old: Line, new: Line) -> bool:
    """Compare windows of two GPUs of one model."""
    return not on_one_gpu(old, new)


def cells_of(path: Path) -> Cells:
    """Return the lines by case and window."""
    cells: Cells = defaultdict(lambda: defaultdict(list))
    for text in path.read_text().splitlines():
        line = json.loads(text)
        window, case, *_ = line["key"]
        cells[case][window].append(line)
    return cells


def measured(line: Line, shift: float, *, has_duet: bool = False) -> Measurement:
    """Return the measurement of a line, its engine slower by ``shift``."""
    return Measurement(
        duet=line["duet"] + log(1 + shift) if has_duet else None,
        theta=line["theta"] + log(1 + shift),
        rho=line["rho"],
        engine_ms=line["engine_ms"] * (1 + shift),
        kept=line["kept"],
        dropped=line["dropped"],
        enqueue_share=line["enqueue_share"],
        environment={"uuid": line.get("gpu", "")},
    )


def stored_gate(usable: Sequence[Line]) -> Gate:
    """Return what a baseline of these measurements would hold."""
    measurements = [
        StoredMeasurement(line["theta"], line["rho"], line["engine_ms"], line["kept"])
        for line in usable
    ]
    setting, gpu = Setting(**usable[0]["setting"]), usable[0].get("gpu", "")
    return Gate(PROTOCOL, setting.clock, setting.threads, measurements, gpu=gpu)


def outcome(
    baseline: Sequence[Line], looks: Sequence[Line], shift: float, *, cases: int, has_duet: bool
) -> tuple[str, int]:
    """Return what the gate decides on looks in their order, and how many it needed.

    ``has_duet``: the stored artefact is kept, as where only the artefact has changed since.
    """
    usable = [each for each in baseline if measured(each, 0).is_usable][:STORED_MEASUREMENTS]
    stored = Stored([each["theta"] for each in usable], [each["rho"] for each in usable])
    taken = [measured(line, shift, has_duet=has_duet) for line in looks]
    terms = terms_of(Setting(**looks[0]["setting"]), taken[0], stored_gate(usable))
    more = iter(taken[1:])
    try:
        decision, used = measure_until_decided(
            taken[0], lambda: next(more), stored, terms, cases=cases
        )
    except StopIteration:  # fewer than the decision asks for were measured
        return "noisy", len(taken)
    return decision.outcome, len(used)


def trials(
    base: dict[int, list[Line]],
    candidate: dict[int, list[Line]],
    random: Random,
    judge: Callable[[Sequence[Line], Sequence[Line]], tuple[str, int]],
    are_comparable: Callable[[Line, Line], bool] = anywhere,
) -> Counter[tuple[str, int]]:
    """Return how often each outcome came, over draws of two different windows; none without two."""
    pairs = pairs_of(base, candidate, are_comparable)
    counts: Counter[tuple[str, int]] = Counter()
    for _ in range(TRIALS if pairs else 0):
        old, new = random.choice(pairs)
        stored = random.sample(base[old], len(base[old]))
        counts[judge(stored, random.sample(candidate[new], len(candidate[new])))] += 1
    return counts


def pairs_of(
    base: dict[int, list[Line]],
    candidate: dict[int, list[Line]],
    are_comparable: Callable[[Line, Line], bool] = anywhere,
) -> list[tuple[int, int]]:
    """Return the pairs of different windows that can be compared.

    Both have the stored artefact beside the engine, or both have not: what ran just before a call
    has left its traces in the caches, and ratios of the two kinds are not alike.
    """
    return [
        (old, new)
        for old in base
        for new in candidate
        if old != new
        and _has_duet(base[old]) == _has_duet(candidate[new])
        and are_comparable(base[old][0], candidate[new][0])
    ]


def _has_duet(lines: Sequence[Line]) -> bool:
    return lines[0]["duet"] is not None


def share(counts: Counter[tuple[str, int]], *names: str) -> float:
    """Return the share of outcomes of these names; NaN where nothing was tried."""
    total = sum(counts.values())
    return sum(n for (name, _), n in counts.items() if name in names) / total if total else nan


def rival(figure: str, limit: float, shift: float) -> Callable[..., tuple[str, int]]:
    """Return the rule that compares one figure of one process with another's."""

    def judge(stored: Sequence[Line], looks: Sequence[Line]) -> tuple[str, int]:
        ratio = looks[0]["alone"][figure] * (1 + shift) / stored[0]["alone"][figure]
        return ("regressed" if ratio > 1 + limit else "unchanged"), 1

    return judge


def gate(shift: float, *, cases: int = 1, has_duet: bool = False) -> Callable[..., tuple[str, int]]:
    """Return our rule."""
    return lambda stored, looks: outcome(stored, looks, shift, cases=cases, has_duet=has_duet)


FAILS = ("regressed", "engine-regressed")


def power(rule: Rule, slowdowns: Sequence[float]) -> list[float]:
    """Return the share of failures at each slowdown, over all cells alike."""
    cells, judge_at, are_comparable = rule
    found = []
    for shift in slowdowns:
        random = Random(0)
        each = [
            share(trials(windows, windows, random, judge_at(shift), are_comparable), *FAILS)
            for _, windows in sorted(cells.items())
            if pairs_of(windows, windows, are_comparable)
        ]
        found.append(fmean(each))
    return found


def originals(cells: Cells) -> Cells:
    """Return the cells of nets as they are that have windows with enough measurements."""
    full = {
        name: {
            window: lines for window, lines in windows.items() if len(lines) >= STORED_MEASUREMENTS
        }
        for name, windows in cells.items()
        if "_slower" not in name
    }
    return {name: windows for name, windows in full.items() if windows}


def by_bound(cells: Cells) -> dict[str, Cells]:
    """Return the cells by what bounds them; launches have separate terms."""
    found: dict[str, Cells] = defaultdict(dict)
    for name, windows in cells.items():
        shares = [line["enqueue_share"] or 0 for lines in windows.values() for line in lines]
        bound = "launches" if median(shares) >= LAUNCH_BOUND_SHARE else "the device"
        found[bound][name] = windows
    return found


def duets(cells: Cells) -> Cells:
    """Return the measurements that had the stored artefact beside them."""
    return {
        name: {
            window: beside
            for window, lines in windows.items()
            if (beside := [line for line in lines if line["duet"] is not None])
        }
        for name, windows in cells.items()
    }


def spread_table(cells: Cells) -> list[str]:
    """Return a row per cell: how far its measurements spread, and what the gate makes of A/A."""
    heading = ("case", "measurements", "windows", "sd of theta", "sd of rho", "sd of duet")
    heading += ("alone: sd of median", "false failures: duet", "stored", "inconclusive", "looks")
    rows = [f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
    for name, windows in sorted(cells.items()):
        lines = [line for window in windows.values() for line in window]
        usable = [line for line in lines if measured(line, 0).is_usable]
        alone = [log(line["alone"]["median_ms"]) for line in lines if line["alone"]]
        pairs = duets(cells)[name]
        beside = trials(pairs, pairs, Random(0), gate(0.0, has_duet=True))
        counts = trials(windows, windows, Random(0), gate(0.0))
        looks = [
            sum(n * count for (_, n), count in each.items()) / TRIALS
            for each in (beside, counts)
            if each
        ]
        duet = [line for line in usable if line["duet"] is not None]
        cells_of_row = (
            name,
            str(len(lines)),
            str(len(windows)),
            *(f"{stdev(line[each] for line in duet or usable):.2%}" for each in ("theta", "rho")),
            f"{stdev(line['duet'] for line in duet):.2%}" if duet else "",
            f"{stdev(alone):.1%}" if alone else "",
            *(f"{share(each, *FAILS):.2%}" if each else "" for each in (beside, counts)),
            f"{share(beside + counts, 'noisy', 'throttled'):.2%}",
            " and ".join(f"{each:.2f}" for each in looks),
        )
        rows.append(f"| {' | '.join(cells_of_row)} |")
    return rows


def power_table(cells: Cells) -> list[str]:
    """Return a row per rule: how often it fails at each slowdown."""
    rows = [
        "| rule | " + " | ".join(f"+{shift:.0%}" for shift in SLOWDOWNS) + " |",
        "|---|" + "---|" * len(SLOWDOWNS),
    ]
    for label, rule in rules(cells).items():
        found = power(rule, SLOWDOWNS)
        rows.append(f"| {label} | " + " | ".join(f"{each:.1%}" for each in found) + " |")
    return rows


def rules(cells: Cells) -> dict[str, Rule]:
    """Return every rule by its label, where there is something to try it on."""
    beside = duets(cells)
    lines = [line for windows in cells.values() for ls in windows.values() for line in ls]
    found: dict[str, Rule] = {
        "the gate, beside the stored artefact": (
            beside,
            lambda shift: gate(shift, has_duet=True),
            anywhere,
        ),
        "… as one of 24 cases": (
            beside,
            lambda shift: gate(shift, cases=24, has_duet=True),
            anywhere,
        ),
    }
    places = {"": anywhere}
    if lines[0].get("gpu"):
        places = {" on the same GPU": on_one_gpu, " on another GPU of the model": on_two_gpus}
    for where, are_comparable in places.items():
        found[f"the gate, by stored measurements{where}"] = cells, gate, are_comparable
        label = f"… as one of 24 cases, by those{where}"
        found[label] = cells, lambda shift: gate(shift, cases=24), are_comparable
    if all(line["alone"] for line in lines):
        for label, (figure, limit) in RIVALS.items():
            found[label] = cells, partial(rival, figure, limit), anywhere
    return {
        label: rule
        for label, rule in found.items()
        if any(pairs_of(windows, windows, rule[2]) for windows in rule[0].values())
    }


def slower_table(cells: Cells) -> list[str]:
    """Return a row per net that is really slower, and how often that fails."""
    rows = [
        "| net | measurements | slower by | caught beside the original | by stored measurements |",
        "|---|---|---|---|---|",
    ]
    for name, windows in sorted(cells.items()):
        base = name.partition("_slower")[0] + name[name.index("-") :]
        if "_slower" not in name or base not in cells:
            continue
        lines = [line for window in windows.values() for line in window]
        truth = exp(median(line["duet"] for line in lines)) - 1
        full = {w: ls for w, ls in cells[base].items() if len(ls) >= STORED_MEASUREMENTS}
        caught = [
            share(trials(full, {ALL: lines}, Random(0), gate(0.0, has_duet=has_duet)), *FAILS)
            for has_duet in (True, False)
        ]
        shown = " | ".join(f"{each:.1%}" for each in (truth, *caught))
        rows.append(f"| {name} | {len(lines)} | {shown} |")
    return rows if len(rows) > 2 else []  # noqa: PLR2004 - the heading


def report(path: Path) -> str:
    """Return the tables of one file."""
    cells = cells_of(path)
    clean = originals(cells)
    if not any(pairs_of(windows, windows) for windows in clean.values()):
        raise SystemExit(
            f"{path}: no case has {STORED_MEASUREMENTS} measurements in each of two windows; "
            "collect more"
        )
    lines = [line for windows in cells.values() for ls in windows.values() for line in ls]
    devices = ", ".join(sorted({line["device"] for line in lines}))
    dates = sorted({line["when"][:10] for line in lines})
    quiet = [line for line in lines if line["key"][2] == "quiet"]
    costs = {
        what: median(line["elapsed_s"] for line in quiet if (line["duet"] is None) == is_alone)
        for what, is_alone in (("without", True), ("with", False))
        if any((line["duet"] is None) == is_alone for line in quiet)
    }
    told = " and ".join(f"{cost:.1f} s {what}" for what, cost in costs.items())
    head = (
        f"{devices}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}: {len(lines)} "
        f"measurements; a quiet one takes (median) {told} the stored artefact beside it."
    )
    parts = [[head], spread_table(clean)]
    kinds = by_bound(clean)
    for bound, part in kinds.items():
        parts += [[f"Bound by {bound}:"]] * (len(kinds) > 1) + [power_table(part)]
    parts.append(slower_table(cells))
    return "\n\n".join("\n".join(part) for part in parts if part)


def plot(path: Path, target: Path) -> None:
    """Draw how often each rule fails over the slowdown."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    cells = by_bound(originals(cells_of(path)))["the device"]
    clocks = {ls[0]["setting"]["clock"] for windows in cells.values() for ls in windows.values()}
    (curve,) = (CURVES[clock] for clock in clocks)
    figure, axes = plt.subplots(figsize=(8.5, 5), layout="constrained")
    for label, rule in rules(cells).items():
        style = "--" if label in RIVALS else "-"
        found = power(rule, curve)
        axes.plot(
            [100 * each for each in curve], [100 * each for each in found], style, label=label
        )
    axes.set(xlabel="true slowdown, %", ylabel="fails, %", ylim=(-2, 102))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(target, metadata={"Date": None})


def update(page: Path, name: str, text: str) -> None:
    """Replace what stands between the page's marks of ``name``."""
    content = page.read_text()
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, _, rest = content.partition(begin)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def main() -> None:
    """Print the report of each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    for path in options.files:
        text = report(path)
        print(text)
        if options.update:
            update(DOCS / "gate.md", path.stem, text)
            plot(path, DOCS / f"gate-{path.stem}.svg")


if __name__ == "__main__":
    main()
