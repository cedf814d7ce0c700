"""Durations, and the figures that are made of them."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_infer.errors import TimingError
from pytest_infer.timing.samples import Samples

MS = 1_000_000


def samples(*durations_ns, batch=1):
    """Return samples by the monotonic clock."""
    return Samples(durations_ns, clock="monotonic", batch=batch, warmup_calls=2)


@pytest.mark.parametrize("percent", [1, 50, 90, 99])
@pytest.mark.parametrize("count", [1, 2, 5, 100, 101])
def test_percentiles_are_numpys(percent, count):
    """A percentile is interpolated linearly, as numpy's default does."""
    durations = [int(value) for value in np.random.default_rng(0).integers(1, 10**9, count)]
    expected = np.percentile(durations, percent) / MS
    assert samples(*durations).percentile_ms(percent) == pytest.approx(expected)


def test_figures():
    """Five calls of 1 to 5 ms with batch 6 are 3 ms in the median, 2000 rows per second."""
    assert samples(*(MS * each for each in (5, 1, 4, 2, 3)), batch=6).figures() == {
        "p50_ms": 3.0,
        "p90_ms": pytest.approx(4.6),
        "p99_ms": pytest.approx(4.96),
        "throughput_per_s": 2000.0,
        "calls": 5,
    }


@pytest.mark.parametrize(
    ("durations", "why"),
    [((), "there are none"), ((5, 0), "a duration is not positive"), ((-1,), "a duration is not")],
)
def test_useless_samples(durations, why):
    """No duration, or one that no clock can have shown, is refused."""
    with pytest.raises(TimingError) as caught:
        samples(*durations)
    assert str(caught.value).startswith(f"cannot use these samples\n  why:  {why}")
    assert str(caught.value).endswith(
        "\n  mend: measure at least one call, with a clock finer than the call"
    )


def enqueued(*pairs):
    """Return samples whose calls took (enqueueing, device) so long."""
    return Samples(
        tuple(device for _, device in pairs),
        clock="cuda-event",
        batch=1,
        warmup_calls=2,
        enqueue_ns=tuple(host for host, _ in pairs),
    )


@pytest.mark.parametrize(
    ("pairs", "share", "is_launch_bound"),
    [
        ([(10_000, 320_000)] * 3, 1 / 32, False),
        ([(2_400_000, 2_500_000)] * 3, 0.96, True),
        ([(800, 1000)], 0.8, True),
        ([(799, 1000)], 0.799, False),
        ([(1010, 1000), (500, 1000), (900, 1000)], 0.9, True),
    ],
)
def test_launch_bound(pairs, share, is_launch_bound):
    """A host that enqueues for four fifths of the device's time, in the median, is the limit."""
    assert enqueued(*pairs).launch_share == pytest.approx(share)
    assert enqueued(*pairs).is_launch_bound is is_launch_bound
    assert enqueued(*pairs).figures()["launch_share"] == pytest.approx(share)


def test_launches_are_unknown_on_a_cpu():
    """Where nothing is enqueued there is no share."""
    assert samples(MS).launch_share is None
    assert samples(MS).is_launch_bound is None
    assert "launch_share" not in samples(MS).figures()


def test_series():
    """A report keeps every call of a usual series, in its order, and the numbers of the slowest."""
    assert samples(3 * MS, MS, 2 * MS).series() == {
        "clock": "monotonic",
        "calls": 3,
        "warmup_calls": 2,
        "stride": 1,
        "durations_ns": [3 * MS, MS, 2 * MS],
        "slowest": [[0, 3 * MS], [2, 2 * MS], [1, MS]],
    }


def test_long_series():
    """Of a long one it keeps every n-th call, and the slowest of all even so."""
    durations = [MS] * 1700
    durations[1234] = 9 * MS
    series = samples(*durations).series()
    assert (series["stride"], len(series["durations_ns"]), series["calls"]) == (4, 425, 1700)
    assert series["slowest"][0] == [1234, 9 * MS]
    assert len(series["slowest"]) == 5


def test_waiting_for_a_core():
    """All threads' waits over the calls' own time; a figure if somebody counted."""
    quiet = samples(4 * MS, 6 * MS)
    assert "waited_share" not in quiet.figures()
    busy = replace(quiet, waited_ns=5 * MS)
    assert busy.figures()["waited_share"] == 0.5
    assert replace(busy, wall_ns=(10 * MS, 10 * MS)).waited_share == 0.25
    woken = replace(quiet, waited_ns=5 * MS - 1)  # a few times, for each call of a tiny network
    assert woken.figures()["waited_share"] == 0


def test_mean():
    """The mean is the sum over the number, which one slow call moves and the median ignores."""
    samples = Samples((1_000_000, 1_000_000, 4_000_000), "monotonic", 1, 0)
    assert (samples.mean_ms, samples.percentile_ms(50)) == (2.0, 1.0)
