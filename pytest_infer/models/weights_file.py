"""A file of weights, read into a module; what is wrong with it is said in words."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import nn

    Names = tuple[list[str], list[str]]

SHOWN = 5  # names in a message
_PICKLES = (b"PK\x03\x04", b"\x80")
"""How a file of torch.save's begins: a zip archive, or the pickle of old."""
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
"""Under what a training loop stores the weights, beside other things."""


def load_weights(module: nn.Module, path: Path) -> None:
    """Give ``module`` the weights in ``path``: every one it has and no other.

    A ``.pt`` or ``.pth`` file holds a state dict and is read without running code from it. Raise
    `ModelError` if the file cannot be read, or holds another module's weights.
    """
    load = _load_safetensors if path.suffix == ".safetensors" else _load_state_dict
    try:
        missing, unexpected = load(module, path)
    except ModelError:
        raise
    except RuntimeError as error:  # sizes that differ
        raise _others(path, str(error), _SAVE) from error
    if missing or unexpected:
        why = f"missing: {listed(missing)}\nnot of this module: {listed(unexpected)}"
        raise _others(path, why, _mend_names(missing, unexpected))


def listed(names: Sequence[str]) -> str:
    """Return the first names."""
    if not names:
        return "nothing"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(str, names[:SHOWN])) + more


_WRITE = "write the file again, with pytest_infer.models.weights.save_weights(module, path)"
_SAVE = "save a module of this very architecture, with pytest_infer.models.weights.save_weights"
_SAVE_STATE = "write it with torch.save(module.state_dict(), path)"


def _load_safetensors(module: nn.Module, path: Path) -> Names:
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    try:
        missing, unexpected = load_model(module, str(path), strict=False)
    except SafetensorError as error:
        raise _unreadable(path, f"it is no whole safetensors file: {error}", _WRITE) from error
    except OSError as error:
        raise _unreadable(path, str(error), _WRITE) from error
    return sorted(missing), sorted(unexpected)


def _load_state_dict(module: nn.Module, path: Path) -> Names:
    missing, unexpected = module.load_state_dict(_state_dict(path), strict=False)
    return sorted(missing), sorted(unexpected)


def _state_dict(path: Path) -> Mapping[str, Any]:
    """Return the tensors by name in a file of torch.save's; run no code that is in it."""
    from pickle import UnpicklingError

    import torch

    try:
        _check_start(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except UnpicklingError as error:
        raise _unreadable(path, _refused(error), _SAVE_STATE) from error
    except Exception as error:  # whatever unpickling damaged bytes leads to
        why = f"it is damaged, or of another kind: {type(error).__name__}: {_first(error)}"
        raise _unreadable(path, why, _SAVE_STATE) from error
    if not isinstance(found, dict) or not any(map(torch.is_tensor, found.values())):
        raise _unreadable(path, _contents(found), _mend_contents(found))
    return found


def _check_start(path: Path) -> None:
    """Raise `ModelError` for a file that torch has not written: of text it says a number."""
    with path.open("rb") as file:
        start = file.read(len(_PICKLES[0]))
    if not start.startswith(_PICKLES):
        raise _unreadable(path, f"torch.save writes no such file: it begins {start!r}", _WRITE)


def _refused(error: Exception) -> str:
    """Return what an unpickler has refused to run; torch's own advice is to run it."""
    names = sorted(set(re.findall(r"GLOBAL (\S+)", str(error))))
    return f"it holds more than tensors, and that is not run: {', '.join(names) or 'a pickle'}"


def _contents(found: Any) -> str:
    names = f" of {listed(list(map(str, found)))}" if isinstance(found, dict) else ""
    return f"it holds no tensors by name, but a {type(found).__name__}{names}"


def _mend_contents(found: Any) -> str:
    inside = [name for name in _WRAPPERS if isinstance(found, dict) and name in found]
    if not inside:
        return _SAVE_STATE
    return f"save what is under {inside[0]!r} alone: torch.save(torch.load(path)[{inside[0]!r}], …)"


def _first(error: Exception) -> str:
    """Return the first sentence of a message: advice of the library's own follows it."""
    return str(error).strip().partition("\n")[0].partition(". ")[0]


def _unreadable(path: Path, why: str, mend: str) -> ModelError:
    return ModelError(f"cannot read weights from {path}", why=why, mend=mend)


def _others(path: Path, why: str, mend: str) -> ModelError:
    return ModelError(f"the weights in {path} are another module's", why=why, mend=mend)


def _mend_names(missing: Sequence[str], unexpected: Sequence[str]) -> str:
    for name in missing:
        if near := get_close_matches(name, unexpected, n=1):
            return f"rename {near[0]!r} to {name!r}, and the like"
    return _SAVE
