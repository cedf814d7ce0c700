"""``pytest-infer history``: how cases went over many runs, and which became slower."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.commands.printed import print_text
from pytest_infer.reports.drift import drift_of, words_of
from pytest_infer.reports.history import by_case, read_history
from pytest_infer.reports.run_info import SHORT_COMMIT
from pytest_infer.reports.table import filled_table, rendered

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from collections.abc import Sequence

    from pytest_infer.reports.drift import Drift
    from pytest_infer.reports.history import Moment

FOUND = 1
"""The exit status where a case has become slower."""

HEADINGS = ("case", "device", "runs", "p50 ms", "course", "note")
RUN_HEADINGS = ("date", "commit", "verdict", "p50 ms", "over eager", "relative L2")
BLOCKS = "▁▂▃▄▅▆▇█"
SHOWN_RUNS = 30


def add_commands(nouns: _SubParsersAction[ArgumentParser]) -> None:
    """Add this noun's command."""
    told = "show what --infer-report=history:PATH has gathered; the exit status is 1 for a slowdown"
    noun = nouns.add_parser("history", help=told, description=told)
    noun.add_argument("history", metavar="PATH", type=Path)
    noun.add_argument("case", metavar="CASE", nargs="?", help="every run of this case")
    noun.set_defaults(run=_history)


def _history(options: Namespace) -> int:
    cases = by_case(read_history(options.history))
    if options.case:
        return _show_runs(cases, options.case)
    drifts = {key: drift_of(moments) for key, moments in cases.items()}
    ordered = sorted(cases, key=lambda key: (drifts[key] is None, key))
    cells = [_cells(*key, cases[key], drifts[key]) for key in ordered]
    print_text(rendered(filled_table(HEADINGS, [cells])) if cells else "no run is in it")
    return FOUND if any(each and each.change > 0 for each in drifts.values()) else 0


def _show_runs(cases: dict[tuple[str, str], list[Moment]], case_id: str) -> int:
    chosen = {key: moments for key, moments in cases.items() if key[0] == case_id}
    if not chosen:
        from pytest_infer.errors import unknown

        raise unknown("case", case_id, {key[0] for key in cases})
    is_slower = False
    for (_, device), moments in chosen.items():
        drift = drift_of(moments)
        is_slower |= drift is not None and drift.change > 0
        print_text(
            f"{case_id} on {device}: {words_of(drift, moments) or 'no change is told apart'}"
        )
        print_text(rendered(filled_table(RUN_HEADINGS, [[_run_cells(each) for each in moments]])))
    return FOUND if is_slower else 0


def _cells(
    case_id: str, device: str, moments: Sequence[Moment], drift: Drift | None
) -> tuple[str, ...]:
    values = [each.figures["p50_ms"] for each in moments if "p50_ms" in each.figures]
    last = f"{values[-1]:.3f}" if values else ""
    course = _course(values[-SHOWN_RUNS:])
    return case_id, device, str(len(moments)), last, course, words_of(drift, moments)


def _run_cells(moment: Moment) -> tuple[str, ...]:
    figures = moment.figures
    dirty = "+" if moment.dirty else ""
    return (
        moment.started,
        moment.commit[:SHORT_COMMIT] + dirty,
        moment.status if moment.status == "pass" else f"{moment.status}: {moment.code}",
        f"{figures['p50_ms']:.3f}" if "p50_ms" in figures else "",
        f"{figures['speedup']:.2f}x" if "speedup" in figures else "",
        f"{figures['relative_l2']:.1e}" if "relative_l2" in figures else "",
    )


def _course(values: Sequence[float]) -> str:
    """Return a bar per run, from the fastest to the slowest."""
    least, most = min(values, default=0.0), max(values, default=0.0)
    width = most - least or 1.0
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(top * (value - least) / width)] for value in values)
