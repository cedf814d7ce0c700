"""The parts of a call."""

from pytest_infer.timing.split import Split, split_from_durations

MS = 1_000_000


def test_medians_on_a_gpu():
    """Each part has the median of its own durations; the computation is the events'."""
    durations = {
        "cuda-event": [3 * MS, MS, 2 * MS],
        "enqueue": [MS // 4],
        "round_trip": [9 * MS, 7 * MS],
        "h2d_pinned": [MS],
        "h2d_pageable": [4 * MS],
        "d2h_pinned": [MS // 2],
        "d2h_pageable": [6 * MS],
    }
    assert split_from_durations(durations) == Split(
        clock="cuda-event",
        compute_ms=2.0,
        enqueue_ms=0.25,
        h2d_pinned_ms=1.0,
        h2d_pageable_ms=4.0,
        d2h_pinned_ms=0.5,
        d2h_pageable_ms=6.0,
        round_trip_ms=8.0,
    )


def test_only_computation_on_a_cpu():
    """What there is not on a CPU is None, not zero."""
    split = split_from_durations({"monotonic": [2 * MS, MS, 5 * MS]})
    assert split == Split("monotonic", 2.0)
    assert split.h2d_pinned_ms is split.enqueue_ms is split.round_trip_ms is None
