"""A user's module, called as its spec says: tensors in the inputs' order in, the outputs' out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from pytest_infer.errors import ModelError
from pytest_infer.models.forward import arguments_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.models.spec import ModelSpec

_SHOWN = 8  # names in a message
_RETURN = "return one tensor, a tuple, a dict, a NamedTuple or a dataclass of tensors"


class SpecModule(nn.Module):
    """Calls a module with tensors in the order of its spec's inputs.

    It returns a tuple of tensors in the order of the spec's outputs, whatever the module's own
    forward takes and returns. Raise `ModelError` where the two do not go together.
    """

    def __init__(self, module: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.module = module
        self._model = spec.name
        self._inputs = tuple(spec.inputs)
        self._outputs = tuple(spec.outputs)
        self._arguments = arguments_of(module.forward, self._inputs, spec.name)
        self.training = module.training  # an exported program refuses train()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of one tensor for each input."""
        values = dict(zip(self._inputs, inputs, strict=True))
        return outputs_of(self._arguments.call(self.module, values), self._outputs, self._model)


def outputs_of(returned: Any, names: Sequence[str], model: str) -> tuple[Tensor, ...]:
    """Return the tensors called ``names`` in what a forward returned.

    A dict, a dataclass and a NamedTuple give them by name, and may hold more than is asked for; a
    tuple or list gives all that it holds, in order, and so does a NamedTuple without such names.
    Raise `ModelError` if a name is missing, if there are more or fewer, and for what is no tensor.
    """
    named = _named(returned, names)
    if named is not None:
        missing = [name for name in names if name not in named]
        if missing:
            raise _missing(missing, list(named), names, model)
        values = [named[name] for name in names]
    elif isinstance(returned, Tensor):
        values = [returned]
    elif isinstance(returned, (tuple, list)):
        values = list(returned)
    else:
        raise _unusable(f"forward of {model} returned {_kind(returned)}", model)
    if len(values) != len(names):
        raise _miscounted(values, names, model)
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, Tensor):
            raise _unusable(f"output {name!r} of {model} is {_kind(value)}", model)
    return tuple(values)


def _named(returned: Any, names: Sequence[str]) -> dict[str, Any] | None:
    """Return what a container holds by name; None if it has no names, or they do not matter."""
    if isinstance(returned, Mapping):
        return dict(returned)
    if is_dataclass(returned) and not isinstance(returned, type):
        return {each.name: getattr(returned, each.name) for each in fields(returned)}
    own = getattr(returned, "_fields", ()) if isinstance(returned, tuple) else ()
    if not any(name in own for name in names):
        return None
    return {name: getattr(returned, name) for name in own}


def _missing(
    missing: Sequence[str], present: Sequence[str], names: Sequence[str], model: str
) -> ModelError:
    return ModelError(
        f"forward of {model} returned no {', '.join(missing)}",
        why=f"its spec's outputs are {_listed(names)}; forward returned {_listed(present)}",
        mend="name the outputs in the model's decorator as forward does",
    )


def _miscounted(values: Sequence[Any], names: Sequence[str], model: str) -> ModelError:
    count = f"{len(values)} output{'s' * (len(values) != 1)}"
    return ModelError(
        f"forward of {model} returned {count}",
        why=f"its spec's outputs are {_listed(names)}",
        mend="name every output in the model's decorator, in order",
    )


def _unusable(what: str, model: str) -> ModelError:
    return ModelError(
        what,
        why="an engine's outputs are tensors, each with a name",
        mend=f"{_RETURN}: write a module around {model}'s that does",
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(map(str, names[:_SHOWN])) or "nothing") + more


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    size = f" of {len(value)}" if isinstance(value, (tuple, list, dict, set)) else ""
    return f"a {type(value).__name__}{size}"
