"""The public face: what a user may import, and that nothing heavy comes with it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_infer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOORS = {"pytest_infer", "pytest_infer.testing", "pytest_infer.fuzzing.strategies"}
PUBLIC = [
    "Accuracy",
    "Against",
    "Answers",
    "Array",
    "Arrays",
    "BaselineError",
    "BaselineJudge",
    "BuildError",
    "BuildRequest",
    "BuiltEngine",
    "CacheError",
    "Case",
    "CaseError",
    "Consistency",
    "Device",
    "Dim",
    "Enforce",
    "Engine",
    "EngineOption",
    "EngineUnderTest",
    "Evaluation",
    "Evidence",
    "ExportError",
    "Fuzz",
    "GpuTimer",
    "Graph",
    "GraphRequest",
    "HostError",
    "InferError",
    "JudgedRows",
    "KnownFailure",
    "KnownFinding",
    "Latency",
    "LoadError",
    "LoadedModel",
    "Missing",
    "ModelError",
    "ModelSpec",
    "NoCaseError",
    "OptionError",
    "Parity",
    "Precision",
    "Profile",
    "Reference",
    "RunError",
    "Runner",
    "Samples",
    "TensorSpec",
    "TimingError",
    "Tolerance",
    "Truth",
    "Variants",
    "Verdict",
    "Yolo",
    "check_feeds",
    "expect",
    "metric",
    "model",
    "model_from",
    "module_from_graph",
    "register",
    "task",
]


def test_names():
    """A name that comes or goes is a decision, made here."""
    assert pytest_infer.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(pytest_infer))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_is_there(name):
    """Each is imported from where its types are read."""
    assert getattr(pytest_infer, name) is not None


def test_types_are_those_of_the_names():
    """What a type checker sees is what is imported."""
    tree = ast.parse(Path(pytest_infer.__file__).read_text())
    (seen,) = (node for node in tree.body if isinstance(node, ast.If))
    homes = {
        alias.name: node.module.removeprefix("pytest_infer.")
        for node in seen.body
        for alias in node.names
    }
    there = {name: home for home, names in pytest_infer._HOMES.items() for name in names.split()}
    assert homes == there
    assert sorted(homes) == PUBLIC


def test_unknown_name():
    """As of any module."""
    with pytest.raises(AttributeError, match=r"'pytest_infer' has no attribute 'modell'"):
        _ = pytest_infer.modell


def test_nothing_comes_with_it():
    """The face is imported by every start of pytest."""
    code = (
        "import sys, pytest_infer; print(sorted({'numpy', 'torch', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_pages_use_public_names(page):
    """What a page shows may be copied."""
    shown = re.findall(
        r"from (pytest_infer\S*) import|^import (pytest_infer\S*)", page.read_text(), re.MULTILINE
    )
    assert {one or other for one, other in shown} <= DOORS
