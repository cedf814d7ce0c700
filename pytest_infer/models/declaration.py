"""What is wrong with a model's declaration, said where it is declared."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import FunctionType
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models import tasks
from pytest_infer.models.spec import BATCH, WEIGHTS, Dim, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_infer.models.spec import ModelSpec

    Oddity = tuple[str, str]  # why, and the mend

DTYPES = (
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool",
)  # fmt: skip
"""What numpy, torch and ONNX all call by one name."""


_COMPLEX = "take and return real and imaginary parts, as torch.view_as_real makes them"
_MENDS = {
    "bfloat16": "write float32; --infer-precision=bf16 runs the model in bfloat16",
    **dict.fromkeys(("complex32", "complex64", "complex128"), _COMPLEX),
}
"""What to do about dtypes that no engine's outputs have."""

USUAL = Dim(2, 16, 64)
"""The bounds of a dynamic dimension of which nothing is known: a sequence."""
USUAL_DIMS = {
    BATCH: Dim(),
    **dict.fromkeys(("height", "width"), Dim(64, 224, 448, multiple=32)),
}
"""The bounds of dimensions whose names say what they are."""


def dims_of(
    inputs: Mapping[str, TensorSpec],
    dims: Mapping[str, Dim] | None,
    known: Mapping[str, Dim] | None = None,
) -> Mapping[str, Dim]:
    """Return the bounds of every dynamic dimension: those given, ``known`` or else usual ones."""
    names = (size for each in inputs.values() for size in getattr(each, "shape", ()))
    found = {name: USUAL_DIMS.get(name, USUAL) for name in names if isinstance(name, str)}
    return {**found, **{k: v for k, v in (known or {}).items() if k in found}, **(dims or {})}


def check_weights(name: str, weights: str, *, follows: bool) -> None:
    """Raise `ModelError` for weights that a function cannot be told to give: it ``follows`` none.

    ``weights`` are those that the model called ``name`` shall always have; empty: it has a choice.
    """
    if weights and weights not in WEIGHTS:
        raise ModelError(
            f"cannot use the model {name}",
            why=f"weights={weights!r} is none of {', '.join(WEIGHTS)}",
            mend="name one of them, or leave it out: --infer-weights decides then",
        )
    if weights and not follows:
        raise ModelError(
            f"cannot use the model {name}",
            why=f"weights={weights!r} is for functions that take `pretrained`; one without it "
            "brings its own weights",
            mend=f"let it take the parameter: def {name}(pretrained)",
        )


def check_twins(create: Callable[..., Any], known: Iterable[Callable[..., Any]]) -> None:
    """Raise `ModelError` for a second function of one name in a file: the first would be gone.

    One that is imported again stands in the same line, or has other globals.
    """
    if not isinstance(create, FunctionType):
        return
    for other in known:
        if not (
            isinstance(other, FunctionType)
            and other.__qualname__ == create.__qualname__
            and other.__globals__ is create.__globals__
        ):
            continue
        lines = (other.__code__.co_firstlineno, create.__code__.co_firstlineno)
        if len(set(lines)) > 1:
            raise ModelError(
                f"two models are called {create.__name__!r}",
                why=f"both are in {create.__code__.co_filename}, "
                f"in lines {lines[0]} and {lines[1]}",
                mend="rename one of the two functions",
            )


def check_declaration(spec: ModelSpec) -> None:
    """Raise `ModelError` for the first thing in ``spec`` that no engine could be given."""
    for check in _CHECKS:
        for why, mend in check(spec):
            raise ModelError(f"cannot use the model {spec.name}", why=why, mend=mend)


def check_meaning(spec: ModelSpec, *, has_postprocess: bool) -> None:
    """Raise `ModelError` for a task of which nothing can be judged without a postprocessing."""
    if has_postprocess or not tasks.needs_postprocess(spec.task):
        return
    raise ModelError(
        f"cannot use the model {spec.name}",
        why=f"its task is {spec.task!r}, and it has no postprocess= that makes of its outputs "
        "what they mean",
        mend="pass postprocess= to the model's decorator (Yolo(...).postprocess reads one tensor "
        "of boxes and scores), or leave task= out to compare the outputs alone",
    )


def _tensors(spec: ModelSpec) -> Iterator[tuple[str, Any]]:
    """Yield what each tensor is called in a message, and the tensor."""
    for kind, tensors in (("input", spec.inputs), ("output", spec.outputs)):
        for name, tensor in tensors.items():
            yield f"{kind} {name!r}", tensor


