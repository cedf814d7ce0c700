"""``hf:ID`` or ``hf:./folder``: models of Hugging Face's transformers, by their config."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.draft import Parts
from pytest_infer.models.draft_spec import Said, spec_of
from pytest_infer.models.image_input import resized
from pytest_infer.models.source_kind import SchemeKind, name_from_text
from pytest_infer.models.sources.hf_inputs import (
    PIXELS,
    drawn_row,
    image_size,
    inputs_of,
    no_inputs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from pytest_infer.arrays import Arrays
    from pytest_infer.models.draft import Asked, Draft
    from pytest_infer.models.source_kind import SourceKind
    from pytest_infer.models.spec import ModelSpec

    Size = tuple[int, int]

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"
THRESHOLD = 0.5
_TASKS: dict[str, str] = {
    "ForImageClassification": "classification",
    "ForSequenceClassification": "classification",
    "ForAudioClassification": "classification",
    "ForObjectDetection": "detection",
}
_OUTPUTS = (
    *("logits", "pred_boxes", "pred_masks", "class_queries_logits", "masks_queries_logits"),
    *("start_logits", "end_logits", "prediction_logits", "seq_relationship_logits"),
    *("image_embeds", "text_embeds", "predicted_depth", "audio_values"),
)
"""What a head answers; what else is returned beside it are the layers' states."""


class HuggingFace(SchemeKind):
    """Models with the class that their config names, from a folder or the hub's cache."""

    def __init__(self) -> None:
        super().__init__("hf")
        self.form = "hf:ID or hf:./FOLDER"

    def absolute(self, text: str, folder: Path) -> str:
        """Return the text, a folder's path absolute in it."""
        place = text.partition(":")[2]
        path = (folder / Path(place).expanduser()).absolute()
        is_path = place.startswith((".", "/", "~")) or path.is_dir()
        return f"hf:{path}" if is_path else text

    def name(self, text: str) -> str:
        """Return ``hf-`` and the id, or a folder's own name."""
        place = text.partition(":")[2]
        return name_from_text(f"hf-{Path(place).name if place.startswith('/') else place}")

    def draft(self, asked: Asked) -> Draft:
        """Return the draft of a model; raise `ModelError` for an id that is not in the cache."""
        place = asked.place.partition(":")[2]
        folder = _folder(place)
        config = _config(place)
        kind = _class(config, place)
        size = asked.image_size(PIXELS) or image_size(config, _processor(folder))
        said = _said(kind, config, asked, size)
        has_pixels = size is not None and PIXELS in said.inputs and len(said.inputs) == 1
        own = Parts(
            preprocess=partial(_preprocess, folder, size) if size and has_pixels else None,
            postprocess=partial(_detections, place, size)
            if size and said.task == "detection"
            else None,
            labels=partial(_labels, place) if said.task != "tensor" else None,
            draw=None if has_pixels else drawn_row,
            files=partial(_files, folder),
        )
        return asked.draft(partial(create, place), partial(_spec, asked, place), own)


def create(place: str, pretrained: bool) -> nn.Module:
    """Return the model of a config, in fp32; with all of its weights, if they are asked for."""
    import torch

    config = _config(place)
    kind = _class(config, place)
    if not pretrained:
        module: nn.Module = kind(config)
        return module.float().eval()
    module, info = kind.from_pretrained(
        place, config=config, dtype=torch.float32, output_loading_info=True
    )
    if missing := sorted(info["missing_keys"]):
        raise ModelError(
            f"hf:{place} has no weights for all of {kind.__name__}",
            why=f"missing: {', '.join(missing[:5])}{' and more' * (len(missing) > 5)}",  # noqa: PLR2004
            mend="name in config.json's architectures the class that was trained, or choose "
            "--infer-weights=random",
        )
    return module.eval()


def _spec(asked: Asked, place: str) -> ModelSpec:
    config = _config(place)
    kind = _class(config, place)
    size = image_size(config, _processor(_folder(place)))
    said = _said(kind, config, asked, size)
    if not said.inputs and not asked.wishes.inputs:
        raise no_inputs(asked.place, kind)
    return spec_of(asked, said, partial(create, place, False), default_weights="pretrained")


