"""Durations, and the figures that are made of them."""

import numpy as np
import pytest

from pytest_infer.errors import TimingError
from pytest_infer.samples import Samples

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
