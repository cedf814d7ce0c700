"""A user's module, called as its spec says: tensors in the inputs' order in, the outputs' out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from pytest_infer.errors import ModelError
from pytest_infer.models.forward import arguments_of
from pytest_infer.models.returned import returned_from

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.models.returned import Returned
    from pytest_infer.models.spec import ModelSpec

_SHOWN = 8  # names in a message
_RETURN = "return tensors: one, or a tuple, dict, NamedTuple or dataclass of them, nested or not"


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
        self.watch: Callable[[Any], object] | None = None
        """Is shown what the module returned, if it is set."""
        # an exported program refuses train(), and a frozen module has no mode
        self.training = getattr(module, "training", False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of one tensor for each input."""
        values = dict(zip(self._inputs, inputs, strict=True))
        returned = self._arguments.call(self.module, values)
        if self.watch is not None:
            self.watch(returned)
        return outputs_of(returned, self._outputs, self._model)


def outputs_of(value: Any, names: Sequence[str], model: str) -> tuple[Tensor, ...]:
    """Return the tensors called ``names`` in what a forward returned.

    A dict, a dataclass and a NamedTuple give them by name, ``hidden.0`` being what is inside
    another container, and may hold more than is asked for. A tuple or list gives all tensors in it
    in order, and so does a NamedTuple without such names. Raise `ModelError` if a name is missing,
    if there are more or fewer, and for what is no tensor.
    """
    returned = returned_from(value)
    if returned.is_named and not _is_in_order(value, returned, names):
        missing = [name for name in names if name not in returned.tensors]
        if missing:
            raise _missing(missing, returned, names, model)
        return tuple(returned.tensors[name] for name in names)
    odd = [each for each in returned.others.values() if each is not None]
    if odd or not returned.tensors:
        raise _unusable(f"forward of {model} returned {_kind(odd[0] if odd else value)}", model)
    if len(returned.tensors) != len(names):
        raise _miscounted(returned, names, model)
    return tuple(returned.tensors.values())


def left_out(value: Any, names: Sequence[str]) -> list[str]:
    """Return what a forward returned by name beside ``names``, and no engine puts out."""
    returned = returned_from(value)
    if not returned.is_named or _is_in_order(value, returned, names):
        return []
    others = [name for name, each in returned.others.items() if each is not None]
    tops = dict.fromkeys(name.partition(".")[0] for name in (*returned.tensors, *others))
    wanted = {name.partition(".")[0] for name in names}
    return [top for top in tops if top not in wanted]


def _is_in_order(value: Any, returned: Returned, names: Sequence[str]) -> bool:
    """Return whether a NamedTuple has none of the names, and so is a tuple like any other."""
    return isinstance(value, tuple) and not any(name in returned.tensors for name in names)


def _missing(
    missing: Sequence[str], returned: Returned, names: Sequence[str], model: str
) -> ModelError:
    odd = [name for name in missing if name in returned.others]
    if odd:
        return _unusable(f"output {odd[0]!r} of {model} is {_kind(returned.others[odd[0]])}", model)
    return ModelError(
        f"forward of {model} returned no {', '.join(missing)}",
        why=f"its spec's outputs are {_listed(names)}; forward returned "
        f"{_listed(list(returned.tensors))}",
        mend="name the outputs in the model's decorator as forward does, or leave outputs= out: "
        "they are read off then",
    )


def _miscounted(returned: Returned, names: Sequence[str], model: str) -> ModelError:
    number = len(returned.tensors)
    count = f"{number} output{'s' * (number != 1)}"
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
