"""The recipes for a CI are what their schemas allow, and the commands in them are right."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from onnx import helper, save

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"
SCHEMAS = {
    "github-workflows": [
        *sorted(RECIPES.glob("github-*.yml")),
        *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    ],
    "gitlab-ci": [RECIPES / "gitlab.yml"],
    "citation-file-format": [ROOT / "CITATION.cff"],
    "github-issue-config": [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"],
    "github-issue-forms": [
        each
        for each in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
        if each.name != "config.yml"
    ],
}
MODEL = "from pytest_infer import model_from\nmodel_from('classifier.onnx')\n"


def _write_model(path: Path) -> None:
    sides = [helper.make_tensor_value_info(name, 1, ["batch", 4]) for name in ("image", "scores")]
    node = helper.make_node("Relu", ["image"], ["scores"])
    graph = helper.make_graph([node], "classifier", sides[:1], sides[1:])
    opset = helper.make_opsetid("", 18)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path)


def _files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in RECIPES.glob(pattern))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_schema(schema: str) -> None:
    """The published schema has nothing against these files."""
    pytest.importorskip("check_jsonschema", reason="pip install 'pytest-infer[docs]'")
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            f"vendor.{schema}",
            *SCHEMAS[schema],
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stdout + done.stderr


def _texts(node: object) -> list[str]:
    """Return every text below ``run``, ``script`` and ``entry``."""
    if isinstance(node, dict):
        own = [node[key] for key in ("run", "script", "entry") if key in node]
        flat = [text for each in own for text in ([each] if isinstance(each, str) else each)]
        return flat + [text for each in node.values() for text in _texts(each)]
    if isinstance(node, list):
        return [text for each in node for text in _texts(each)]
    return []


def _commands() -> list[object]:
    found = []
    for path in _files("*.yml", "*.yaml"):
        texts = _texts(yaml.safe_load(path.read_text()))
        runs = [text for text in texts if "pytest-infer run" in text]
        assert runs, path
        for number, text in enumerate(runs):
            start = re.search(r"pytest-infer run.*", text, re.DOTALL)
            command = start[0].split("||")[0].replace(")", " ").split("\n    ")[0]
            found.append(pytest.param(command, id=f"{path.name}-{number}"))
    return found


@pytest.mark.parametrize("command", _commands())
def test_commands(command: str, tmp_path: Path) -> None:
    """Every option is known to pytest; what needs a GPU is refused for that alone."""
    (tmp_path / "conftest.py").write_text(MODEL)
    _write_model(tmp_path / "classifier.onnx")
    done = subprocess.run(  # noqa: S603 - what the recipe says
        [
            "/usr/bin/env",
            "bash",
            "-euc",
            f"{command.strip()} --collect-only -q -p no:cacheprovider",
        ],
        cwd=tmp_path,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GITHUB_STEP_SUMMARY": "summary.md",
            "CI_PROJECT_DIR": ".",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if "--infer-device=cuda" in command and done.returncode:
        assert "no NVIDIA GPU" in said or "cuda" in said, said
        assert "unrecognized arguments" not in said, said
    else:
        assert "tests collected" in said, said


def test_container_runs_the_commands_of_the_readme() -> None:
    """It cannot be built here, so its commands are compared with the page's."""
    readme, text = ((ROOT / "README.md").read_text(), (RECIPES / "Dockerfile").read_text())
    install, test = re.search(r"```console\n(.*)\n(.*)\n```", readme).groups()
    assert install.split("&& ")[1].split(" install ")[1] in text
    words = json.loads(re.search(r"CMD (\[.*\])", text)[1])
    assert " ".join(words).startswith(test)


def test_devcontainer_is_json() -> None:
    """It installs what a contributor needs."""
    found = json.loads((RECIPES / "devcontainer" / "devcontainer.json").read_text())
    assert "[cpu,test,lint,docs]" in found["postCreateCommand"]
