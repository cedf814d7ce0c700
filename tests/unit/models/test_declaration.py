"""What a model's decorator refuses, and in which words."""

from runpy import run_path

import numpy as np
import pytest

from pytest_infer import model
from pytest_infer.errors import ModelError
from pytest_infer.models import registry as models
from pytest_infer.models.spec import Dim, Profile, TensorSpec

X, Y = {"x": TensorSpec(("batch", 8))}, {"y": TensorSpec(("batch", 8))}
TIMED = {"x": TensorSpec(("batch", "time", 8))}
EXAMPLE = '{"x": TensorSpec(("batch", 8))}'


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    models.registered()
    monkeypatch.setattr(models, "_registry", dict(models._registry))


def declared(inputs=X, outputs=Y, **keywords):
    """Return the spec of a model called toy."""

    @model(inputs=inputs, outputs=outputs, **keywords)
    def toy(): ...

    return models.find("toy").spec


@pytest.mark.parametrize(
    ("keywords", "why", "mend"),
    [
        (
            {"inputs": TIMED, "dims": {"times": Dim(1, 2, 3)}},
            "dims= names 'times', and no input has that dimension",
            "did you mean 'time'?",
        ),
        (
            {"dims": {"length": Dim(1, 8, 16)}},
            "dims= names 'length', and no input has that dimension",
            ("leave it out; what only an output has follows from the inputs, and has no bounds"),
        ),
        (
            {"dims": {"batch": Dim(4, 4, 4)}},
            "the dimension 'batch' can only be 4",
            "write 4 instead of 'batch' in the shapes",
        ),
        (
            {"inputs": {}},
            "it has no inputs",
            f"name each in the model's decorator: inputs={EXAMPLE}",
        ),
        (
            {"outputs": {}},
            "it has no outputs",
            f"name each in the model's decorator: outputs={EXAMPLE}",
        ),
        (
            {"inputs": {"x": ("batch", 8)}},
            "'x' among its inputs is a tuple, not a TensorSpec",
            f"write inputs={EXAMPLE}",
        ),
        (
            {"outputs": {"x": Y["y"]}},
            "'x' is an input and an output, and ONNX has one name for one tensor",
            "give the output another name; a tensor or a tuple that forward returns has none",
        ),
        (
            {"inputs": {"x": TensorSpec(("batch", 8), "flaot32")}},
            "input 'x' has the dtype 'flaot32'",
            "did you mean 'float32'?",
        ),
        (
            {"outputs": {"y": TensorSpec(("batch", 8), "bfloat16")}},
            "output 'y' has the dtype 'bfloat16'",
            "write float32; --infer-precision=bf16 runs the model in bfloat16",
        ),
        (
            {"outputs": {"y": TensorSpec(("batch", 8), "complex64")}},
            "output 'y' has the dtype 'complex64'",
            "take and return real and imaginary parts, as torch.view_as_real makes them",
        ),
        (
            {"inputs": {"x": TensorSpec((-1, 8))}},
            "input 'x' has a dimension -1",
            "write a size from 0 up, or a name (letters, digits, _) if it is dynamic",
        ),
        (
            {"inputs": {"x": TensorSpec(("my-dim", 8))}},
            "input 'x' has a dimension 'my-dim'",
            "write a size from 0 up, or a name (letters, digits, _) if it is dynamic",
        ),
        (
            {"inputs": {"x": TensorSpec([8])}},
            "input 'x' has the shape [8]",
            'write a tuple, as ("batch", 8)',
        ),
        (
            {"inputs": {"x": TensorSpec(("time", "batch"))}, "dims": {"time": Dim(1, 2, 3)}},
            "input 'x' has its batch at dimension 1",
            "take and return the batch first, or give that dimension another name",
        ),
        (
            {"task": "clasification"},
            (
                "its task is 'clasification'; known are classification, detection, embeddings, "
                "regression, segmentation, tensor, text_generation"
            ),
            "did you mean 'classification'?",
        ),
        (
            {"profile": Profile(inputs=TIMED, dims={"batch": Dim(1, 1, 4)})},
            (
                "in its profile input 'x' has the dynamic dimension 'time', and dims= has no "
                "bounds for it"
            ),
            "write dims={'time': Dim(min, opt, max)}, or its size in the shape",
        ),
        (
            {"profile": Profile(inputs={"z": X["x"]}, dims={"batch": Dim(1, 1, 4)})},
            "its profile has the input 'z', which the model has not",
            "choose one of: x",
        ),
    ],
)
def test_what_is_refused(keywords, why, mend):
    """What no engine could be given is reported where it is written."""
    with pytest.raises(ModelError) as caught:
        declared(**keywords)
    assert str(caught.value) == f"cannot use the model toy\n  why:  {why}\n  mend: {mend}"