def _odd_kinds(spec: ModelSpec) -> Iterator[Oddity]:
    example = '{"x": TensorSpec(("batch", 8))}'
    given: dict[str, Any] = {"inputs": spec.inputs, "outputs": spec.outputs}
    for kind, tensors in given.items():
        if not isinstance(tensors, Mapping) or not tensors:
            yield f"it has no {kind}", f"name each in the model's decorator: {kind}={example}"
        for name, tensor in tensors.items():
            if not isinstance(name, str) or not name:
                yield f"{name!r} among its {kind} is no name", f"write {kind}={example}"
            if not isinstance(tensor, TensorSpec):
                yield (
                    f"{name!r} among its {kind} is a {type(tensor).__name__}, not a TensorSpec",
                    f"write {kind}={example}",
                )
    dims: Mapping[str, Any] = spec.dims
    for name, dim in dims.items():
        if not isinstance(dim, Dim):
            yield f"the dimension {name!r} is {dim!r}, not a Dim", "write Dim(min, opt, max)"


def _odd_task(spec: ModelSpec) -> Iterator[Oddity]:
    if spec.task not in tasks.names():
        yield (
            f"its task is {spec.task!r}; known are {', '.join(tasks.names())}",
            _nearest(str(spec.task), tasks.names()),
        )


def _odd_names(spec: ModelSpec) -> Iterator[Oddity]:
    for name in spec.inputs:
        if name in spec.outputs:
            yield (
                f"{name!r} is an input and an output, and ONNX has one name for one tensor",
                "give the output another name; a tensor or a tuple that forward returns has none",
            )


def _odd_dtypes(spec: ModelSpec) -> Iterator[Oddity]:
    for called, tensor in _tensors(spec):
        if tensor.dtype in DTYPES:
            continue
        yield (
            f"{called} has the dtype {tensor.dtype!r}",
            _MENDS.get(tensor.dtype) or _nearest(str(tensor.dtype), DTYPES),
        )


def _odd_shapes(spec: ModelSpec) -> Iterator[Oddity]:
    for called, tensor in _tensors(spec):
        if not isinstance(tensor.shape, tuple):
            yield f"{called} has the shape {tensor.shape!r}", 'write a tuple, as ("batch", 8)'
            continue
        for size in tensor.shape:
            if isinstance(size, str) and size.isidentifier():
                continue
            if type(size) is not int or size < 0:
                yield (
                    f"{called} has a dimension {size!r}",
                    "write a size from 0 up, or a name (letters, digits, _) if it is dynamic",
                )
        if BATCH in tensor.shape[1:]:
            yield (
                f"{called} has its batch at dimension {tensor.shape.index(BATCH, 1)}",
                "take and return the batch first, or give that dimension another name",
            )


def _odd_dims(spec: ModelSpec) -> Iterator[Oddity]:
    used = {
        size: name
        for name, tensor in spec.inputs.items()
        for size in tensor.shape
        if isinstance(size, str)
    }
    for dim, name in used.items():
        if dim not in spec.dims:
            yield (
                f"input {name!r} has the dynamic dimension {dim!r}, and dims= has no bounds for it",
                _nearest_dim(dim, spec)
                or f"write dims={{{dim!r}: Dim(min, opt, max)}}, or its size in the shape",
            )
    for dim, bounds in spec.dims.items():
        if dim not in used:
            yield (
                f"dims= names {dim!r}, and no input has that dimension",
                _nearest_dim(dim, spec)
                or "leave it out; what only an output has follows from "
                "the inputs, and has no bounds",
            )
        if bounds.min == bounds.max:
            yield (
                f"the dimension {dim!r} can only be {bounds.min}",
                f"write {bounds.min} instead of {dim!r} in the shapes",
            )


def _odd_profile(spec: ModelSpec) -> Iterator[Oddity]:
    if spec.profile is None:
        return
    for kind, named, known in (
        ("input", spec.profile.inputs, spec.inputs),
        ("output", spec.profile.outputs, spec.outputs),
    ):
        for name in named:
            if name not in known:
                yield (
                    f"its profile has the {kind} {name!r}, which the model has not",
                    _nearest(name, tuple(known)),
                )
    for check in (_odd_dtypes, _odd_shapes, _odd_dims):
        for why, mend in check(spec.widened()):
            yield f"in its profile {why}", mend


_CHECKS: tuple[Callable[[ModelSpec], Iterator[Oddity]], ...] = (
    _odd_kinds, _odd_task, _odd_names, _odd_dtypes, _odd_shapes, _odd_dims, _odd_profile,
)  # fmt: skip
"""In order: a check may rely on those before it."""


def _nearest(name: str, choices: tuple[str, ...]) -> str:
    near = get_close_matches(name, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(choices)}"


def _nearest_dim(dim: str, spec: ModelSpec) -> str:
    """Return the dimension that a misspelt one may mean: one of ``dims=``, or of an input."""
    sizes = {size for each in spec.inputs.values() for size in each.shape if isinstance(size, str)}
    near = get_close_matches(dim, sorted({*spec.dims, *sizes} - {dim}), n=1)
    return f"did you mean {near[0]!r}?" if near else ""
