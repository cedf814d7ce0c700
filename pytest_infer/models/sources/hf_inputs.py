"""The inputs of a Hugging Face model, by what its class takes first and what its config says."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.spec import Dim, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.arrays import Arrays
    from pytest_infer.models.spec import ModelSpec

    Inputs = dict[str, TensorSpec]

PIXELS = "pixel_values"
MASK = "attention_mask"
LENGTH = "length"
SAMPLES = "samples"
_LONGEST = 128
DECODED = "decoder_length"
DIMS = {SAMPLES: Dim(4000, 8000, 16000)}
"""A second of speech has 16,000 samples."""


def inputs_of(
    kind: type, config: Any, size: tuple[int, int] | None
) -> tuple[Inputs, Mapping[str, Dim]]:
    """Return the inputs of a class of models, and the bounds of their dimensions.

    Images have the height and width of ``size``. There are none if the class takes first what no
    config describes.
    """
    main = str(getattr(kind, "main_input_name", "input_ids"))
    found = _BY_MAIN[main](config) if main in _BY_MAIN else {}
    if main == PIXELS and size:
        found = {PIXELS: _image(config, size)}
    parameters = signature(kind.forward).parameters  # type: ignore[attr-defined]
    if size and {"return_loss", "input_ids", PIXELS} <= set(parameters):  # a text and an image
        found = {**_text(config), PIXELS: _image(config, size)}
    found = {name: tensor for name, tensor in found.items() if name in parameters}
    if found and config.is_encoder_decoder and "decoder_input_ids" in parameters:
        found["decoder_input_ids"] = _ids(config, DECODED)
    return found, {LENGTH: _length(config), **DIMS, DECODED: _decoded(config)}


def image_size(config: Any, processor: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the height and width that a config states, or else its processor; None if neither."""
    vision = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", None)
    if size is None:
        stated = processor.get("size")
        if not isinstance(stated, Mapping) or not {"height", "width"} <= set(stated):
            return None  # a number, or the shortest edge, is what a photograph is resized by
        return int(stated["height"]), int(stated["width"])
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))


def drawn_row(spec: ModelSpec, turn: int) -> Arrays:
    """Return one row of inputs; masks are ones and, in most rows, zeros at the end.

    A mask as tokenizers make it: a row that masks all that a token may see has no answer.
    """
    import numpy as np

    from pytest_infer.models.drawn_values import draw

    sizes = {name: dim.opt for name, dim in spec.dims.items()} | {"batch": 1}
    random = np.random.default_rng([0, turn])
    row = {
        name: draw(tensor, tensor.resolved(sizes), random, turn=turn)
        for name, tensor in spec.inputs.items()
    }
    for name in (MASK, "decoder_attention_mask"):
        if name in row:
            length = row[name].shape[-1]
            kept = length - turn % max(length // 2, 1)
            row[name] = (np.arange(length)[None] < kept).astype(row[name].dtype)
    return row


def no_inputs(text: str, kind: type) -> ModelError:
    """Return the error for a class whose inputs are not known."""
    main = getattr(kind, "main_input_name", "input_ids")
    return ModelError(
        f"cannot tell the inputs of {text}",
        why=f"{kind.__name__} takes {main}, and its config does not say their sizes",
        mend=f"state them: --infer-input='{main}:float32[batch,…]'",
    )


def _text(config: Any) -> Inputs:
    mask = TensorSpec(("batch", LENGTH), "int64", 0, 1)
    return {"input_ids": _ids(config, LENGTH), MASK: mask}


def _ids(config: Any, length: str) -> TensorSpec:
    most = config.get_text_config().vocab_size - 1
    return TensorSpec(("batch", length), "int64", 0, most)


def _length(config: Any) -> Dim:
    """Return the bounds of a text; positions that some models keep for padding are left out."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None) or _LONGEST
    most = max(min(_LONGEST, limit - 2), 2)
    return Dim(2, min(32, most), most)


def _decoded(config: Any) -> Dim:
    """Return the bounds of what a decoder is given: as far as it has positions, 64 at most."""
    limit = getattr(config, "max_target_positions", None) or _LONGEST
    most = max(min(64, limit), 2)
    return Dim(2, min(16, most), most)


def _image(config: Any, size: tuple[int, int]) -> TensorSpec:
    channels = getattr(getattr(config, "vision_config", config), "num_channels", 3)
    return TensorSpec(("batch", channels, *size))


def _sound(config: Any) -> Inputs:
    """Return samples for what begins with convolutions over them, else a spectrogram."""
    if hasattr(config, "conv_stride"):
        return {"input_values": TensorSpec(("batch", SAMPLES))}
    if hasattr(config, "max_length") and hasattr(config, "num_mel_bins"):
        return {"input_values": TensorSpec(("batch", config.max_length, config.num_mel_bins))}
    return {}


def _features(config: Any) -> Inputs:
    positions = getattr(config, "max_source_positions", None)
    if positions is None or not hasattr(config, "num_mel_bins"):
        return {}
    return {"input_features": TensorSpec(("batch", config.num_mel_bins, 2 * positions))}


_BY_MAIN: dict[str, Callable[[Any], Inputs]] = {
    "input_ids": _text,
    "input_values": _sound,
    "input_features": _features,
}
