"""Under xdist the tests of a case stay together; all others are handed out as xdist does."""

from types import SimpleNamespace

import pytest

from pytest_infer.case_id import case_in
from pytest_infer.plugin.case_scheduling import CaseScheduling


class Node:
    """A worker that notes what it gets."""

    def __init__(self, name):
        self.gateway = SimpleNamespace(id=name)
        self.got, self.shutting_down = [], False

    def send_runtest_some(self, indices):
        """Take more tests."""
        self.got += indices

    def shutdown(self):
        """Take no more."""
        self.shutting_down = True


def scheduled(tests):
    """Return what two workers get that are equally fast."""
    options = {"maxschedchunk": None, "tx": ["popen", "popen"], "px": []}
    config = SimpleNamespace(
        getoption=options.__getitem__, getvalue=options.__getitem__, option=SimpleNamespace()
    )
    log = SimpleNamespace(loadsched=lambda *_: None)
    scheduling = CaseScheduling(config, log)
    nodes = [Node("gw0"), Node("gw1")]
    for node in nodes:
        scheduling.add_node(node)
        scheduling.add_node_collection(node, tests)
    scheduling.schedule()
    done = [0, 0]
    while any(done[number] < len(node.got) for number, node in enumerate(nodes)):
        for number, node in enumerate(nodes):
            if done[number] < len(node.got):
                scheduling.mark_test_complete(node, node.got[done[number]], duration=1.0)
                done[number] += 1
    assert scheduling.tests_finished
    return [[tests[index] for index in node.got] for node in nodes]


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_cases_stay_together(rows):
    """Each case is on one worker, in order; each test runs once; both workers have cases."""
    cases = [f"net{number}-ort-fp32-b1" for number in range(8)]
    tests = [f"test.py::test_{row}[{case}]" for case in cases for row in range(rows)]
    found = scheduled(tests)
    assert sorted(found[0] + found[1]) == sorted(tests)
    owners = [{case_in(test) for test in got} for got in found]
    assert not owners[0] & owners[1]
    assert min(map(len, owners)) >= 2
    for got in found:
        assert got == sorted(got, key=lambda test: cases.index(case_in(test)[1:]))


def test_others_tests_are_handed_out_as_ever():
    """A suite without cases has the same chunks as without this package."""
    tests = [f"test.py::test_{number}" for number in range(40)]
    first, second = scheduled(tests)
    assert first[:5] == tests[:5]
    assert second[:5] == tests[5:10]
    assert sorted(first + second) == sorted(tests)
