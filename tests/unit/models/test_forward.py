"""Which parameter of forward gets which input."""

import pytest
import torch

from pytest_infer.errors import ModelError
from pytest_infer.models.forward import Arguments, arguments_of


def _plain(x, y): ...
def _with_defaults(ids, mask=None, scale=1.0): ...
def _by_keyword(ids, *, mask): ...
def _star(*args): ...
def _first_and_star(x, *more): ...
def _anything(**named): ...
def _first_and_anything(ids, **named): ...
def _all(*args, **named): ...
def _nameless(x, /): ...
def _half_nameless(x, /, mask): ...


@pytest.mark.parametrize(
    ("forward", "inputs", "positional", "keywords"),
    [
        (_plain, ("y", "x"), ("x", "y"), ()),
        (_plain, ("a", "b"), ("a", "b"), ()),
        (_with_defaults, ("mask", "ids"), ("ids", "mask"), ()),
        (_with_defaults, ("scale", "ids"), ("ids",), ("scale",)),
        (_with_defaults, ("image",), ("image",), ()),
        (_by_keyword, ("mask", "ids"), ("ids",), ("mask",)),
        (_star, ("mask", "ids"), ("mask", "ids"), ()),
        (_first_and_star, ("x", "y"), ("x", "y"), ()),
        (_anything, ("mask", "ids"), (), ("mask", "ids")),
        (_first_and_anything, ("mask", "ids"), ("ids",), ("mask",)),
        (_first_and_anything, ("image",), ("image",), ()),
        (_all, ("mask", "ids"), ("mask", "ids"), ()),
        (_nameless, ("x",), ("x",), ()),
        (_half_nameless, ("mask", "x"), ("x", "mask"), ()),
        (max, ("a", "b"), ("a", "b"), ()),  # tells no parameters
    ],
)
def test_inputs_are_given_by_name_where_they_have_one(forward, inputs, positional, keywords):
    """All names known: by name, in any order; none: in order."""
    assert arguments_of(forward, inputs, "toy") == Arguments(positional, keywords)


@pytest.mark.parametrize("inputs", [("ids", "mask"), ("mask", "ids")])
@pytest.mark.parametrize("kind", ["traced", "exported"])
def test_a_stored_module_still_has_its_names(kind, inputs):
    """TorchScript and torch.export keep the names of forward's parameters."""

    class Difference(torch.nn.Module):
        def forward(self, ids, mask):
            return ids - mask

    pair = torch.tensor([5.0, 2.0]), torch.tensor([3.0, 3.0])
    make = torch.jit.trace if kind == "traced" else lambda m, p: torch.export.export(m, p).module()
    stored = make(Difference(), pair)
    values = dict(zip(("ids", "mask"), pair, strict=True))
    found = arguments_of(stored.forward, inputs, "toy").call(stored, values)
    assert found.tolist() == [2.0, -1.0]


def test_some_names_are_refused():
    """The other parameter might be meant, or might not."""
    with pytest.raises(ModelError) as caught:
        arguments_of(_with_defaults, ("mask", "tokens"), "toy")
    assert str(caught.value) == (
        "cannot match the inputs of toy with the parameters of forward\n"
        "  why:  the inputs are mask, tokens; forward takes (ids, mask=None, scale=1.0): only mask "
        "is in both\n"
        "  mend: name every input as forward does, and they are given by name; or none of them, "
        "and they are given in their order"
    )


@pytest.mark.parametrize(
    ("forward", "inputs", "told"),
    [
        (_plain, ("x",), "(x, y): missing a required argument: 'y'"),
        (_plain, ("a", "b", "c"), "(x, y): too many positional arguments"),
        (_by_keyword, ("a", "b"), "(ids, *, mask): too many positional arguments"),
    ],
)
def test_inputs_that_forward_does_not_take(forward, inputs, told):
    """A parameter without a default, and no input for it; or too many inputs."""
    with pytest.raises(ModelError) as caught:
        arguments_of(forward, inputs, "toy")
    assert str(caught.value) == (
        "forward of toy does not take the inputs of its spec\n"
        f"  why:  the inputs are {', '.join(inputs)}; forward takes {told}\n"
        "  mend: declare an input for each parameter of forward that has no default, and no other"
    )
