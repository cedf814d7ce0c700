"""What a reader must know of the times in a report before they tell anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.reports.record import Record
    from pytest_infer.reports.result import Result

EAGER = "eager"

BUSY_SHARE = 0.2
"""Of the calls' time: what threads wait for a core on a machine that is not quiet.

On two cores with nothing else to do it was 0 to 3 % in most cases, and up to 16 % in some, where
the threads of the two engines that take turns meet.
"""

MOST_SHOWN = 5


def caveats(records: Sequence[Record]) -> list[str]:
    """Return a line for each reason why a time or a speed-up is not the engine's alone."""
    lines = (launch_bound_line(records), replay_line(records), busy_line(records))
    return [line for line in lines if line]


def stop_line(result: Result) -> str:
    """Return that a run was stopped, and how much of it ran; empty if it was not."""
    if not result.run.stopped:
        return ""
    ran = f"{result.coverage.ran} of {result.coverage.expected} checks ran"
    return f"Stopped ({result.run.stopped}): {ran}"


def launch_bound_line(records: Sequence[Record]) -> str:
    """Return whose speed-up is that of the host, since eager waits for its launches."""
    found = {
        each.case_id
        for each in records
        if "eager_launch_bound" in each.figures and each.case.engine != EAGER
    }
    if not found:
        return ""
    return (
        f"launch-bound eager: the host's speed, not the GPU's, decides eager's time, and with it "
        f"the speed-up of {listed(sorted(found))}"
    )


def replay_line(records: Sequence[Record]) -> str:
    """Return the speed-ups over eager as a CUDA graph, which does not wait for launches."""
    found = {
        each.case_id: each.figures["speedup_over_replay"]
        for each in records
        if "speedup_over_replay" in each.figures
    }
    told = [f"{case_id} {factor:.2f}x" for case_id, factor in sorted(found.items())]
    return f"over eager as a CUDA graph: {listed(told)}" if told else ""


def busy_line(records: Sequence[Record]) -> str:
    """Return which cases were timed beside other work, for threads of theirs waited for a core."""
    found: dict[str, float] = {}
    for each in records:
        share = max(each.figures.get(name, 0.0) for name in ("waited_share", "eager_waited_share"))
        if share >= BUSY_SHARE:
            found[each.case_id] = max(share, found.get(each.case_id, 0.0))
    if not found:
        return ""
    return (
        f"timed beside other work: threads waited for a core for up to {max(found.values()):.0%} "
        "of the calls' time, eager's or the engine's; latencies and speed-ups are of a busy "
        f"machine in {listed(sorted(found))}"
    )


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - MOST_SHOWN} more" * (len(names) > MOST_SHOWN)
    return ", ".join(names[:MOST_SHOWN]) + more
