"""``path/to/model.onnx``: a file that is the model, whoever has written it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pytest_infer.errors import ModelError
from pytest_infer.models.declaration import check_declaration, dims_of
from pytest_infer.models.draft import Parts
from pytest_infer.models.onnx_file.file import files_of
from pytest_infer.models.onnx_file.signature import read_signature
from pytest_infer.models.onnx_file.stated import stated
from pytest_infer.models.source_kind import FileKind
from pytest_infer.models.spec import ModelSpec

if TYPE_CHECKING:
    from pytest_infer.models.draft import Asked, Draft
    from pytest_infer.models.source_kind import SourceKind


class OnnxFile(FileKind):
    """Files of ONNX; what they take and give is read off them, where onnx is."""

    def draft(self, asked: Asked) -> Draft:
        """Return the draft of a file's model, which has no module."""
        path = Path(asked.place)
        own = Parts(files=partial(files_of, path))
        return asked.draft(partial(_create, asked.name), partial(_spec, asked, path), own)


def _create(name: str) -> NoReturn:
    raise ModelError(
        f"{name} has no module",
        why="an ONNX file is no module: nothing can be traced, compiled or called in it",
        mend="ask for engines that are built from ONNX files, or bring the module itself",
    )


def _spec(asked: Asked, path: Path) -> ModelSpec:
    wishes = asked.wishes
    found = read_signature(path, wishes.outputs)
    inputs = stated(path, "input", found.inputs, wishes.inputs)
    spec = ModelSpec(
        name=asked.name,
        task=wishes.task or "tensor",
        inputs=inputs,
        outputs=stated(path, "output", found.outputs, wishes.outputs),
        source=asked.source,
        dims=dims_of(inputs, wishes.dims, found.dims),
        brings_weights=True,
        profile=wishes.profile,
        onnx=found.facts,
    )
    check_declaration(spec)
    return spec


KIND: SourceKind = OnnxFile(".onnx")
