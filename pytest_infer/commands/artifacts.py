"""``pytest-infer open``: look at a kept graph or engine with netron, in a browser."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.commands.printed import print_text
from pytest_infer.errors import OptionError, unknown
from pytest_infer.plain_text import shown
from pytest_infer.storage.artifacts import read_list

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

FOLDER = Path("artifacts")

READABLE = (".onnx", ".xml", ".pt2", ".pt", ".tflite", ".mnn", ".pte")
"""Endings of files that netron can show."""


def add_commands(nouns: _SubParsersAction[ArgumentParser]) -> None:
    """Add this noun's command."""
    told = "show the graph of a case that --infer-artifacts=DIR has kept, with netron in a browser"
    noun = nouns.add_parser("open", help=told, description=told)
    noun.add_argument("case", metavar="CASE", nargs="?", help="its id; none lists what there is")
    noun.add_argument(
        "--infer-artifacts", type=Path, metavar="DIR", default=FOLDER, help="default: artifacts"
    )
    noun.add_argument("--engine", action="store_true", help="the built engine, not its graph")
    noun.add_argument("--port", type=int, metavar="N", help="where netron listens on this machine")
    noun.add_argument(
        "--no-browser", action="store_true", help="print the address, and open no browser"
    )
    noun.set_defaults(run=_open)


def _open(options: Namespace) -> int:
    kept = read_list(options.infer_artifacts)
    if options.case is None:
        print_text("\n".join(f"{name}: {each.graph or each.note}" for name, each in kept.items()))
        return 0
    if options.case not in kept:
        raise unknown("case", options.case, kept)
    artifact = kept[options.case]
    names = artifact.engine if options.engine else (artifact.graph,)
    file = _shown(options.case, [options.infer_artifacts / name for name in names if name])
    _show(file, options)
    return 0


def _shown(case_id: str, files: list[Path]) -> Path:
    """Return the file that netron can show."""
    what = f"cannot show {shown(case_id)}"
    if not files:
        raise OptionError(
            what,
            why="no such file of it is kept: it was built from the module, or builds none",
            mend="choose a case of an engine that is built from a graph: ort, openvino, trt",
        )
    readable = [file for file in files if file.suffix in READABLE]
    if not readable:
        raise OptionError(
            what,
            why=f"netron does not read {', '.join(shown(file.name) for file in files)}",
            mend="leave out --engine, to see the graph that it was built from",
        )
    if not readable[0].is_file():
        raise OptionError(
            what, why=f"{readable[0]} has gone", mend="run again with --infer-artifacts=DIR"
        )
    return readable[0]


def _show(file: Path, options: Namespace) -> None:
    """Let netron serve a file until it is interrupted."""
    if find_spec("netron") is None:
        raise OptionError(
            f"cannot show {file}",
            why="netron is not installed",
            mend="pip install 'pytest-infer[netron]', or open the file in another viewer",
        )
    import netron

    address = ("localhost", options.port) if options.port else None
    netron.start(str(file), address=address, browse=not options.no_browser)  # prints where
    netron.wait()
