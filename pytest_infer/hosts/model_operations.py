"""What an engine host can be asked about models: weights, feeds, meaning of outputs."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pytest_infer.devices import fingerprint
from pytest_infer.errors import ModelError
from pytest_infer.graphs.graph import Graph
from pytest_infer.graphs.module import own_module
from pytest_infer.graphs.quantization import calibration_feeds
from pytest_infer.hosts import probe
from pytest_infer.hosts.heap import leaves_memory
from pytest_infer.hosts.results import EvaluationResult, ProbeResult
from pytest_infer.hosts.wire import as_type
from pytest_infer.models import registry as models
from pytest_infer.models.draft import reading_of
from pytest_infer.models.draft_spec import spec_of
from pytest_infer.models.evaluation import HeldOut, evaluation_of, held_out, row_digests
from pytest_infer.models.feeds import make_feeds, row_names
from pytest_infer.models.own_code import own_code
from pytest_infer.models.reached_code import reached_code
from pytest_infer.models.source import file_of
from pytest_infer.models.thumbnail import thumbnail
from pytest_infer.models.weights import created, load_module, save_weights
from pytest_infer.storage.digest import digest_of, digest_of_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.models.draft import Reading, Unread
    from pytest_infer.models.thumbnail import Thumbnail

WEIGHTS_FILE = "weights.safetensors"

IMAGE_LIBRARIES = ("scikit-image",)
"""Distributions whose files models are seeded with, and whose code nothing imports."""


class ModelOperations:
    """Each public method is one operation; its arguments are builtin types and arrays."""

    def __init__(self) -> None:
        self._held_out: dict[str, HeldOut] = {}
        """By model: to read them may take long."""

    def identity(self, model: str) -> dict[str, Any]:
        """Return what decides what a model computes, but its weights: its spec and its code.

        The code is all that the model's own functions, our seeding and our pruning can reach.
        """
        found = models.find(model)
        roots = [*models.code_files(found), file_of(load_module), file_of(own_module)]
        return {
            "spec": found.spec.as_key(),
            "code": reached_code(roots).as_key(),
            "runtime": fingerprint.runtime_fingerprint(IMAGE_LIBRARIES),
            "files": _contents(found.files() if found.files else ()),
        }

    def files(self, model: str) -> list[str]:
        """Return the paths of the files that decide what a model computes, besides code."""
        found = models.find(model).files
        return [str(path) for path in (found() if found else ())]

    def source_identity(self, model: str) -> dict[str, Any]:
        """Return what decides what is read from the source of a model: its files and its code."""
        unread = _unread(model)
        draft, source = unread.draft, unread.source
        roots = [file_of(draft.create), file_of(draft.spec), file_of(spec_of)]
        roots += [Path(source.file)] if not source.text else []
        return {
            "name": model,
            "source": [unread.text, *source.inputs],
            "code": reached_code(roots).as_key(),
            "files": _contents(draft.files() if draft.files else ()),
        }

    def reading(self, model: str) -> Reading:
        """Read the spec of a model from its source, by the library that has it."""
        found = reading_of(_unread(model))
        models.settle(found)
        return found

    @leaves_memory
    def probe(self, graph: dict[str, Any], structure: str) -> ProbeResult:
        """Return what a module as it is now answers to one row of feeds, in eager fp32 on the CPU.

        ``structure`` is that of its weights. If the module has another one by now, and so cannot
        take them, that one is returned instead.
        """
        module = as_type(graph, Graph)
        began = perf_counter()
        try:
            answer, left_out = probe.answer_and_rest(module)
            return ProbeResult(answer, perf_counter() - began, left_out)
        except ModelError:
            found = _structure_of(created(models.find(module.spec.name)))
            if found == structure:
                raise
            return ProbeResult(structure=found)

    @leaves_memory
    def write_weights(self, model: str, weights: str, folder: str) -> str:
        """Save the module with the weights of ``--infer-weights``; return their structure."""
        module = load_module(models.find(model), weights)
        save_weights(module, Path(folder, WEIGHTS_FILE))
        return _structure_of(module)

    def feeds(self, model: str, batch: int, images: str, start: int = 0) -> Arrays:
        """Return the named inputs made from ``batch`` photographs from ``start`` on, in a cycle."""
        folder = Path(images) if images else None
        return make_feeds(models.find(model), batch, folder, start=start)

    def row_names(self, model: str, images: str) -> list[str]:
        """Return what the photographs, or else the drawn rows, are called."""
        return row_names(models.find(model), Path(images) if images else None)

    def thumbnail(self, model: str, images: str, number: int) -> Thumbnail | None:
        """Return a small picture of a photograph as the model is fed it; None if it is none."""
        folder = Path(images) if images else None
        return thumbnail(make_feeds(models.find(model), 1, folder, start=number))

    def evaluation(self, model: str, images: str, *, is_calibrated: bool) -> EvaluationResult:
        """Return what a model's evaluation set is, and which rows of it are calibrated on, too.

        Photographs are calibrated on if ``is_calibrated``; a calibration set of the model's own
        is kept apart even where nothing is.
        """
        found, rows = models.find(model), self._rows(model)
        used: set[str] = set()
        if found.calibration or is_calibrated:
            used = {*row_digests(calibration_feeds(found, images), found.spec)}
        digests = row_digests(rows.inputs, found.spec)
        return EvaluationResult(
            rows=len(rows.labels),
            guess=rows.guess,
            original=evaluation_of(found).original,
            calibrated=[row for row, digest in enumerate(digests) if digest in used],
        )

    def evaluation_feeds(self, model: str, start: int, batch: int) -> Arrays:
        """Return ``batch`` rows of a model's evaluation set from ``start`` on, in a cycle."""
        return self._rows(model).feeds(start, batch)

    def right(self, model: str, outputs: Arrays, start: int) -> Array:
        """Return which of the answers to rows of the evaluation set are right."""
        return self._rows(model).right(outputs, start)

    def _rows(self, model: str) -> HeldOut:
        if model not in self._held_out:
            self._held_out[model] = held_out(models.find(model))
        return self._held_out[model]

    def postprocess(self, model: str, outputs: Arrays) -> list[Arrays]:
        """Return what the model's own postprocessing makes of its outputs, per row."""
        found = models.find(model)
        if found.postprocess is None:
            raise ModelError(
                f"{model} has no postprocessing",
                why="its decorator names none",
                mend="pass postprocess= to the model's decorator",
            )
        with own_code(f"postprocess {model}'s outputs", "postprocess"):
            return [dict(row) for row in found.postprocess(outputs)]

    def labels(self, model: str) -> list[str]:
        """Return the names of the classes; empty if the model has none."""
        labels = models.find(model).labels
        with own_code(f"read {model}'s labels", "labels"):
            return list(labels()) if labels else []


def _unread(model: str) -> Unread:
    found = models.unread(model)
    if found is None:
        raise RuntimeError(f"{model} is a registered model, whose spec is known")
    return found


def _contents(files: Iterable[Path]) -> list[list[str]]:
    """Return name and SHA-256 of each file."""
    return sorted([path.name, digest_of_file(path)] for path in files)


def _structure_of(module: nn.Module) -> str:
    """Return the digest of the names, shapes and dtypes of a module's weights."""
    state = module.state_dict()
    return digest_of([[name, list(each.shape), str(each.dtype)] for name, each in state.items()])
