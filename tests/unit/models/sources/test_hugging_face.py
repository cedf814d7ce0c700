"""A folder of Hugging Face's: what its config says is what its model takes."""

import json
from pathlib import Path

import pytest

from pytest_infer.errors import ModelError
from pytest_infer.models import registry
from pytest_infer.models.feeds import make_feeds
from pytest_infer.models.model_from import register_source, source_from_text
from pytest_infer.models.registry import find
from pytest_infer.models.spec import Dim, TensorSpec
from pytest_infer.models.weights import load_module

transformers = pytest.importorskip("transformers")

LAYERS = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL = {**LAYERS, "intermediate_size": 64}
TEXT = {"vocab_size": 50, "max_position_embeddings": 32}
IDS = TensorSpec(("batch", "length"), "int64", 0, 49)
MASK = TensorSpec(("batch", "length"), "int64", 0, 1)

CASES = {
    "BertForSequenceClassification": (
        lambda: transformers.BertConfig(**SMALL, **TEXT, num_labels=7),
        "classification",
        {"input_ids": IDS, "attention_mask": MASK},
        {"logits": TensorSpec(("batch", 7))},
    ),
    "BertModel": (
        lambda: transformers.BertConfig(**SMALL, **TEXT),
        "tensor",
        {"input_ids": IDS, "attention_mask": MASK},
        {
            "last_hidden_state": TensorSpec(("batch", "length", 32)),
            "pooler_output": TensorSpec(("batch", 32)),
        },
    ),
    "LlamaForCausalLM": (
        lambda: transformers.LlamaConfig(**SMALL, **TEXT),
        "tensor",
        {"input_ids": IDS, "attention_mask": MASK},
        {"logits": TensorSpec(("batch", "length", 50))},
    ),
    "ViTForImageClassification": (
        lambda: transformers.ViTConfig(**SMALL, image_size=32, patch_size=8, num_labels=3),
        "classification",
        {"pixel_values": TensorSpec(("batch", 3, 32, 32))},
        {"logits": TensorSpec(("batch", 3))},
    ),
    "YolosForObjectDetection": (
        lambda: transformers.YolosConfig(
            **SMALL, image_size=[32, 48], num_detection_tokens=4, num_labels=5
        ),
        "detection",
        {"pixel_values": TensorSpec(("batch", 3, 32, 48))},
        {"logits": TensorSpec(("batch", 4, 6)), "pred_boxes": TensorSpec(("batch", 4, 4))},
    ),
    "Wav2Vec2ForCTC": (
        lambda: transformers.Wav2Vec2Config(**SMALL, vocab_size=9, conv_dim=[16] * 7),
        "tensor",
        {"input_values": TensorSpec(("batch", "samples"))},
        {"logits": TensorSpec(("batch", "logits_1", 9))},
    ),
}


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    """Nothing that is registered here stays."""
    registry.registered()
    for name in ("_registry", "_unread", "_declared"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))


def read(text, folder=Path()):
    """Return the model of a text."""
    source = source_from_text(text, folder, ())
    register_source(source)
    return find(source.name)


@pytest.fixture
def saved(tmp_path):
    """Return a function that writes a folder with a config, and weights if it is asked."""

    def save(name, config, *, with_weights=False):
        if with_weights:
            getattr(transformers, name)(config).save_pretrained(tmp_path / "net")
        else:
            config.architectures = [name]
            config.save_pretrained(tmp_path / "net")
        return "hf:./net"

    return save


@pytest.mark.parametrize("name", CASES)
def test_a_folder(tmp_path, saved, name):
    """Task, inputs with their ranges, and outputs; feeds have those shapes."""
    config, task, inputs, outputs = CASES[name]
    model = read(saved(name, config()), tmp_path)
    spec = model.spec
    assert (spec.name, spec.task, spec.inputs, spec.outputs) == ("hf-net", task, inputs, outputs)
    sizes = {dim: bounds.opt for dim, bounds in spec.dims.items()} | {"batch": 2}
    feeds = make_feeds(model, 2, None)
    shapes = {key: tensor.resolved(sizes) for key, tensor in inputs.items()}
    assert {key: each.shape for key, each in feeds.items()} == shapes


def test_size_of_images_by_the_processor(tmp_path, saved):
    """A network that takes any size is fed the one that its processor makes (RT-DETR's folders)."""
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], num_labels=3
    )
    saved("ResNetForImageClassification", config)
    stated = {"size": {"height": 32, "width": 48}}
    (tmp_path / "net" / "preprocessor_config.json").write_text(json.dumps(stated))
    model = read("hf:./net", tmp_path)
    assert model.spec.inputs == {"pixel_values": TensorSpec(("batch", 3, 32, 48))}
    assert make_feeds(model, 2, None)["pixel_values"].shape == (2, 3, 32, 48)


def test_masks_are_those_of_a_tokenizer(tmp_path, saved):
    """Ones, then zeros; the first row has no zero."""
    config = CASES["BertModel"][0]()
    model = read(saved("BertModel", config), tmp_path)
    assert model.spec.dims["length"] == Dim(2, 30, 30)
    masks = make_feeds(model, 4, None)["attention_mask"]
    assert masks.sum(1).tolist() == [30, 29, 28, 27]
    assert (masks[:, :-1] >= masks[:, 1:]).all()


def test_weights_of_the_folder(tmp_path, saved):
    """They are taken by default; without them it is an error, never other weights."""
    config = CASES["BertModel"][0]()
    model = read(saved("BertModel", config, with_weights=True), tmp_path)
    assert model.spec.default_weights == "pretrained"
    own = transformers.BertModel.from_pretrained(tmp_path / "net")
    loaded = load_module(model, "pretrained")
    assert (loaded.pooler.dense.weight == own.pooler.dense.weight).all()
    drawn = load_module(model, "random")
    assert not (drawn.pooler.dense.weight == own.pooler.dense.weight).all()
    (tmp_path / "net" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot load the pretrained weights of hf-net"):
        load_module(model, "pretrained")


def test_weights_of_another_class(tmp_path, saved):
    """A head that was not trained is an error, and not drawn."""
    config = CASES["BertModel"][0]()
    text = saved("BertModel", config, with_weights=True)
    config.architectures = ["BertForSequenceClassification"]
    config.save_pretrained(tmp_path / "net")
    with pytest.raises(ModelError) as caught:
        load_module(read(text, tmp_path), "pretrained")
    assert "has no weights for all of BertForSequenceClassification" in caught.value.what
    assert "classifier.bias, classifier.weight" in caught.value.why


def test_folders_that_cannot_be_had(tmp_path, saved):
    """None there, and a class that nobody has."""
    with pytest.raises(ModelError) as caught:
        read("none=hf:./none", tmp_path)
    assert caught.value.why == "there is no such folder"
    config = CASES["BertModel"][0]()
    with pytest.raises(ModelError) as caught:
        read(saved("BertForNothing", config), tmp_path)
    assert "has no BertForNothing" in caught.value.why
