"""A session on a GPU computes on one stream, and waits for another only if there is one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pytest_infer.engines.adapters.ort.cuda_runner import CudaRunner
from pytest_infer.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable


class Stream:
    """Notes what it waits for."""

    device_index = 1

    def __init__(self, name: str, cuda_stream: int, asked: list[str]) -> None:
        self.name, self.cuda_stream, self.asked = name, cuda_stream, asked

    def wait_stream(self, other: Stream) -> None:
        """Note that this one waits."""
        self.asked.append(f"{self.name} waits for {other.name}")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Call a runner while a stream is the current one; return what was asked for, in order."""

    def run(
        *, is_own: bool, error: str = "", sees: Callable[[Any], None] = lambda _: None
    ) -> list[str]:
        asked: list[str] = []
        own, other = Stream("own", 7, asked), Stream("current", 8, asked)
        current = own if is_own else other

        def run_with_iobinding(binding: str, options: object) -> None:
            asked.append(f"run {binding}")
            sees(options)
            if error:
                raise ValueError(error)

        handles = {own.device_index: current.cuda_stream}
        monkeypatch.setattr(
            torch._C, "_cuda_getCurrentRawStream", handles.__getitem__, raising=False
        )  # a torch for CPUs has none
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: current)
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
    """What ONNX Runtime says is reported as it is."""
    with pytest.raises(RunError) as caught:
        call(is_own=True, error="no kernel image")
    assert caught.value.why == "no kernel image"


def test_options_spare_an_error(call: Callable[..., list[str]]) -> None:
    """ONNX Runtime looks for the graph's number in each call, and catches an error without one."""
    numbers: list[str] = []
    call(
        is_own=True,
        sees=lambda options: numbers.append(options.get_run_config_entry("gpu_graph_id")),
    )
    assert numbers == ["0"]
