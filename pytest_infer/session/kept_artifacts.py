"""Keep the graph and the engine of every case in a folder for people (``--infer-artifacts``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.errors import OptionError
from pytest_infer.storage.artifacts import Artifact, keep_case, keep_graph

if TYPE_CHECKING:
    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import BuiltEngine
    from pytest_infer.hosts.pool import HostPool

DIGEST_CHARACTERS = 8

MANIFEST = "manifest.json"
"""The cache's own file beside an engine's."""


class KeptArtifacts:
    """Copies what cases are built from, and what was built."""

    def __init__(self, root: Path, hosts: HostPool) -> None:
        self._root = root
        self._hosts = hosts

    def keep(self, case: Case, built: BuiltEngine) -> None:
        """Keep a case's graph and engine; raise `OptionError` if the folder takes no files."""
        try:
            graph = self._graph(built)
            files, note = self._files(case, built)
            keep_case(self._root, Artifact(case.id, graph, (), built.content, note), files)
        except OSError as error:
            raise OptionError(
                f"cannot keep the graph and the engine of {case.id} in {self._root}",
                why=str(error),
                mend="name another folder with --infer-artifacts=DIR, or make room",
            ) from error

    def _graph(self, built: BuiltEngine) -> str:
        graph = built.graph
        if graph.request.format != "onnx":
            return ""
        digest = graph.digest[:DIGEST_CHARACTERS]
        name = f"{graph.spec.name}-{graph.request.precision}-{digest}"
        return keep_graph(self._root, name, Path(graph.file), graph.beside)

    def _files(self, case: Case, built: BuiltEngine) -> tuple[dict[str, Path], str]:
        """Return the engine's files by their names, and why there are none."""
        if not built.folder:
            return {}, f"{case.engine} builds no files: it runs the module"
        if not self._hosts.place(case.engine).sees_files:
            return {}, f"its engine is on the machine where {case.engine} runs"
        folder = Path(built.folder)
        found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
        return {n: path for n, path in found.items() if path.is_file() and n != MANIFEST}, ""
