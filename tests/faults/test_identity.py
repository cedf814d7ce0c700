"""A verdict is about the model as it is now: whatever decides its answer, changed between two runs.

What is right is computed here from the feeds, by numpy and torch, never by the package.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

CONFTEST = """
from zz_models import *
"""

TEST = """
import numpy as np


def test_answers(engine, feeds, reference, case):
    outputs = engine(feeds)
    np.savez(
        f"{case.id}.npz",
        **{f"in_{name}": value for name, value in feeds.items()},
        **{f"out_{name}": value for name, value in outputs.items()},
        reference=next(iter(reference.fp64.values())),
    )
"""

INI = "[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider\n"


@dataclass
class Project:
    """A stranger's folder, in which pytest is run again and again with one cache."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    text: str = ""

    def write(self, files: dict[str, str]) -> None:
        """Write files by their names in the folder."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, *options: str, **environment: str) -> None:
        """Run the suite; every check must pass, for what is right is looked at afterwards."""
        done = subprocess.run(  # noqa: S603 - our own interpreter and options
            [sys.executable, "-m", "pytest", "--infer-cache=cache", "--infer-device=cpu", *options],
            cwd=self.folder,
            env=os.environ | {"COLUMNS": "200", "ZZ_SLOPE": "1"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.text = done.stdout
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def built(self) -> int:
        """Return how many engines the last run built."""
        return int(re.search(r"engines: (\d+) built", self.text)[1])

    @property
    def notices(self) -> list[str]:
        """Return what the last run noticed."""
        return [line for line in self.text.splitlines() if line.startswith("notice: ")]

    def answers(self, case: str) -> dict[str, np.ndarray]:
        """Return what a case was fed, what its engine put out, and its reference."""
        with np.load(self.folder / f"{case}.npz") as found:
            return dict(found)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty suite of one test, which writes down what engines put out."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_own.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text(INI)
    return Project(tmp_path)


HEAD = """
import os

import torch

from pytest_infer import TensorSpec, model

ROW = {"inputs": {"x": TensorSpec(("batch", 8))}, "outputs": {"y": TensorSpec(("batch", 8))}}


class Eye(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)
        torch.nn.init.eye_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)
        self.function = function

    def forward(self, x):
        return self.function(self.linear(x))
"""


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Return whether fp32 answers agree."""
    return found.shape == wanted.shape and bool(np.allclose(found, wanted, rtol=1e-4, atol=1e-5))


def agrees(project: Project, case: str, function) -> bool:
    """Return whether an engine and the reference gave what ``function`` makes of the feeds."""
    kept = project.answers(case)
    wanted = function(kept["in_x"].astype(np.float64))
    return close(kept["out_y"], wanted) and close(kept["reference"], wanted)


@pytest.mark.nightly
def test_two_models_of_one_file(project: Project) -> None:
    """Equal weights in one file, or no weights at all: each model has its own answers."""
    project.write(
        {
            "zz_models.py": HEAD
            + """
@model(**ROW)
def one():
    return Eye(lambda y: y)

@model(**ROW)
def two():
    return Eye(lambda y: y * 5 + 1)

def sized(size, name):
    def made():
        return torch.nn.ReLU()
    made.__name__ = f"at{size}"
    spec = TensorSpec(("batch", size))
    model(inputs={name: spec}, outputs={"y": spec})(made)

sized(6, "x")
sized(9, "x")

@model(inputs={"image": TensorSpec(("batch", 6))}, outputs={"y": TensorSpec(("batch", 6))})
def named():
    return torch.nn.ReLU()
"""
        }
    )
    models = "--infer-model=one,two,at6,at9,named"
    for _ in range(2):
        project.run(models, "--engine=ort,torchscript")
        for engine in ("ort", "torchscript"):
            assert agrees(project, f"one-{engine}-fp32-b1", lambda x: x)
            assert agrees(project, f"two-{engine}-fp32-b1", lambda x: x * 5 + 1)
            for size in (6, 9):
                kept = project.answers(f"at{size}-{engine}-fp32-b1")
                assert close(kept["out_y"], np.maximum(kept["in_x"], 0))
                assert kept["out_y"].shape == (1, size)
            kept = project.answers(f"named-{engine}-fp32-b1")
            assert close(kept["out_y"], np.maximum(kept["in_image"], 0))
    assert project.built == 0  # the second run found all of it


