"""What disturbed a block on a GPU, by plain numbers and by a double of NVML."""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from pytest_infer.devices import nvml
from pytest_infer.devices.gpu_watch import (
    COUNTERS,
    GpuWatch,
    Reading,
    disturbance_between,
    names_of,
)

_spec = spec_from_file_location("nvml_double", Path(__file__).with_name("nvml_double.py"))
double = module_from_spec(_spec)
_spec.loader.exec_module(double)

MS = 1_000_000
NOTHING = dict.fromkeys(COUNTERS, 0)


def reading(reasons=0, **limited_ns):
    """Return a reading in which all is known."""
    moved = {name.replace("_", "-"): value for name, value in limited_ns.items()}
    return Reading(reasons, NOTHING | moved)


@pytest.fixture
def board(monkeypatch):
    """A GPU that NVML shows, as a module in place of pynvml."""
    board = double.Board()
    board.module = board.nvml()
    monkeypatch.setitem(sys.modules, "pynvml", board.module)
    monkeypatch.setattr(nvml, "_torch_uuid", lambda _: double.UUID)
    return board


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        (0x0, None),
        (0x1 | 0x2 | 0x100, None),
        (0x8, "hw-slowdown"),
        (0x8 | 0x40, "thermal"),
        (0x8 | 0x80, "power-brake"),
        (0x20 | 0x4, "sw-thermal"),
    ],
)
def test_reason_at_either_end(reasons, code):
    """A reason that was in force before or after makes a block unclean, the most telling first."""
    assert disturbance_between(reading(reasons), reading(), MS) == code
    assert disturbance_between(reading(), reading(reasons), MS) == code


@pytest.mark.parametrize(
    ("counter", "code"),
    [("thermal", "thermal"), ("sync_boost", "sync-boost"), ("board_limit", "board-limit")],
)
def test_counter_that_moved(counter, code):
    """A limit that came and went between two readings is seen by its counter, however short."""
    assert disturbance_between(reading(), reading(**{counter: 1}), MS) == code
    assert disturbance_between(reading(**{counter: 7}), reading(**{counter: 7}), MS) is None


