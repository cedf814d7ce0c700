"""The engine host's side: answer one request after the other until the caller goes away.

execnet runs this module's `serve` in the host's main thread. It imports no inference library;
the operations do, when they are asked for.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.lost_gpu import has_lost_gpu
from pytest_infer.errors import InferError, message_from_error
from pytest_infer.hosts.heap import keep_as_told
from pytest_infer.hosts.operations import Operations
from pytest_infer.hosts.wire import packed, unpacked
from pytest_infer.storage.lock_wait import listen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execnet.gateway_base import Channel


def serve(channel: Channel) -> None:
    """Answer requests from ``channel``; what libraries print goes to stderr, which is kept."""
    _redirect_output()
    keep_as_told()
    listen(partial(_tell, channel))
    operations = Operations()
    for request in channel:
        channel.send(answer(operations, request))
    gc.freeze()  # or Python looks at all that libraries have made before it ends: 0.6 s for torch


def answer(operations: Operations, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of one request, or its error, as builtin types.

    An error has ``is_lost`` beside it: whether this process has lost its GPU.
    """
    try:
        result = operations.run(request["operation"], unpacked(request["arguments"]))
        return {"result": packed(result)}
    except InferError as error:
        message = {name: _encodable(text) for name, text in message_from_error(error).items()}
        return {"error": message, "is_lost": has_lost_gpu()}
    except BaseException as error:  # noqa: BLE001 - it crosses a process boundary as text
        traceback.print_exc()
        return {"exception": _described(error), "is_lost": has_lost_gpu()}


def _tell(channel: Channel, line: str, is_over: bool) -> None:
    """Report a wait to the caller, whose time-out stands still until it is over."""
    channel.send({"waiting": _encodable(line), "is_over": is_over})


def _described(error: BaseException) -> str:
    """Return an exception's type and text."""
    exits = "it asked Python to exit: " if isinstance(error, SystemExit) else ""
    text = f"{exits}{type(error).__name__}: {_text(error)}".removesuffix(": ")
    return _encodable(text)


def _encodable(text: str) -> str:
    """Return ``text`` as execnet, xdist and every report can carry it."""
    return text.encode(errors="backslashreplace").decode()


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as fault:  # noqa: BLE001 - whatever the library's own method raises
        return f"its text cannot be shown ({type(fault).__name__})"


def _redirect_output() -> None:
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    faulthandler.enable()