def test_a_batch_has_bounds_unless_they_are_given():
    """Other dimensions of ``dims`` do not take them away."""
    spec = declared(TIMED, dims={"time": Dim(4, 8, 16)})
    assert spec.dims == {"batch": Dim(), "time": Dim(4, 8, 16)}
    assert declared(dims={"batch": Dim(2, 4, 8)}).dims == {"batch": Dim(2, 4, 8)}


def test_any_dynamic_dimension_has_bounds():
    """What nobody states has usual ones, by its name."""
    spec = declared({"x": TensorSpec(("batch", "time", "height", "width"))})
    assert spec.dims["time"] == Dim(2, 16, 64)
    assert spec.dims["width"] == spec.dims["height"] == Dim(64, 224, 448, multiple=32)


def test_a_model_may_have_no_batch():
    """Every batch asks for the same shapes; rows are not spoken of."""
    spec = declared({"x": TensorSpec((4, 8))}, {"y": TensorSpec((4, 8))})
    assert spec.dims == {}
    assert not spec.has_batch
    assert spec.input_shapes(1) == spec.input_shapes(7) == {"x": (4, 8)}


def test_an_output_s_size_may_follow_from_the_inputs():
    """Its name needs no bounds."""
    output = {"y": TensorSpec(("batch", "half"))}
    assert declared(TIMED, output, dims={"time": Dim(4, 8, 16)}).has_batch


def test_the_bundled_models_are_in_order():
    """Those of this package are declared by the same rules, with the names of numpy's dtypes."""
    for found in models.registered().values():
        for tensor in (*found.spec.inputs.values(), *found.spec.outputs.values()):
            assert np.dtype(tensor.dtype).name == tensor.dtype


TWINS = """
from pytest_infer import TensorSpec, model

@model(inputs={{"x": TensorSpec(("batch", 8))}}, outputs={{"y": TensorSpec(("batch", 8))}})
def net(): ...

@model({keywords})
def net(): ...
"""


@pytest.mark.parametrize(
    "keywords",
    [
        'inputs={"x": TensorSpec(("batch", 8))}, outputs={"y": TensorSpec(("batch", 8))}',
        "example=lambda: None",
    ],
)
def test_two_functions_of_one_name(keywords, tmp_path):
    """The first one would be gone without a word. The same file imported again is no twin."""
    path = tmp_path / "nets.py"
    text = TWINS.format(keywords=keywords)
    path.write_text(text)
    with pytest.raises(ModelError) as caught:
        run_path(str(path), run_name="nets")
    assert (caught.value.what, caught.value.why, caught.value.mend) == (
        "two models are called 'net'",
        f"both are in {path}, in lines 4 and 7",
        "rename one of the two functions",
    )
    path.write_text(text.rpartition("@model")[0])
    for _ in range(2):
        run_path(str(path), run_name="nets")


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ("frozen", "weights='frozen' is none of seeded, pretrained, random"),
        ("seeded", "weights='seeded' is for functions that take `pretrained`; "),
    ],
)
@pytest.mark.parametrize("known", [{"inputs": X, "outputs": Y}, {"example": lambda: np.ones(8)}])
def test_weights_it_cannot_have(known, weights, why):
    """A function without the parameter brings its own, whether its spec is known or read."""
    with pytest.raises(ModelError) as error:

        @model(**known, weights=weights)
        def toy(): ...

    assert error.value.why.startswith(why)


def test_weights_it_always_has():
    """Whatever ``--infer-weights`` says to others."""

    @model(inputs=X, outputs=Y, weights="random")
    def toy(pretrained): ...

    assert models.find("toy").weights == "random"
    assert models.find("reference_net").weights == "seeded"
