"""Engines that are slower by an exact share, as their host's environment says.

An engine host imports this file, as it does a user's own ``conftest.py``. ``slowed-ort`` is ``ort``
whose timed calls compute for longer by INFER_SLOWED, 0.05 for 5 %: of their CPU time, since a busy
machine stretches any other.
"""

from __future__ import annotations

import os
from time import process_time_ns
from typing import TYPE_CHECKING

from pytest_infer.engines import registry as engines
from pytest_infer.testing import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pytest_infer import Arrays, BuiltEngine, Runner

SLOWED = "INFER_SLOWED"
"""The environment's name of the share."""

INNER = ("ort", "openvino")


class _SlowedRunner:
    """Passes everything on to the inner runner, and works on after each timed call."""

    def __init__(self, inner: Runner, share: float) -> None:
        self._inner = inner
        self._share = share
        self.infer = inner.infer
        self.evidence = inner.evidence

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a call that computes for as much longer as the share says."""
        call, share = self._inner.bind(feeds), self._share

        def slowed() -> object:
            began = process_time_ns()
            found = call()
            now = process_time_ns()
            end = now + share * (now - began)
            while process_time_ns() < end:
                pass
            return found

        return slowed


class Slowed(FakeEngine):
    """An engine like its inner one, slower by the share in the environment."""

    def open(self, built: BuiltEngine) -> AbstractContextManager[_SlowedRunner]:  # type: ignore[override]
        """Open the inner engine."""
        from contextlib import contextmanager

        @contextmanager
        def opened() -> Iterator[_SlowedRunner]:
            with self._inner.open(built) as inner:
                yield _SlowedRunner(inner, float(os.environ.get(SLOWED, "0")))

        return opened()


for _name in INNER:
    engines.register(Slowed(f"slowed-{_name}", inner=_name))
