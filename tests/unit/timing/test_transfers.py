"""Copies between host and device, on a device that is the CPU."""

from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch

from pytest_infer.timing import transfers as module
from pytest_infer.timing.transfers import round_trip, transfers

FEEDS = {"image": np.ones((2, 3), np.float32), "mask": np.zeros(4, np.int64)}
OUTPUTS = {"scores": np.full(5, 7, np.float16)}


@pytest.fixture
def copies(monkeypatch):
    """What was copied: (bytes, pinned source or target, asynchronous)."""
    seen, pinned = [], set()

    def pin(tensor):
        own = tensor.clone()
        pinned.add(own.data_ptr())
        return own

    copy = torch.Tensor.copy_

    def copied(target, source, *, non_blocking):
        is_pinned = bool({target.data_ptr(), source.data_ptr()} & pinned)
        seen.append((target.nbytes, is_pinned, non_blocking))
        return copy(target, source)

    def moved(tensor, device):
        assert device == "cuda:1"
        return tensor.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", moved)
    monkeypatch.setattr(torch.Tensor, "copy_", copied)
    return seen


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("h2d_pinned", [(24, True, True), (32, True, True)]),
        ("h2d_pageable", [(24, False, False), (32, False, False)]),
        ("d2h_pinned", [(10, True, True)]),
        ("d2h_pageable", [(10, False, False)]),
    ],
)
def test_copies(copies, name, expected):
    """All inputs go in and all outputs come back, in their types; only pinned ones do not wait."""
    calls = transfers(FEEDS, OUTPUTS, "cuda:1")
    assert list(calls) == ["h2d_pinned", "h2d_pageable", "d2h_pinned", "d2h_pageable"]
    copies.clear()
    calls[name]()
    assert copies == expected


def test_round_trip(monkeypatch):
    """Inputs, computation and outputs are enqueued on the clock's stream, which is waited for."""
    done = []

    class Stream:
        def synchronize(self):
            done.append("end")

    @contextmanager
    def within(what):
        done.append(what)
        yield

    stream = Stream()
    monkeypatch.setattr(torch.cuda, "device", within)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "stream", within)
    monkeypatch.setattr(module, "stream_on", lambda device: stream if device == 1 else None)
    copies = {name: partial(done.append, name) for name in ("h2d_pinned", "d2h_pinned", "other")}
    trip = round_trip(lambda: done.append("call"), copies, "cuda:1")
    del done[:]
    trip()
    assert done == ["cuda:1", stream, "h2d_pinned", "call", "d2h_pinned", "end"]
