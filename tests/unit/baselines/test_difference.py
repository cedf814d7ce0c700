"""The table of what became of baselines."""

from pytest_infer.baselines.difference import change_table
from pytest_infer.baselines.store import Change
from pytest_infer.reports.table import rendered


def test_before_and_after():
    """Figures with their change, new ones, those that are gone, and none that nothing has."""
    changes = [
        Change("a-ort-fp32-b1", {"p50_ms": 2.0, "speedup": 1.5}, {"p50_ms": 1.0}),
        Change("b-ort-fp32-b1", {"p50_ms": 4.0}, {"p50_ms": 4.0, "speedup": 2.0}),
        Change("[b]-ort-fp32-b1", None, {"p50_ms": 0.125}),
    ]
    lines = rendered(change_table(changes)).split("\n")
    cells = [" ".join(line.split()) for line in lines if line and "─" not in line]
    assert cells == [
        "p50 ms over eager",
        "a-ort-fp32-b1 2 -> 1 (-50.0%) 1.5 -> none",
        "b-ort-fp32-b1 4 new 2",
        "[b]-ort-fp32-b1 new 0.125",
    ]
