"""How a module's forward is given a spec's inputs: by name where it has their names."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_BY_KEYWORD = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Arguments:
    """The names of the inputs that forward gets by position, in order, and by keyword."""

    positional: tuple[str, ...]
    keywords: tuple[str, ...] = ()

    def call(self, function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        """Call ``function`` with named ``values``."""
        return function(
            *[values[name] for name in self.positional],
            **{name: values[name] for name in self.keywords},
        )


def arguments_of(forward: Callable[..., Any], inputs: Sequence[str], model: str) -> Arguments:
    """Return how ``forward`` is given the inputs of the model called ``model``.

    By name if every input has the name of a parameter, whatever their order; in the inputs' order
    if none has. ``**kwargs`` takes the names that are left, ``*args`` what follows the
    parameters by name. Raise `ModelError` if some inputs have a parameter's name and others do
    not, and if forward could not be called so.
    """
    found = _signature(forward)
    if found is None:
        return Arguments(tuple(inputs))
    arguments = _arguments(found, inputs)
    if arguments is None:
        raise _half_named(found, inputs, model)
    try:
        found.bind(*arguments.positional, **dict.fromkeys(arguments.keywords))
    except TypeError as error:
        raise ModelError(
            f"forward of {model} does not take the inputs of its spec",
            why=f"the inputs are {', '.join(inputs)}; forward takes {_told(found)}: {error}",
            mend="declare an input for each parameter of forward that has no default, and no other",
        ) from error
    return arguments


def _arguments(found: Signature, inputs: Sequence[str]) -> Arguments | None:
    """Return which inputs are given how; None if only some have the name of a parameter."""
    in_order = [each.name for each in found.parameters.values() if each.kind in _BY_POSITION]
    named = {each.name for each in found.parameters.values() if each.kind in _BY_KEYWORD}
    kinds = {each.kind for each in found.parameters.values()}
    known = [name for name in inputs if name in {*in_order, *named}]
    takes_names = Parameter.VAR_KEYWORD in kinds
    is_nameless = not in_order and Parameter.VAR_POSITIONAL not in kinds
    if len(known) == len(inputs) or (takes_names and (known or is_nameless)):
        return _by_name(inputs, in_order)
    if not known or (Parameter.VAR_POSITIONAL in kinds and _begins(inputs, in_order)):
        return Arguments(tuple(inputs))
    return None


def _by_name(inputs: Sequence[str], parameters: Sequence[str]) -> Arguments:
    """Return arguments in forward's order as far as it has no gap, and by keyword from there on.

    Some parameters have no keyword, and a module of torch.export's takes none by it.
    """
    positional = tuple(takewhile(set(inputs).__contains__, parameters))
    return Arguments(positional, tuple(name for name in inputs if name not in positional))


def _begins(inputs: Sequence[str], parameters: Sequence[str]) -> bool:
    return list(inputs[: len(parameters)]) == list(parameters)


def _signature(forward: Callable[..., Any]) -> Signature | None:
    """Return forward's parameters, those of a compiled TorchScript method too, if it has them."""
    try:
        return signature(forward)
    except (TypeError, ValueError):
        schema = getattr(forward, "schema", None)
    return None if schema is None else Signature(list(_parameters(schema.arguments[1:])))


def _parameters(arguments: Iterable[Any]) -> Iterable[Parameter]:
    """Return the parameters of a TorchScript schema; a name that is no identifier is replaced."""
    for number, each in enumerate(arguments):
        yield Parameter(
            each.name if each.name.isidentifier() else f"_{number}",
            Parameter.POSITIONAL_OR_KEYWORD,
            default=None if each.has_default_value() else Parameter.empty,
        )


def _half_named(found: Signature, inputs: Sequence[str], model: str) -> ModelError:
    known = [name for name in inputs if name in found.parameters]
    return ModelError(
        f"cannot match the inputs of {model} with the parameters of forward",
        why=f"the inputs are {', '.join(inputs)}; forward takes {_told(found)}: only "
        f"{', '.join(known)} {'is' if len(known) == 1 else 'are'} in both",
        mend="name every input as forward does, and they are given by name; or none of them, and "
        "they are given in their order",
    )


def _told(found: Signature) -> str:
    """Return the parameters as a user wrote them, without annotations."""
    bare = [each.replace(annotation=Parameter.empty) for each in found.parameters.values()]
    return str(Signature(bare))
