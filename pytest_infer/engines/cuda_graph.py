"""A CUDA graph: a call captured once on static buffers, and replayed without its launches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.engines.setting import EngineOption
from pytest_infer.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

OPTION = "cuda_graph"
CUDA_GRAPH = EngineOption(
    default=False,
    help="capture the call as a CUDA graph and replay it",
    affects_build=False,
    gpu_only=True,
)
"""The setting of every engine whose runner can replay a graph."""

WARM_UP = 3
"""Calls before the capture: libraries initialize and choose kernels, which cannot be captured.

https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture
"""


class CudaGraph:
    """A captured call: what it reads and writes stays at the same addresses.

    Call everything under the inference mode in which the graph was made.
    """

    def __init__(self, call: Callable[..., Any], inputs: Sequence[Tensor]) -> None:
        """Capture ``call`` on copies of ``inputs``; raise `LoadError` if it cannot be captured."""
        import torch

        self._inputs = [value.clone() for value in inputs]
        try:
            with torch.cuda.device(self._inputs[0].device):
                _warm_up(call, self._inputs)
                self._graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self._graph):
                    self._returned = call(*self._inputs)
        except Exception as error:
            raise LoadError(
                "cannot capture the call as a CUDA graph",
                why=f"{type(error).__name__}: {error}",
                mend="remove copies from and to the host and other synchronization from forward(), "
                f"or leave {OPTION} out",
            ) from error

    def __call__(self, *inputs: Tensor) -> Any:
        """Return what the call returns for ``inputs``: buffers, which the next replay overwrites.

        The inputs have the shapes that were captured.
        """
        self.load(inputs)
        self.replay()
        return self._returned

    def load(self, inputs: Sequence[Tensor]) -> None:
        """Copy ``inputs`` to where the next replay reads them."""
        for static, value in zip(self._inputs, inputs, strict=True):
            static.copy_(value)

    def replay(self) -> None:
        """Enqueue the captured work on the current stream."""
        self._graph.replay()

    def written_by(self, call: Callable[[], object]) -> Any:
        """Return the outputs after ``call``, which replays; what it does not write is spoilt."""
        for value in tensors_of(self._returned):
            value.fill_(float("nan") if value.is_floating_point() else 1)
        call()
        return self._returned

    def is_rewriting(self) -> bool:
        """Return whether a replay writes every element of every output.

        An element that keeps a zero laid there before one replay and a one before another was not
        written; nothing that a model can return looks the same.
        """
        after_zeros, after_ones = self._replayed_over(0), self._replayed_over(1)
        return not any(
            bool(((low == 0) & (high == 1)).any())
            for low, high in zip(after_zeros, after_ones, strict=True)
        )

    def _replayed_over(self, mark: int) -> list[Tensor]:
        outputs = tensors_of(self._returned)
        for value in outputs:
            value.fill_(mark)
        self.replay()
        return [value.clone() for value in outputs]


def tensors_of(returned: Any) -> list[Tensor]:
    """Return the outputs in what a module returned: one tensor, or several in order."""
    return [returned] if hasattr(returned, "dtype") else list(returned)


def _warm_up(call: Callable[..., Any], inputs: Sequence[Tensor]) -> None:
    """Call on a side stream, as a capture demands."""
    import torch

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            call(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
