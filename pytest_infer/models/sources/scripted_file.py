"""``path/to/NAME.pt``: a TorchScript file, as `torch.jit.save` writes it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from pytest_infer.errors import ModelError
from pytest_infer.models.draft import Parts
from pytest_infer.models.draft_spec import Said, spec_of
from pytest_infer.models.source_kind import FileKind

if TYPE_CHECKING:
    from torch import nn

    from pytest_infer.models.draft import Asked, Draft
    from pytest_infer.models.source_kind import SourceKind
    from pytest_infer.models.spec import ModelSpec


class Scripted(FileKind):
    """Files that hold a module's code and weights; they do not say the shapes of inputs."""

    def draft(self, asked: Asked) -> Draft:
        """Return the draft of a file; raise `ModelError` for one that is no TorchScript."""
        path = Path(asked.place)
        _check(path)
        own = Parts(files=lambda: [path])
        return asked.draft(partial(load, path), partial(_spec, asked, path), own)


def load(path: Path) -> nn.Module:
    """Return the module in a file."""
    import torch

    try:
        module: nn.Module = torch.jit.load(path, map_location="cpu")
    except Exception as error:
        raise ModelError(
            f"cannot read {path}",
            why=f"torch.jit.load raised {type(error).__name__}: {_first_line(error)}",
            mend="write it again with torch.jit.save: it is damaged, or needs operators of a "
            "library that is not imported",
        ) from error
    return module.eval()


def _spec(asked: Asked, path: Path) -> ModelSpec:
    if not asked.wishes.inputs and asked.wishes.example is None:
        raise _no_shapes(path, load(path))
    return replace(spec_of(asked, Said({}), partial(load, path)), is_scripted=True)


def _no_shapes(path: Path, module: Any) -> ModelError:
    names = [each.name for each in module.forward.schema.arguments[1:]]
    return ModelError(
        f"cannot tell the inputs of {path.name}",
        why=f"a TorchScript file does not say their shapes; forward takes {', '.join(names)}",
        mend=f"state them: {' '.join(_option(name) for name in names)}\n"
        f'or in conftest.py: model_from("{path.name}", example=lambda: torch.zeros(1, …))',
    )


def _option(name: str) -> str:
    return f"--infer-input='{name}:float32[batch,…]'"


def _check(path: Path) -> None:
    """Raise `ModelError` unless the file is one that `torch.jit.save` writes."""
    try:
        with ZipFile(path) as file:
            names = {name.partition("/")[2] for name in file.namelist()}
    except FileNotFoundError as error:
        raise ModelError(
            f"there is no file {path}", why=str(error), mend="write the path of a file that exists"
        ) from error
    except (OSError, BadZipFile) as error:
        raise _unreadable(path, f"it is damaged, or no file of torch's: {error}") from error
    if "constants.pkl" not in names:
        raise _unreadable(path, "it holds pickled objects or weights, and no module's code")


def _unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        f"cannot read {path} as TorchScript",
        why=why,
        mend="write it with torch.jit.save; for weights or a pickled module, decorate a function "
        "with pytest_infer.model that creates the module and loads it",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


KIND: SourceKind = Scripted(".pt")
