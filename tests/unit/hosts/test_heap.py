"""A host in which nothing is timed keeps the memory of large arrays, and gives it back."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import textwrap

import pytest

from pytest_infer.hosts import heap
from pytest_infer.hosts.heap import FREED_MEMORY, KEPT
from pytest_infer.hosts.operations import Operations

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc has these settings"
)

MIB = 2**20
SIZES = """
    import numpy as np
    from pytest_infer.hosts.heap import give_back, keep_as_told

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    keep_as_told()
    before = resident()
    array = np.ones(200 * 2**20, np.uint8)
    del array
    freed = resident() - before
    give_back()
    print(freed, resident() - before)
"""


def sizes(environment: dict[str, str]) -> tuple[int, int]:
    """Return how much of 200 MiB a process still has after they are freed, and given back."""
    found = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", textwrap.dedent(SIZES)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    freed, given_back = map(int, found.stdout.split())
    return freed, given_back


def test_freed_memory_is_kept_until_it_is_given_back():
    """The next array needs no new pages."""
    freed, given_back = sizes({FREED_MEMORY: KEPT})
    assert freed > 190 * MIB
    assert given_back < 20 * MIB


def test_without_the_environment():
    """Such an array is given back at once: the other test would see it if this changed."""
    freed, _ = sizes({FREED_MEMORY: ""})
    assert freed < 20 * MIB


LEAVE_MEMORY = [
    *("engine.build", "engine.close", "graph.export", "graph.quantize"),
    *("model.probe", "model.write_weights"),
]


@pytest.mark.parametrize("name", LEAVE_MEMORY)
def test_operations_that_give_back(monkeypatch, name):
    """Also where they fail; each of them exists."""
    given: list[str] = []
    monkeypatch.setattr(heap, "give_back", lambda: given.append(name))
    with pytest.raises(TypeError, match="argument"):
        Operations().run(name, {})
    assert given == [name]


def test_an_inference_gives_nothing_back(monkeypatch):
    """The next one needs it."""
    monkeypatch.setattr(heap, "give_back", pytest.fail)
    with pytest.raises(TypeError, match="argument"):
        Operations().run("engine.infer", {})
