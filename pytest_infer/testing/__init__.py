"""Tools for testing engines and suites: a fake engine with planted faults, and a contract.

`FakeEngine` wraps a real engine and breaks it on purpose. `EngineContract` is a test class that
a third-party engine runs on itself. `replay` runs the bundle of a failure again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_infer.testing.fake import FakeEngine
from pytest_infer.testing.faults import add, fill_nan, scale, swap
from pytest_infer.testing.process_faults import hang, leave, segfault
from pytest_infer.testing.replay import replay

if TYPE_CHECKING:
    from pytest_infer.testing.contract import EngineContract

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


def __getattr__(name: str) -> Any:
    """Import what needs pytest and a session when it is asked for: hosts want the fakes alone."""
    if name == "EngineContract":
        return import_module("pytest_infer.testing.contract").EngineContract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
