"""Tools for testing engines and suites: a fake engine with planted faults, and a contract.

`FakeEngine` wraps a real engine and breaks it on purpose. `EngineContract` is a test class that
a third-party engine runs on itself. `replay` runs the bundle of a failure again.
"""

from pytest_infer.testing.contract import EngineContract
from pytest_infer.testing.fake import FakeEngine
from pytest_infer.testing.faults import add, fill_nan, scale, swap
from pytest_infer.testing.process_faults import hang, leave, segfault
from pytest_infer.testing.replay import replay

__all__ = [
    "EngineContract",
    "FakeEngine",
    "add",
    "fill_nan",
    "hang",
    "leave",
    "replay",
    "scale",
    "segfault",
    "swap",
]
