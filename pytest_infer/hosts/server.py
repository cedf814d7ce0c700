"""The engine host's side: answer one request after the other until the caller goes away.

execnet runs this module's `serve` in the host's main thread. It imports no inference library;
the operations do, when they are asked for.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import InferError, message_from_error
from pytest_infer.gpu_context import has_lost_gpu
from pytest_infer.hosts.operations import Operations
from pytest_infer.hosts.wire import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execnet.gateway_base import Channel

PR_SET_PDEATHSIG = 1
"""Linux's number of the request (prctl(2))."""


def serve(channel: Channel) -> None:
    """Answer requests from ``channel``; what libraries print goes to stderr, which is kept."""
    _end_with_caller()
    _redirect_output()
    operations = Operations()
    for request in channel:
        channel.send(answer(operations, request))


def answer(operations: Operations, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of one request, or its error, as builtin types.

    An error has ``is_lost`` beside it: whether this process can do no more on its GPU.
    """
    try:
        result = operations.run(request["operation"], unpacked(request["arguments"]))
        return {"result": packed(result)}
    except InferError as error:
        return {"error": message_from_error(error), "is_lost": has_lost_gpu()}
    except Exception as error:  # noqa: BLE001 - it crosses a process boundary as text
        traceback.print_exc()
        return {"exception": f"{type(error).__name__}: {error}", "is_lost": has_lost_gpu()}


def _end_with_caller() -> None:
    """Let the kernel end this process when the one that started it ends, however that happens.

    Otherwise a library that is busy would go on for minutes, with its locks and its memory.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _redirect_output() -> None:
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    faulthandler.enable()