def _said(kind: type, config: Any, asked: Asked, size: Size | None) -> Said:
    inputs, dims = inputs_of(kind, config, size)
    tasks: list[str] = [task for end, task in _TASKS.items() if kind.__name__.endswith(end)]
    return Said(inputs or asked.wishes.inputs or {}, (*tasks, "tensor")[0], dims, _wanted)


def _wanted(names: Sequence[str]) -> Sequence[str]:
    heads = [name for name in names if name in _OUTPUTS]
    return heads or [name for name in names if "." not in name]


def _config(place: str) -> Any:
    """Return the config; one call of a decoder gives no cache of keys and values."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(place)
    except (OSError, ValueError, KeyError) as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(
            f"cannot read the {CONFIG} of hf:{place}",
            why=why,
            mend="name a folder that save_pretrained has written; for a type of model that is "
            "newer than transformers here, install a newer one",
        ) from error
    for each in (config, config.get_text_config()):
        if hasattr(each, "use_cache"):
            each.use_cache = False
    return config


def _class(config: Any, place: str) -> Any:
    """Return the class that a config names, or else the bare model of its type."""
    import transformers

    names = getattr(config, "architectures", None) or []
    found = getattr(transformers, names[0], None) if names else None
    if names and found is None:
        raise ModelError(
            f"cannot create hf:{place}",
            why=f"transformers {transformers.__version__} has no {names[0]}",
            mend="install a version that has it, or decorate a function with pytest_infer.model",
        )
    return found or transformers.MODEL_MAPPING[type(config)]


def _folder(place: str) -> Path:
    """Return the folder that has the config: the one named, or the hub's cache of an id."""
    try:
        from transformers.utils import cached_file
    except ImportError as error:
        raise ModelError(
            f"cannot read hf:{place}",
            why=f"transformers cannot be imported: {error}",
            mend="pip install transformers, in the environment in which eager runs",
        ) from error
    if place.startswith("/") and not Path(place, CONFIG).is_file():
        raise ModelError(
            f"cannot read hf:{place}",
            why=f"there is no {CONFIG} in it"
            if Path(place).is_dir()
            else "there is no such folder",
            mend="name a folder that save_pretrained has written",
        )
    try:
        return Path(str(cached_file(place, CONFIG))).parent
    except OSError as error:
        raise ModelError(
            f"cannot find hf:{place}",
            why=str(error).strip().partition("\n")[0],
            mend="load it once where there is a network (it is kept in HF_HOME), or name a folder "
            "that save_pretrained has written: hf:./FOLDER",
        ) from error


def _files(folder: Path) -> list[Path]:
    """Return the files that say what is built and how it is fed; weights have their own key."""
    return sorted(folder.glob("*.json"))


def _preprocess(folder: Path, size: Size, photographs: Sequence[Any]) -> Arrays:
    """Return photographs at the model's size, normalised as its folder says, or to -1 to 1."""
    stated = _processor(folder)
    mean, std = stated.get("image_mean", (0.5,) * 3), stated.get("image_std", (0.5,) * 3)
    if not stated.get("do_normalize", True):
        mean, std = (0.0,) * 3, (1.0,) * 3
    return resized(PIXELS, size, mean, std, photographs)


def _processor(folder: Path) -> Mapping[str, Any]:
    """Return what a folder says of how photographs are prepared; nothing if it has no such file."""
    path = folder / PROCESSOR
    stated: Mapping[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return stated


def _detections(place: str, size: Size, outputs: Arrays) -> list[Arrays]:
    """Return, per row, scores above 0.5 with labels and boxes (x0, y0, x1, y1; input pixels)."""
    import numpy as np
    import torch
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING

    processors = IMAGE_PROCESSOR_MAPPING[type(_config(place))]
    named = processors.values() if isinstance(processors, dict) else processors
    processor = next(each for each in named if each is not None)()
    found = {name: torch.from_numpy(np.asarray(array)).float() for name, array in outputs.items()}
    rows = processor.post_process_object_detection(
        SimpleNamespace(**found),
        threshold=THRESHOLD,
        target_sizes=[size] * len(found["logits"]),
    )
    return [{name: tensor.numpy() for name, tensor in row.items()} for row in rows]


def _labels(place: str) -> list[str]:
    names: Mapping[int, str] = _config(place).id2label
    return [names[index] for index in sorted(names)]


KIND: SourceKind = HuggingFace()
