"""What a host is for, and the environment that it gets for that."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_infer.hosts.heap import FREED_MEMORY, KEPT
from pytest_infer.hosts.start import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    Role = Literal["shared", "beside", "companion", "fresh"]

THREADS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "TVM_NUM_THREADS")
"""The environment that sets how many threads a host computes on.

The limit is for compiled code that has a number of threads built in.
"""

WAITING = "OMP_WAIT_POLICY"
"""The environment that sets how OpenMP's threads wait for each other.

They spin unless it is ``passive``: beside other work each then keeps a core from the thread that it
waits for. MobileNetV2's weights took 32 s instead of 4 s so, and 6 s with it (2 cores, 2 loops).
"""

UNTIMED: Mapping[str, str] = {WAITING: "passive", FREED_MEMORY: KEPT}
"""The environment of a host in which nothing is timed."""

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The environment of a host that sees these GPUs only."""


class HostRole(NamedTuple):
    """What a host is for."""

    engine: str
    role: Role

    @property
    def doing(self) -> str:
        """Return what is done to have it, as it follows "cannot"."""
        kinds = {"shared": "the", "beside": "another", "companion": "a", "fresh": "a fresh"}
        return f"start {kinds[self.role]} host of {self.engine or 'models'}"

    def environment(self, spec: str, *, threads: int = 0, gpu: str = "") -> dict[str, str]:
        """Return what its process finds in its environment, beside what ``spec`` sets.

        ``threads`` is how many it computes on, 0: its libraries' choice. ``gpu`` is the UUID of the
        only GPU that it sees, unless it is elsewhere or the user has chosen others.
        """
        found = dict.fromkeys(THREADS, str(threads)) if threads else {}
        if self.role in {"shared", "beside"}:
            found = {name: value for name, value in UNTIMED.items() if not _is_set(name, spec)}
        if gpu and spec.startswith(DEFAULT) and VISIBLE not in spec:
            found[VISIBLE] = gpu
        return found


def _is_set(name: str, spec: str) -> bool:
    """Return whether the user has set a variable, for pytest or for this host."""
    return name in os.environ or f"env:{name}=" in spec
