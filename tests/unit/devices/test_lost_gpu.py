"""The driver's answer tells a lost GPU from one that was never used."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest

from pytest_infer.devices.lost_gpu import has_lost_gpu


@pytest.mark.parametrize(
    ("answer", "is_lost"),
    [
        (0, False),
        (2, True),  # the driver itself is out of memory: nothing else will work either
        (3, False),
        (201, False),
        (700, True),  # an illegal address
        (710, True),  # an assertion in a kernel
        (719, True),  # an unspecified failure
    ],
)
def test_answer(monkeypatch: pytest.MonkeyPatch, answer: int, *, is_lost: bool) -> None:
    """Only success, and no context at all, are no loss."""
    driver = SimpleNamespace(cuCtxSynchronize=lambda: answer)
    monkeypatch.setattr(ctypes, "CDLL", {"libcuda.so.1": driver}.__getitem__)
    assert has_lost_gpu() is is_lost


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NVIDIA's driver nothing can be lost."""

    def load(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert has_lost_gpu() is False
