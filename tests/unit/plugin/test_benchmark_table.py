"""What pytest-benchmark is given of samples: names, seconds, parameters, and one row per case."""

import json

import pytest
from pytest_benchmark.utils import safe_dumps

from pytest_infer.case import Case
from pytest_infer.plugin.benchmark_table import Row, _is_only, _metadata, _test_of, chosen
from pytest_infer.timing.samples import Samples

OWN = Case("toy", "ort", "fp32", 4, "cpu", (("intra_op_threads", 1),))
EAGER = Case("toy", "eager", "fp32", 4, "cpu")
SAMPLES = Samples((2_000_000, 4_000_000, 6_000_000), "monotonic", 4, 3, machine="laptop")
TEST = f"test_latency.py::test_latency[{OWN.id}]"


def row(case=OWN, fullname=TEST, *, is_own=True, number=1):
    """Return a row."""
    return Row(case, SAMPLES, fullname, is_own, number)


def test_row_of_pytest_benchmark():
    """The installed pytest-benchmark makes its own row of ours: names, and seconds of ns."""
    found = json.loads(safe_dumps(_metadata(row()).as_dict()))
    assert (found["name"], found["fullname"], found["group"]) == (OWN.id, TEST, "toy")
    assert found["param"] == OWN.id
    assert found["params"] == {
        "model": "toy", "engine": "ort", "precision": "fp32", "batch": 4, "device": "cpu",
        "intra_op_threads": 1,
    }  # fmt: skip
    assert found["stats"]["data"] == [0.002, 0.004, 0.006]
    assert (found["stats"]["median"], found["stats"]["rounds"]) == (0.004, 3)
    assert found["stats"]["iterations"] == 1
    assert found["options"] == {"timer": "monotonic"}


def test_extra_info():
    """Beside a row stand its case, clock and machine, and this package's own figures."""
    info = row().extra_info
    assert (info["engine"], info["precision"], info["batch"], info["device"]) == (
        *("ort", "fp32", 4, "cpu"),
    )
    assert (info["clock"], info["machine"], info["warmup_calls"]) == ("monotonic", "laptop", 3)
    assert (info["p50_ms"], info["throughput_per_s"]) == (4.0, 1000.0)


def test_parameters_of_others():
    """Grouping by a parameter that only a user's own benchmark has is no error."""
    params = row().params
    assert params["size"] == ""
    assert "size" not in params


@pytest.mark.parametrize(
    ("own", "test", "fullname"),
    [
        (OWN, f"a.py::test_it[hot-{OWN.id}]", f"a.py::test_it[hot-{EAGER.id}]"),
        (None, "a.py::test_it", f"a.py::test_it[{EAGER.id}]"),
        (OWN, "a.py::test_it[other]", f"a.py::test_it[other][{EAGER.id}]"),
    ],
)
def test_name_of_a_rival(own, test, fullname):
    """Eager mode beside an engine has the name that its own test has, or would have."""
    assert _test_of(EAGER, own, test) == fullname


def test_one_row_per_name():
    """A case's own test goes before those that timed it beside others, whichever came first."""
    beside = [row(EAGER, "e", is_own=False) for _ in range(3)]
    own, engine = row(EAGER, "e"), row()
    assert chosen([beside[0], engine, beside[1], own, beside[2]])[0] is own
    assert chosen([engine, own, beside[0]])[1] is own
    assert chosen([beside[0], engine, beside[1]])[0] is beside[0]
    assert len(chosen([beside[0], engine, beside[1]])) == 2


def test_timed_again():
    """A test that times its case twice has two rows, told apart by a number."""
    assert [row(number=number).name for number in (1, 2)] == [OWN.id, f"{OWN.id} (2)"]


@pytest.mark.parametrize(
    ("mark", "is_taken"),
    [
        (pytest.mark.skip(reason="Skipping non-benchmark (--benchmark-only active)."), True),
        (pytest.mark.skip(reason="broken since May"), False),
        (pytest.mark.skip, False),
        (pytest.mark.slow, False),
    ],
)
def test_only_its_own_mark_is_taken_back(mark, is_taken):
    """A user's own skip stays."""
    assert _is_only(mark.mark) is is_taken