def test_edited_code(project: Project, tmp_path: Path) -> None:
    """Code that a model reaches is edited: its engine and reference are made again.

    A helper beside the model, one two imports away, an installed package that is upgraded, and
    one that is edited where it is installed and keeps its version.
    """
    packages = tmp_path / "packages"

    def write(slope: int) -> None:
        project.write(
            {
                "zz_models.py": HEAD
                + """
import zz_near


@model(**ROW)
def near():
    return Eye(zz_near.near)

@model(**ROW)
def far():
    return Eye(zz_near.far)

@model(**ROW)
def upgraded():
    from zz_lib import f
    return Eye(f)

@model(**ROW)
def patched():
    from zz_patched import f
    return Eye(f)
""",
                "zz_near.py": f"from zz_far import far\ndef near(y): return y * {slope}\n",
                "zz_far.py": f"def far(y): return y * {slope} + 1\n",
                "packages/zz_lib/__init__.py": f"def f(y): return y - {slope}\n",
                "packages/zz_patched/__init__.py": f"def f(y): return y + {slope}\n",
            }
        )
        for name, version in (("zz_lib", f"{slope}.0"), ("zz_patched", "1.0")):
            for old in packages.glob(f"{name}-*"):
                (old / "METADATA").unlink()
                (old / "top_level.txt").unlink()
                old.rmdir()
            place = packages / f"{name}-{version}.dist-info"
            place.mkdir()
            (place / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            (place / "top_level.txt").write_text(f"{name}\n")

    path = os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")])
    for slope in (2, 3, 2):
        write(slope)
        project.run(*("--infer-model=near,far,upgraded,patched", "--engine=ort"), PYTHONPATH=path)
        assert agrees(project, "near-ort-fp32-b1", lambda x, by=slope: x * by)
        assert agrees(project, "far-ort-fp32-b1", lambda x, by=slope: x * by + 1)
        assert agrees(project, "upgraded-ort-fp32-b1", lambda x, by=slope: x - by)
        assert agrees(project, "patched-ort-fp32-b1", lambda x, by=slope: x + by)
    assert project.built == 0  # what was built for the first content is there again


@pytest.mark.nightly
def test_what_no_file_shows(project: Project) -> None:
    """A variable, and a module read from a file, are noticed by the answer, and told once."""
    project.write(
        {
            "zz_models.py": HEAD
            + """
from pathlib import Path


class Env(torch.nn.Module):
    def forward(self, x):
        return x * float(os.environ["ZZ_SLOPE"])

@model(**ROW)
def env():
    return Env()

@model(**ROW)
def saved():
    return torch.load(Path(__file__).with_name("saved.pt"), weights_only=False)

@model(**ROW)
def same():
    return Eye(torch.relu)
"""
        }
    )
    rows = torch.nn.Linear(8, 8)
    torch.nn.init.eye_(rows.weight)
    torch.nn.init.zeros_(rows.bias)

    def save(function: torch.nn.Module) -> None:
        torch.save(torch.nn.Sequential(rows, function), project.folder / "saved.pt")

    options = ("--infer-model=env,saved,same", "--engine=ort,openvino,torchscript")
    save(torch.nn.ReLU())
    project.run(*options, ZZ_SLOPE="2")
    assert agrees(project, "env-ort-fp32-b1", lambda x: x * 2)
    assert agrees(project, "saved-ort-fp32-b1", lambda x: np.maximum(x, 0))
    assert not project.notices
    save(torch.nn.Tanh())
    project.run(*options, ZZ_SLOPE="3")
    for engine in ("ort", "openvino", "torchscript"):
        assert agrees(project, f"env-{engine}-fp32-b1", lambda x: x * 3)
        assert agrees(project, f"saved-{engine}-fp32-b1", np.tanh)
        assert agrees(project, f"same-{engine}-fp32-b1", lambda x: np.maximum(x, 0))
    assert [line.split()[1] for line in project.notices] == ["env", "saved"]
    assert "none of its files has changed" in project.text
    assert project.built == 6  # those of `same` are as they were
    project.run(*options, ZZ_SLOPE="3")
    assert (project.built, project.notices) == (0, [])


RARE = """
class Rare(torch.nn.Module):
    SCALE = 1.0

    def forward(self, x):
        return torch.where(x[:, :1] < float(os.environ["ZZ_SLOPE"]), 2 * x, x) * self.SCALE

@model(**ROW)
def rare():
    return Rare()
"""


@pytest.mark.nightly
def test_what_only_some_rows_show(project: Project) -> None:
    """A change that the first row does not show is noticed by those that are fed, too."""
    project.write({"zz_models.py": HEAD + RARE, "test_all.py": ALL_ROWS})
    options = ("test_all.py", "--infer-model=rare", "--engine=ort")
    project.run(*options, ZZ_SLOPE="-100")
    fed = project.answers("rare")["fed"]
    assert fed.shape == (8, 8)
    least, second, *_ = np.sort(fed[:, 0])
    between = (least + second) / 2
    assert fed[0, 0] > between  # only one row is below, and it is another than the first
    project.run(*options, ZZ_SLOPE=str(between))
    found = project.answers("rare")
    wanted = np.where(fed[:, :1] < between, 2 * fed, fed)
    assert close(found["out"], wanted)
    assert close(found["reference"], wanted)
    assert project.built == 1


ALL_ROWS = """
import numpy as np


def test_all(engine, answers, infer, case):
    found = [(infer.artefacts.models.feeds("rare", 1, each.start), each) for each in answers]
    references = [infer.artefacts.eager.reference(case, "fp64", each.start) for _, each in found]
    np.savez(
        "rare.npz",
        fed=np.concatenate([feeds["x"] for feeds, _ in found]),
        out=np.concatenate([each.outputs["y"] for _, each in found]),
        reference=np.concatenate([each["y"] for each in references]),
    )
"""


@pytest.mark.nightly
def test_another_model_in_the_process_of_pytest(project: Project) -> None:
    """What a hook changes in one process only does not reach engines: ``model.module`` says so."""
    project.write(
        {
            "zz_models.py": HEAD + RARE,
            "conftest.py": CONFTEST
            + "\ndef pytest_configure(config):\n    import zz_models\n"
            + "    zz_models.Rare.SCALE = 3.0\n",
            "test_module.py": MODULE,
        }
    )
    project.run("test_module.py", "--infer-model=rare", "--engine=ort", ZZ_SLOPE="-100")


MODULE = """
import pytest
from pytest_infer import ModelError


def test_module(model, engine, feeds):
    with pytest.raises(ModelError, match="rare is another model in this process"):
        model.module
"""
