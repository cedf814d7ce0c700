"""A user's own functions: what they raise becomes an error that says where in their file."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from sysconfig import get_paths
from traceback import extract_tb
from typing import TYPE_CHECKING

from pytest_infer.errors import InferError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from traceback import FrameSummary

_PACKAGE = str(Path(__file__).parents[1])
_INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")
_READERS = ("torch/serialization.py", "safetensors/torch.py")
"""Where a file of weights is read."""


@contextmanager
def own_code(doing: str, function: str, kind: type[InferError] = ModelError) -> Iterator[None]:
    """Turn what the user's ``function`` raises while ``doing`` something into an error of ``kind``.

    It names the exception and the line of the user's file that led to it. An `InferError` passes.
    """
    try:
        yield
    except InferError:
        raise
    except Exception as error:
        frames = extract_tb(error.__traceback__)
        raise kind(
            f"cannot {doing}",
            why=f"{function} raised {type(error).__name__}: {error}{_place(frames)}",
            mend=_mend(error, frames, function),
        ) from error


def _place(frames: list[FrameSummary]) -> str:
    own = [frame for frame in frames if _is_own(frame.filename)]
    return f"\nat {own[-1].filename}:{own[-1].lineno}: {own[-1].line}" if own else ""


def _is_own(file: str) -> bool:
    """Return whether a file is the user's: not Python's, installed, this package's or no file."""
    paths = get_paths()
    places = (_PACKAGE, *(paths[name] for name in _INSTALLED))
    return not file.startswith("<") and not any(Path(file).is_relative_to(at) for at in places)


def _mend(error: Exception, frames: list[FrameSummary], function: str) -> str:
    if isinstance(error, FileNotFoundError):
        return "write the path relative to the file: Path(__file__).parent / NAME"
    if isinstance(error, ImportError):
        return "install it in the environment of this engine's host"
    if "same dtype" in str(error) and "TorchScript" in str(error):
        return (
            "save it without torch.jit.freeze and without casts in forward: the reference is "
            "computed in fp64, which types that are written into it do not allow"
        )
    if "same dtype" in str(error):
        return (
            "give every weight and input one type, float32, and cast none in forward: "
            "--infer-precision casts them all (model.float() in the function that creates it)"
        )
    if any(frame.filename.endswith(_READERS) for frame in frames):
        return "write that file of weights again: it is damaged, or not of the kind that is read"
    return f"mend that line of {function}, or what it is given"
