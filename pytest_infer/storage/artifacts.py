"""A folder of graphs and engines for people: readable names, and a list of them in JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.errors import OptionError
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIST = "artifacts.json"
"""The list of all cases in a folder."""

CASES, GRAPHS = "cases", "graphs"
OWN = "case.json"
"""What the list says of a case, in the case's folder."""

ENGINE = "engine"

SCHEMA = 1

MOST_CHARACTERS = 120
DIGEST_CHARACTERS = 8

_UNSAFE = re.compile(r"[^A-Za-z0-9._+=,-]")


class Artifact(msgspec.Struct, frozen=True):
    """What is kept of one case; paths begin at the list's folder."""

    case_id: str
    graph: str = ""
    """The ONNX file that the engine was built from; empty if it was built from the module."""
    engine: tuple[str, ...] = ()
    """The built engine's files."""
    content: str = ""
    """The digest of those files."""
    note: str = ""
    """Why something is not kept."""


class ArtifactList(msgspec.Struct, frozen=True):
    """The list of a folder."""

    schema: int
    artifacts: tuple[Artifact, ...]


def safe_name(text: str) -> str:
    """Return a name for a file or folder by which a person knows ``text``, another for each."""
    safe = _UNSAFE.sub("_", text)[:MOST_CHARACTERS].lstrip(".-")
    if safe == text:
        return safe
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]
    return f"{safe}-{digest}"


def keep_graph(root: Path, name: str, file: Path, beside: Sequence[str]) -> str:
    """Copy a graph and the weights beside it, unless they are there; return its path in ``root``.

    ``name`` must be another for every other graph.
    """
    folder = root / GRAPHS / safe_name(name)
    if not folder.is_dir():
        names = [file.name, *(Path(each).name for each in beside)]
        _publish(folder, {name: file.with_name(name) for name in names})
    return (folder / file.name).relative_to(root).as_posix()


def keep_case(root: Path, artifact: Artifact, files: Mapping[str, Path]) -> Artifact:
    """Copy a built engine's files, unless these very ones are there, and note what is kept.

    ``files`` are by their names, which may have folders.
    """
    folder = root / CASES / safe_name(artifact.case_id)
    engine = folder / ENGINE
    before = _read_own(folder / OWN)
    if files and not (before and before.content == artifact.content and engine.is_dir()):
        _publish(engine, files)
    names = tuple(sorted((engine / name).relative_to(root).as_posix() for name in files))
    kept = msgspec.structs.replace(artifact, engine=names)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / OWN, msgspec.to_builtins(kept))
    return kept


def write_list(root: Path) -> int:
    """Write the list of all that is kept in a folder, by this run and by earlier ones."""
    found = [_read_own(path) for path in sorted((root / CASES).glob(f"*/{OWN}"))]
    kept = [msgspec.to_builtins(each) for each in found if each]
    root.mkdir(parents=True, exist_ok=True)
    _write(root / LIST, {"schema": SCHEMA, "artifacts": kept})
    return len(kept)


def read_list(root: Path) -> dict[str, Artifact]:
    """Return what is kept in a folder, by the ids of cases; raise `OptionError` if it has no list.

    Paths that lead out of the folder are refused.
    """
    path = root / LIST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=ArtifactList)
    except OSError as error:
        raise _unusable(path, f"{type(error).__name__}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _unusable(path, shown(str(error))) from error
    if found.schema != SCHEMA:
        raise _unusable(path, f"its schema is {found.schema}, and this version reads {SCHEMA}")
    for artifact in found.artifacts:
        for name in filter(None, (artifact.graph, *artifact.engine)):
            if not (root / name).resolve().is_relative_to(root.resolve()):
                raise _unusable(path, f"{shown(name)} is outside the folder")
    return {each.case_id: each for each in found.artifacts}


def _publish(folder: Path, sources: Mapping[str, Path]) -> None:
    """Copy files into a folder that is whole when it appears."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(dir=folder.parent, prefix=".draft-"))
    try:
        for name, source in sources.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, draft / name)
        draft.chmod(0o755)
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # another worker has copied the same meanwhile
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _read_own(path: Path) -> Artifact | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Artifact)
    except (OSError, ValueError, RecursionError):
        return None  # not there, or cut off: it is written again


def _write(path: Path, content: Any) -> None:
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    draft.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)


def _unusable(path: Path, why: str) -> OptionError:
    mend = "name the folder that a run was given with --infer-artifacts=DIR"
    return OptionError(f"cannot use {path}", why=why, mend=mend)
