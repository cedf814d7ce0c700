"""What a function creates: a module in eval mode, the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.own_code import own_code
from pytest_infer.models.training_mode import refuse_training
from pytest_infer.models.weights_file import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn


def created_by(create: Callable[..., Any], name: str, **choice: bool) -> nn.Module:
    """Return what the function of the model called ``name`` creates, in eval mode.

    torch's random state is left as it was. Raise `ModelError` if it raises, or makes no module.
    """
    with own_code(f"create {name}", name):
        return unguarded(create, name, **choice)


def unguarded(create: Callable[..., Any], name: str, **choice: bool) -> nn.Module:
    """Return the same, and let through what the function raises."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = create(**choice)
    if not isinstance(found, torch.nn.Module):
        raise _no_module(found, name)
    module = _in_eval_mode(found)
    refuse_training(module, name)
    return module


def _in_eval_mode(module: nn.Module) -> nn.Module:
    """Return the module in eval mode.

    An exported program has the mode in which it was exported, and refuses to change it; only its
    flags are set, which tracing looks at.
    """
    try:
        return module.eval()
    except NotImplementedError:
        for part in module.modules():
            part.training = False
        return module


def _no_module(found: Any, name: str) -> ModelError:
    is_state = isinstance(found, dict)
    what = f"{found.__name__}, a class" if isinstance(found, type) else type(found).__name__
    of = f" of {listed(list(map(str, found)))}" if is_state and found else ""
    return ModelError(
        f"{name} did not return a torch.nn.Module",
        why=f"it returned {what}{of}",
        mend="create the module, give it these weights by load_state_dict, and return the module"
        if is_state
        else "return the module itself",
    )
