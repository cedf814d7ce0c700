"""A session on a GPU computes on one stream, and waits for another only if there is one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch

from pytest_infer.errors import RunError
from pytest_infer.onnxruntime_cuda import CudaRunner

if TYPE_CHECKING:
    from collections.abc import Callable


class Stream:
    """Notes what waits for it."""

    def __init__(self, name: str, asked: list[str]) -> None:
        self.name, self.asked = name, asked

    def wait_stream(self, other: Stream) -> None:
        """Note that this one waits."""
        self.asked.append(f"{self.name} waits for {other.name}")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Call a runner while a stream is the current one; return what was asked for, in order."""

    def run(*, is_own: bool, error: str = "") -> list[str]:
        asked: list[str] = []
        own, current = Stream("own", asked), Stream("current", asked)

        def run_with_iobinding(binding: str, _options: object) -> None:
            asked.append(f"run {binding}")
            if error:
                raise ValueError(error)

        monkeypatch.setattr(torch.cuda, "current_stream", lambda: own if is_own else current)
        session = SimpleNamespace(run_with_iobinding=run_with_iobinding)
        CudaRunner(session, None, own)._call(SimpleNamespace(binding="bound"))
        return asked

    return run


def test_another_stream_is_waited_for(call: Callable[..., list[str]]) -> None:
    """Events on the current stream enclose the call."""
    expected = ["own waits for current", "run bound", "current waits for own"]
    assert call(is_own=False) == expected


def test_its_own_stream_waits_for_nothing(call: Callable[..., list[str]]) -> None:
    """Nothing is enqueued but the session's own work, which is all that the clock then sees."""
    assert call(is_own=True) == ["run bound"]


def test_error(call: Callable[..., list[str]]) -> None:
    """What ONNX Runtime says is told as it is."""
    with pytest.raises(RunError) as caught:
        call(is_own=True, error="no kernel image")
    assert caught.value.why == "no kernel image"
