"""Engine hosts in other interpreters: what one needs, and what is said of one that lacks it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import pytest_infer
from pytest_infer import HostError, ModelError
from pytest_infer.hosts.sent_files import SentFiles
from pytest_infer.hosts.start import start_host
from pytest_infer.models.source import Source
from pytest_infer.storage.cache import Cache

TOY = """
from pytest_infer import TensorSpec, model


@model(
    inputs={"image": TensorSpec(("batch", 3, 32, 32))},
    outputs={"logits": TensorSpec(("batch", 10))},
)
def toy():
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10)).eval()
"""

PREFIXES = """
import sys

with open({file!r}, "a") as file:
    file.write(sys.prefix + "\\n")
"""
"""Leaves the environment of each process that imports the models."""

MEND = (
    "  mend: give --infer-host or --infer-against a specification that starts a Python: "
    "ENGINE=popen//python=/opt/trt8/bin/python"
)


def command(folder, python, path=""):
    """Write a command that runs ``python`` with ``path`` as its PYTHONPATH, not with ours."""
    script = folder / "python-of-the-host"
    script.write_text(f'#!/bin/sh\ncd {folder}\nPYTHONPATH={path} exec {python} "$@"\n')
    script.chmod(0o700)
    return script


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory, bare_environment):
    """A Python that has nothing installed."""
    folder = tmp_path_factory.mktemp("bare")
    return command(folder, bare_environment(folder))


@pytest.fixture(scope="module")
def ort_python(tmp_path_factory, ort_environment):
    """A Python with this package and what a host of ONNX Runtime needs."""
    folder = tmp_path_factory.mktemp("ort")
    return command(folder, ort_environment(folder))


@pytest.fixture
def start(tmp_path):
    """Start a host by its specification, with a separate cache."""

    def call(spec, sources=()):
        cache = Cache(tmp_path / "cache")
        return start_host(
            spec, timeout_s=60, sources=sources, cache=cache, sent=SentFiles(cache.root)
        )

    return call


def imports(python, module):
    """Return whether ``python`` can import ``module``."""
    run = [python, "-c", f"import {module}"]
    done = subprocess.run(run, stderr=subprocess.PIPE, check=False)  # noqa: S603 - our own script
    return done.returncode == 0


def test_host_without_torch(toy_run, ort_python, tmp_path):
    """ONNX Runtime is right, and proves what ran, without torch, pytest and onnx."""
    assert not imports(ort_python, "torch")
    assert not imports(ort_python, "pytest")
    assert not imports(ort_python, "onnx")
    assert imports(ort_python, "onnxruntime")
    run = toy_run(
        "--engine=ort",
        f"--infer-host=ort=popen//python={ort_python}",
        "-k",
        "outputs or what_ran",
        conftest=TOY + PREFIXES.format(file=str(tmp_path / "prefixes")),
    )
    record = run.record("toy-ort-fp32-b1", "parity")
    assert record["code"] == "match", record["message"]
    assert record["runtime"]["onnxruntime"] == version("onnxruntime")
    assert run.lines("checks ran") == [
        "2 of 2 checks ran, 1 narrowed away by marks; verdicts: 4 pass"
    ]
    assert str(ort_python.parent) in (tmp_path / "prefixes").read_text().splitlines()


def test_host_runs_there(start, ort_python):
    """The host's own Python answers, with its own packages."""
    host = start(f"popen//python={ort_python}")
    try:
        assert host.call(
            "engine.missing", error=HostError, doing="ask", engine="eager", device="cpu"
        ) == {"why": "torch is not installed", "mend": "pip install 'pytest-infer[cpu]'"}
        assert not host.call(
            "engine.missing", error=HostError, doing="ask", engine="ort", device="cpu"
        )
    finally:
        host.close()


def test_engine_that_the_host_lacks(toy_run, ort_python):
    """An engine is missing if its host lacks it, whatever this process has."""
    run = toy_run(
        "--engine=torchscript",
        f"--infer-host=torchscript=popen//python={ort_python}",
        conftest=TOY,
    )
    assert run.code == 4
    assert run.errors.strip() == (
        "ERROR: cannot run engine 'torchscript' here\n"
        "  why:  torch is not installed\n"
        "  mend: pip install 'pytest-infer[cpu]'"
    )
    assert run.left == []


