"""Copy a call's inputs to a GPU and its outputs back, from and to both kinds of host memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_infer.devices.stream import stream_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor

    from pytest_infer.arrays import Array, Arrays

    Pairs = list[tuple[Tensor, Tensor]]


def transfers(feeds: Arrays, outputs: Arrays, device: str) -> Mapping[str, Callable[[], object]]:
    """Return the four copies as calls on torch's current stream.

    They move the bytes of host arrays in their own types: an engine in fp16 may move fewer.
    A copy from or to pinned memory returns at once; pageable memory is copied piece by piece
    through a pinned buffer of the driver's, while the host waits.
    """
    inwards, outwards = list(map(_tensor, feeds.values())), list(map(_tensor, outputs.values()))
    h2d_pinned, h2d_pageable = _pairs(_pinned(inwards), device), _pairs(inwards, device)
    d2h_pinned, d2h_pageable = _pairs(_pinned(outwards), device), _pairs(outwards, device)
    return {
        "h2d_pinned": partial(_upload, h2d_pinned, is_pinned=True),
        "h2d_pageable": partial(_upload, h2d_pageable, is_pinned=False),
        "d2h_pinned": partial(_download, d2h_pinned, is_pinned=True),
        "d2h_pageable": partial(_download, d2h_pageable, is_pinned=False),
    }


def round_trip(
    call: Callable[[], object], copies: Mapping[str, Callable[[], object]], device: str
) -> Callable[[], None]:
    """Return ``call`` between the copies of pinned memory, which ends when the outputs are here.

    All three are enqueued on one stream, as deployments do: inputs, computation, outputs. The
    copies move as many bytes as the call takes and gives, from and to memory beside its own.
    """
    import torch

    with torch.cuda.device(device):
        stream = stream_on(torch.cuda.current_device())

    def trip() -> None:
        with torch.cuda.device(device), torch.cuda.stream(stream):
            copies["h2d_pinned"]()
            call()
            copies["d2h_pinned"]()
            stream.synchronize()

    return trip


def _upload(pairs: Pairs, *, is_pinned: bool) -> None:
    for host, there in pairs:
        there.copy_(host, non_blocking=is_pinned)


def _download(pairs: Pairs, *, is_pinned: bool) -> None:
    for host, there in pairs:
        host.copy_(there, non_blocking=is_pinned)


def _pairs(hosts: Iterable[Tensor], device: str) -> Pairs:
    return [(host, host.to(device)) for host in hosts]


def _pinned(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.pin_memory() for tensor in tensors]


def _tensor(values: Array) -> Tensor:
    import torch

    return torch.tensor(values)
