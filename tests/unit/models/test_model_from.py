"""A model is asked for by a text: what kind it is, what it is called, and whose name is taken."""

from pathlib import Path

import pytest

from pytest_infer.errors import ModelError
from pytest_infer.models import registry
from pytest_infer.models.draft import Reading
from pytest_infer.models.model_from import is_source, model_from, register_source, source_from_text
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

HERE = Path("/home/me")


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    """Nothing that is registered here stays."""
    registry.registered()
    for name in ("_registry", "_unread", "_declared"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))


def source(text, *inputs):
    """Return the source of a text, as seen from one folder."""
    return source_from_text(text, HERE, inputs)


@pytest.mark.parametrize(
    ("text", "absolute", "name", "file"),
    [
        ("timm:convnext_atto", "timm:convnext_atto", "timm-convnext_atto", ""),
        ("torchvision:resnet18", "torchvision:resnet18", "torchvision-resnet18", ""),
        ("nets/a b.pt", "/home/me/nets/a b.pt", "a-b", "/home/me/nets/a b.pt"),
        ("/nets/a.pt2", "/nets/a.pt2", "a", "/nets/a.pt2"),
        ("/nets/größe.pt", "/nets/größe.pt", "gro-e", "/nets/größe.pt"),
        ("/nets/模型.pt", "/nets/模型.pt", "model", "/nets/模型.pt"),
        ("small=nets/a.pt2", "/home/me/nets/a.pt2", "small", "/home/me/nets/a.pt2"),
        ("my.nets:small", "/home/me/my.nets:small", "small", ""),
    ],
)
def test_texts(text, absolute, name, file):
    """A text means the same in every folder, and gives a name that is readable and stable."""
    assert is_source(text)
    assert source(text) == Source(text=absolute, name=name, file=file)


@pytest.mark.parametrize("text", ["resnet50", "a-b.c", "small=resnet50"])
def test_names_are_no_sources(text):
    """What has no form of a source is a registered name."""
    assert not is_source(text)


def test_no_form():
    """The error has every form."""
    with pytest.raises(ModelError) as caught:
        model_from("convnext")
    assert caught.value.what == "cannot tell what kind of model 'convnext' is"
    assert "timm:NAME" in caught.value.mend


def test_known_by_name_before_it_is_read():
    """A source is a model that can be asked for; nothing of it is read yet, nor imported."""
    register_source(source("timm:no_such_model"))
    assert "timm-no_such_model" in registry.known_names()
    assert "timm-no_such_model" not in registry.registered()
    assert source("timm:no_such_model") in registry.sources()


def test_a_name_that_is_taken():
    """Both that want a name are named, and how to give another."""
    register_source(source("a/net.pt"))
    register_source(source("a/net.pt"))
    with pytest.raises(ModelError) as caught:
        register_source(source("b/net.pt2"))
    assert str(caught.value) == (
        "two models are called 'net'\n"
        "  why:  one is in /home/me/a/net.pt, the other in /home/me/b/net.pt2\n"
        "  mend: give this one another name: --infer-model=NAME=/home/me/b/net.pt2"
    )
    with pytest.raises(ModelError, match="two models are called 'resnet50'"):
        register_source(source("resnet50.pt"))


def test_a_name_that_is_taken_in_a_conftest():
    """Two sources of one file are told apart by what they name."""
    model_from("timm:a", name="net")
    model_from("timm:a", name="net")
    with pytest.raises(ModelError) as caught:
        model_from("timm:b", name="net")
    assert f"one is in {Path(__file__).resolve()} (timm:a)" in caught.value.why


def test_settled_by_what_another_process_has_read():
    """A model has the spec that was read elsewhere; its functions need a library, and wait."""
    text = source("timm:no_such_model")
    register_source(text)
    tensors = {"image": TensorSpec(("batch", 3, 8, 8))}
    spec = ModelSpec(text.name, "tensor", tensors, tensors, text)
    registry.settle(Reading(spec, ("preprocess",)))
    found = registry.find(text.name)
    assert found.spec == spec
    assert found.preprocess is not None
    assert found.labels is None
    assert registry.settled() == [Reading(spec, ("preprocess",))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x:float32[batch,3,8]", {"x": TensorSpec(("batch", 3, 8))}),
        ("net.x:int64[]:0..9", {"x": TensorSpec((), "int64", 0, 9)}),
        ("x:float32[batch]:-0.5..1", {"x": TensorSpec(("batch",), "float32", -0.5, 1)}),
        ("other.x:float32[1]", {}),
        ("net.2.x:float32[1]", {}),
        ("input.1:float32[1]", {"input.1": TensorSpec((1,))}),
        ("net.input.1:float32[1]", {"input.1": TensorSpec((1,))}),
        ("in:0:float32[1]", {"in:0": TensorSpec((1,))}),
    ],
)
def test_inputs_in_words(text, expected):
    """Shapes, dtypes and ranges, of one model or of any."""
    from pytest_infer.models.input_text import inputs_from_texts, texts_of

    assert inputs_from_texts(texts_of("net", [text], ["net", "other", "net.2"])) == expected


def test_inputs_that_cannot_be_read():
    """The error has the form, and examples."""
    from pytest_infer.models.input_text import inputs_from_texts

    with pytest.raises(ModelError) as caught:
        inputs_from_texts(["x=1x3x8"])
    assert caught.value.what == "cannot read the input 'x=1x3x8'"
    assert "image:float32[batch,3,224,224]" in caught.value.mend