@pytest.fixture
def start_error(start):
    """Return the text of the error of starting a host."""

    def call(spec):
        with pytest.raises(HostError) as caught:
            start(spec)
        return str(caught.value)

    return call


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("popen//python=/missing/python", r".*No such file or directory: '/missing/python'"),
        ("popen//python=/bin/false", r".+"),
        ("popn", r"no gateway type found for 'popn'"),
        ("popen//popen", r"duplicate key: 'popen' in 'popen//popen'"),
        ("popen//_x=1", r".+"),
    ],
)
def test_spec_that_starts_no_python(start_error, spec, why):
    """A specification from which no Python comes is reported with an example of one."""
    text = start_error(spec)
    expected = f"cannot start the engine host {re.escape(spec)}\n  why:  {why}\n{re.escape(MEND)}"
    assert re.fullmatch(expected, text)


def test_python_without_this_package(start_error, bare_python):
    """The error about a Python that lacks this package says how to get it, at this version."""
    assert start_error(f"popen//python={bare_python}") == (
        f"cannot start the engine host popen//python={bare_python}\n"
        "  why:  No module named 'pytest_infer'\n"
        f"  mend: install pytest-infer {pytest_infer.__version__} in the host's environment, "
        "from the same clone or wheel"
    )


@pytest.fixture(scope="module")
def other_version(tmp_path_factory):
    """A Python that has this package at another version."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "pytest_infer").mkdir()
    for path in Path(pytest_infer.__file__).parent.iterdir():
        if path.name not in ("__init__.py", "__pycache__"):
            (folder / "pytest_infer" / path.name).symlink_to(path)
    (folder / "pytest_infer/__init__.py").write_text('__version__ = "0.0.1"\n')
    return command(folder, sys.executable, path=folder)


def test_host_of_another_version(toy_run, other_version):
    """A host whose version differs is refused at the start, as a usage error."""
    spec = f"popen//python={other_version}"
    run = toy_run("--engine=ort", f"--infer-host=ort={spec}", conftest=TOY)
    assert run.code == 4
    assert run.errors.strip() == (
        f"ERROR: the engine host {spec} has pytest-infer 0.0.1\n"
        f"  why:  this process has {pytest_infer.__version__}, and the two must be the same\n"
        f"  mend: install pytest-infer {pytest_infer.__version__} in the host's environment, "
        "from the same clone or wheel"
    )
    assert run.left == []


def test_models_that_the_host_cannot_import(start, tmp_path):
    """Code of the user's that fails in the host is reported with its file; the host is ended."""
    file = tmp_path / "conftest.py"
    file.write_text("import no_such_module")
    with pytest.raises(ModelError, match=f"cannot import {file}"):
        start("popen", [Source(file=str(file))])


def test_last_words(start, tmp_path):
    """What a library writes to stdout past Python, just before its process ends, is reported."""
    file = tmp_path / "conftest.py"
    file.write_text("import os\nos.write(1, b'out of luck\\n')\nos.kill(os.getpid(), 9)\n")
    with pytest.raises(HostError) as caught:
        start("popen", [Source(file=str(file))])
    assert re.fullmatch(
        "cannot start the engine host popen\n"
        "  why:  its engine host died: killed by SIGKILL, .* for lack of memory.*\n"
        "        out of luck\n"
        "  mend: rerun this case with --infer-host=ENGINE=inline under a debugger",
        str(caught.value),
    )


def test_inline(toy_run):
    """``inline`` runs an engine in pytest's own process, and judges it as ever."""
    run = toy_run("--engine=ort", "--infer-host=ort=inline", "-k", "outputs", conftest=TOY)
    assert run.code == 0
    assert run.record("toy-ort-fp32-b1")["code"] == "match"


def test_unknown_engine_of_a_host(toy_run):
    """A host for an engine that does not exist is a usage error that names the nearest."""
    run = toy_run("--infer-host=ortt=inline", conftest=TOY)
    assert run.code == 4
    assert run.errors.strip() == (
        "ERROR: unknown engine 'ortt'\n"
        "  why:  valid choices: compile, eager, openvino, ort, torch-trt, torchscript, trt, tvm\n"
        "  mend: did you mean 'ort'?"
    )