@pytest.mark.parametrize(
    ("before", "after", "limited_ns", "code"),
    [
        (0x4, 0x0, 0, "power-cap"),
        (0x0, 0x4, 0, "power-cap"),
        (0x0, 0x0, MS // 2, "power-cap"),
        (0x4, 0x4, MS // 2, None),
        (0x0, 0x0, MS * 9 // 10, None),
        (None, None, MS // 10, "power-cap"),
        (None, None, 0, None),
    ],
)
def test_power_cap(before, after, limited_ns, code):
    """Power capped throughout a block is a board's speed; for a part of it, a disturbance."""
    found = disturbance_between(reading(before), reading(after, power_cap=limited_ns), MS)
    assert found == code


def test_unknown_is_not_seen():
    """Of what is unknown at either end nothing is said, and no counter runs backwards."""
    unknown = Reading(None, dict.fromkeys(COUNTERS, None))
    assert disturbance_between(unknown, reading(thermal=5), MS) is None
    assert disturbance_between(reading(thermal=5), unknown, MS) is None
    assert disturbance_between(reading(thermal=5), reading(thermal=4), MS) is None


def test_names():
    """Reasons have names; a bit of a newer driver stays a number."""
    assert names_of(0x1 | 0x80 | 0x1000) == ["idle", "power-brake", "0x1000"]
    assert names_of(0) == []


def test_block_on_a_quiet_board(board):
    """Nothing moved: the block is clean, at ten calls of NVML's."""
    watch = GpuWatch("cuda:0")
    before = len(board.module.asked)
    assert watch.disturbance(watch.mark(), MS) is None
    assert len(board.module.asked) - before == 10


def test_block_with_a_thermal_violation(board):
    """A counter that moved since the mark is reported; before it, it is not."""
    watch = GpuWatch("cuda:0")
    board.limited_ns[1] += 100
    mark = watch.mark()
    assert watch.disturbance(mark, MS) is None
    board.limited_ns[1] += 1
    assert watch.disturbance(mark, MS) == "thermal"


def test_low_utilization_is_harmless(board):
    """Waiting for the host, and the highest voltage, are no disturbances."""
    watch = GpuWatch("cuda:0")
    mark = watch.mark()
    board.limited_ns[4] += MS
    board.limited_ns[5] += MS
    assert watch.disturbance(mark, MS) is None


def test_report(board):
    """All that NVML tells, units in the names, counted from the beginning of the watch."""
    watch = GpuWatch("cuda:0")
    board.energy_mj += 2_500
    board.limited_ns[0] += 3 * MS
    board.reasons = 0x4
    board.processes = [double.process(os.getpid(), 100 << 20), double.process(1 << 22, 7 << 20)]
    assert watch.report() == {
        "uuid": double.UUID,
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 3201,
        "temperature_c": 31,
        "power_w": 120.5,
        "power_limit_w": 700.0,
        "energy_j": 2.5,
        "utilization_percent": 40,
        "memory_used_mib": 512.0,
        "event_reasons": ["power-cap"],
        "thermal_limited_ms": 0.0,
        "sync_boost_limited_ms": 0.0,
        "board_limit_limited_ms": 0.0,
        "power_cap_limited_ms": 3.0,
        "low_utilization_limited_ms": 0.0,
        "reliability_limited_ms": 0.0,
        "foreign_processes": ["pid 4194304 (unknown), 7 MiB"],
        "unsupported": [],
    }


def test_everything_refused(board):
    """What NVML refuses is unknown, named, asked for once, and no error."""
    board.module.refuse()
    watch = GpuWatch("cuda:0")
    assert watch.disturbance(watch.mark(), MS) is None
    report = watch.report()
    unsupported = report.pop("unsupported")
    assert set(report.values()) == {None}
    assert len(unsupported) == len(set(unsupported)) == 19
    assert "nvmlDeviceGetViolationStatus(1)" in unsupported
    refused = len(board.module.asked)
    watch.mark()
    watch.report()
    assert len(board.module.asked) == refused


def test_no_driver(board):
    """Without NVML, or without this GPU in it, everything is unknown."""
    board.module.answers["nvmlInit"] = double.NVMLError("no driver")
    watch = GpuWatch("cuda:0")
    assert watch.disturbance(watch.mark(), MS) is None
    assert watch.report()["sm_clock_mhz"] is None
    assert watch.report()["unsupported"] == ["nvmlDeviceGetHandleByUUID"]


@pytest.mark.parametrize("is_in_bindings", [True, False])
def test_old_name_of_the_reasons(board, is_in_bindings):
    """An older driver, or older bindings, know them as throttle reasons; nothing is missed."""
    answers = board.module.answers
    answers["nvmlDeviceGetCurrentClocksThrottleReasons"] = lambda _: 0x20
    if is_in_bindings:
        board.module.refuse("nvmlDeviceGetCurrentClocksEventReasons")
    else:
        del answers["nvmlDeviceGetCurrentClocksEventReasons"]
    watch = GpuWatch("cuda:0")
    assert watch.disturbance(watch.mark(), MS) == "sw-thermal"
    assert watch.report()["event_reasons"] == ["sw-thermal"]
    assert watch.report()["unsupported"] == []


def test_counter_without_a_value(board):
    """A counter that shows NVML's mark of absence is unknown."""
    board.limited_ns[1] = (1 << 64) - 1
    watch = GpuWatch("cuda:0")
    board.limited_ns[1] = 5
    assert watch.report()["thermal_limited_ms"] is None


def test_mig_instance(board):
    """Of a MIG instance the board is asked for clocks, the instance for memory and processes."""
    board.module.answers |= {
        "nvmlDeviceGetHandleByUUID": "instance",
        "nvmlDeviceIsMigDeviceHandle": 1,
        "nvmlDeviceGetDeviceHandleFromMigDeviceHandle": "board",
    }
    board.module.refuse("nvmlDeviceGetUtilizationRates")
    report = GpuWatch("cuda:0").report()
    asked = {call: handle for call, handle, *_ in board.module.asked[1:]}
    assert asked["nvmlDeviceGetClockInfo"] == asked["nvmlDeviceGetViolationStatus"] == "board"
    assert asked["nvmlDeviceGetMemoryInfo"] == "instance"
    assert asked["nvmlDeviceGetComputeRunningProcesses"] == "instance"
    assert (report["utilization_percent"], report["sm_clock_mhz"]) == (None, 1980)
    assert report["unsupported"] == ["nvmlDeviceGetUtilizationRates"]
