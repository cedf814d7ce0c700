"""No check vanishes from the counts."""

import json

from pytest_infer.reports.counts import Coverage

LACK = {"why": "on cpu, ort runs fp32", "mend": "--infer-precision=fp32"}
EXCLUSION = {"what": "ort in bf16", "cases": 2, "lack": LACK}


def worker(**counts):
    """Return what a worker sends, after JSON has carried it."""
    return json.loads(json.dumps(Coverage(**counts).as_dict()))


def test_workers_are_merged():
    """All workers collect the same checks; builds and notices add up; runs are counted here."""
    merged = Coverage(ran=5)
    for counts in (
        worker(expected=9, ran=4, narrowed=3, built=2, reused=1, notices=("a",)),
        worker(expected=9, ran=5, narrowed=3, built=1, reused=4, notices=("b",)),
    ):
        merged.merge_worker(counts)
    assert merged == Coverage(expected=9, ran=5, narrowed=3, built=3, reused=5, notices=("a", "b"))


def test_uncompared():
    """Tests that compare environments are counted once, by whoever collected them."""
    merged = Coverage()
    for counts in (worker(uncompared=1), worker(uncompared=1)):
        merged.merge_worker(counts)
    assert (merged.uncompared, merged.checks) == (1, 1)


def test_sent_bytes_add_up():
    """What workers sent to a machine is added up, machine by machine."""
    merged = Coverage()
    for counts in (worker(sent_bytes={"a": 2, "b": 0}), worker(sent_bytes={"a": 3})):
        merged.merge_worker(counts)
    assert merged.sent_bytes == {"a": 5, "b": 0}


def test_worker_that_collected_nothing():
    """A worker that came late or died early takes nothing away."""
    merged = Coverage()
    merged.merge_worker(worker(expected=9, narrowed=3, exclusions=(EXCLUSION,)))
    merged.merge_worker(worker())
    assert (merged.expected, merged.narrowed) == (9, 3)
    assert merged.exclusions == (EXCLUSION,)
