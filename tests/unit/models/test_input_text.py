"""What is stated of inputs on the command line."""

import pytest

from pytest_infer.errors import ModelError
from pytest_infer.models.input_text import inputs_from_texts
from pytest_infer.models.spec import TensorSpec


def test_an_input_in_words():
    """A name with dots, sizes by number and by name, and a range."""
    assert inputs_from_texts(["input.1:int64[batch, 3,time]:0..9"]) == {
        "input.1": TensorSpec(("batch", 3, "time"), "int64", 0, 9)
    }


@pytest.mark.parametrize(
    ("text", "why", "mend"),
    [
        ("x:float33[batch]", "'float33' is no dtype of an input", "did you mean 'float32'?"),
        ("x:q[batch]", "'q' is no dtype of an input", "write one of these"),
        ("x float32", "its form is [MODEL.]NAME:DTYPE[SIZE,...]", "for example --infer-input="),
    ],
)
def test_what_cannot_be_read(text, why, mend):
    """Before anything is drawn from it."""
    with pytest.raises(ModelError) as caught:
        inputs_from_texts([text])
    assert caught.value.why.startswith(why)
    assert caught.value.mend.startswith(mend)
