"""An ONNX file as it lies on the disk: whole, of a known operator set, with all of its weights."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.onnx_file.floats import nodes_of
from pytest_infer.models.onnx_file.known_operators import check_operators

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_OPSET = 9
"""The oldest operator set whose operators onnx's reference code has."""

_EXPORT = "export the model again, and copy the file with a tool that compares its size"


def read_file(path: Path) -> Any:
    """Return the model in a file, the weights beside it left there; raise `ModelError`.

    Refused are a file that is missing, damaged or no ONNX, operators or an operator set that onnx
    does not know, and weights that are not where the file says.
    """
    model = _parsed(path)
    _check_opset(path, model)
    for name in external_files(path, model):
        _check_external(path, name)
    _check_lengths(path, model)
    check_operators(path, model)
    _check_valid(path)
    return model


def files_of(path: Path) -> list[Path]:
    """Return the file and those with its weights: their content decides what it computes."""
    names = external_files(path, _parsed(path))
    for name in names:
        _check_external(path, name)
    return [path, *(path.parent / name for name in names)]


def external_files(path: Path, model: Any) -> list[str]:
    """Return the names of the files beside ``path`` that have weights of ``model``."""
    names = dict.fromkeys(_entries(tensor).get("location", "") for tensor in _external(model))
    for name in names:
        place = PurePath(name)
        if not name or place.is_absolute() or ".." in place.parts:
            raise _unusable(
                path,
                f"it says that weights lie in {name!r}, which is not beside it",
                "save it again with onnx.save_model(model, path, save_as_external_data=True)",
            )
    return list(names)


def _parsed(path: Path) -> Any:
    import onnx

    if not path.is_file():
        raise _absent(path)
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise _unusable(path, str(error), "give this user the right to read it") from error
    except Exception as error:
        why = f"it is damaged, cut off, or no ONNX file: {type(error).__name__}: {error}"
        raise _unusable(path, why, _EXPORT) from error
    if not model.opset_import or not model.graph.node:
        raise _unusable(path, "it holds no graph of any operator set", _EXPORT)
    return model


def _absent(path: Path) -> ModelError:
    if path.is_dir():
        return _unusable(path, "it is a folder", "name the file in it")
    folder = path.parent
    beside = sorted(each.name for each in folder.glob("*.onnx")) if folder.is_dir() else []
    near = get_close_matches(path.name, beside, n=1)
    mend = f"did you mean {near[0]!r}?" if near else "write the path of a file that is there"
    why = "there is no such file" if folder.is_dir() else f"there is no folder {folder}"
    return _unusable(path, why, mend)


def _check_opset(path: Path, model: Any) -> None:
    from onnx import IR_VERSION, __version__
    from onnx.defs import onnx_opset_version

    newest = onnx_opset_version()
    opset = opset_of(model)
    if not OLDEST_OPSET <= opset <= newest:
        is_new = opset > newest
        raise _unusable(
            path,
            f"its operator set is {opset}; {f'onnx {__version__} knows' if is_new else 'used are'} "
            f"{OLDEST_OPSET} to {newest}",
            "install a newer onnx in the models' host, or export for an older operator set"
            if is_new
            else "convert it: onnx.version_converter.convert_version(model, 17)",
        )
    if model.ir_version > IR_VERSION:
        raise _unusable(
            path,
            f"its format has the version {model.ir_version}; onnx {__version__} knows {IR_VERSION}",
            "install a newer onnx in the models' host, or write the file with an older one",
        )


def opset_of(model: Any) -> int:
    """Return the version of ONNX's own operators; of a file that has none of them the newest."""
    from onnx.defs import onnx_opset_version

    found = [each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}]
    return int(found[0]) if found else int(onnx_opset_version())


def _check_external(path: Path, name: str) -> None:
    file = path.parent / name
    if not file.is_file():
        raise _unusable(
            path,
            f"its weights are in {name!r}, and {path.parent} has no such file",
            f"copy {name} into {path.parent} too: the file and its weights belong together",
        )


def _check_lengths(path: Path, model: Any) -> None:
    """Raise `ModelError` if a file of weights is shorter than what lies in it."""
    for tensor in _external(model):
        entries = _entries(tensor)
        size = (path.parent / entries["location"]).stat().st_size
        end = int(entries.get("offset") or 0) + int(entries.get("length") or 0)
        if end > size:
            raise _unusable(
                path,
                f"the weight {tensor.name!r} ends at byte {end} of {entries['location']}, "
                f"which has {size}",
                _EXPORT,
            )


def _check_valid(path: Path) -> None:
    """Raise `ModelError` for a file that onnx's checker refuses; it reads the path, not a copy."""
    import onnx

    try:
        onnx.checker.check_model(str(path))
    except Exception as error:
        why = " ".join(str(error).split())[:500]
        mend = "mend what onnx.checker.check_model names where the file is made"
        raise _unusable(path, f"onnx's checker refuses it: {why}", mend) from error


def _external(model: Any) -> Iterator[Any]:
    """Yield the tensors whose values lie in another file."""
    from onnx.external_data_helper import uses_external_data

    graphs = [model.graph, *(each for node in nodes_of(model) for each in _graphs(node))]
    for graph in graphs:
        yield from (tensor for tensor in graph.initializer if uses_external_data(tensor))
    for node in nodes_of(model):
        for attribute in node.attribute:
            tensors = (attribute.t, *attribute.tensors)
            yield from (tensor for tensor in tensors if uses_external_data(tensor))


def _graphs(node: Any) -> list[Any]:
    return [graph for each in node.attribute for graph in (each.g, *each.graphs)]


def _entries(tensor: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _unusable(path: Path, why: str, mend: str) -> ModelError:
    return ModelError(f"cannot use the ONNX file {path}", why=why, mend=mend)
