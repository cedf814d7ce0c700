"""What Inductor really compiles: settings, packages without torch's caches, programs with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_infer import Case, Parity, Reference
from pytest_infer.config import InferConfig
from pytest_infer.engines.adapters.compile import ENGINE
from pytest_infer.session.engine import under_test
from pytest_infer.session.session import InferSession
from pytest_infer.storage.cache import Cache, read_entry
from pytest_infer.storage.digest import digest_of_file
from pytest_infer.storage.eviction import MANIFEST
from pytest_infer.testing import contract_model  # noqa: F401 - registers the model
from pytest_infer.testing.contract import MODEL

ALONE = """
import sys
import numpy, torch
package = torch._inductor.aoti_load_package(sys.argv[1])
scores, features = package(torch.from_numpy(numpy.load(sys.argv[2])))
numpy.save(sys.argv[3], scores.numpy())
"""


DEFAULTS = {name: option.default for name, option in ENGINE.options.items()}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A session that keeps what it builds."""
    session = InferSession(InferConfig(device="cpu", cache=tmp_path_factory.mktemp("cache")))
    if lack := session.availability.missing("compile"):
        pytest.skip(f"compile: {lack.why}; {lack.mend}")
    yield session
    session.close()


def _parity(run, case, engine):
    reference = Reference(case, run.artefacts.eager)
    outputs = engine(run.artefacts.models.feeds(MODEL, case.batch))
    return Parity(case, reference, run.artefacts.models, None)(outputs)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("options", "proven"),
    [
        ((), {}),
        pytest.param(
            (("dynamic_batch", True), ("mode", "max-autotune")),
            {"dynamic_batch": True, "mode": "max-autotune"},
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            (("artefact", "program"), ("dynamic_batch", True)),
            {"artefact": "program", "dynamic_batch": True},
            marks=pytest.mark.nightly,
        ),
    ],
    ids=["defaults", "changed", "program"],
)
def test_settings(run, batch, options, proven):
    """Settings are in force, as what was opened shows; outputs are eager's, from a single graph."""
    case = Case(MODEL, "compile", "fp32", batch, "cpu", options)
    with under_test(case, run.artefacts.engines.of(case), run.hosts) as engine:
        evidence, verdict = engine.evidence(), _parity(run, case, engine)
    assert verdict.status == "pass", verdict.message
    assert evidence.proven == {**DEFAULTS, **proven}
    assert (evidence.details["graphs"], evidence.details["graph_breaks"]) == (1, 0)


@pytest.mark.nightly
def test_package_alone(run, tmp_path):
    """A copy of the package runs with torch alone, without Inductor's own folder."""
    case = Case(MODEL, "compile", "fp32", 3, "cpu")
    built = run.artefacts.engines.of(case)
    feeds = run.artefacts.models.feeds(MODEL, 3)
    with under_test(case, built, run.hosts) as engine:
        expected = engine(feeds)["scores"]
    package = shutil.copy(built.path("module.pt2"), tmp_path / "copy.pt2")
    np.save(tmp_path / "feeds.npy", feeds["image"])
    subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-I", "-c", ALONE, package, tmp_path / "feeds.npy", tmp_path / "out.npy"],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "empty")},
    )
    assert (np.load(tmp_path / "out.npy") == expected).all()


def test_program_is_opened_from_its_caches(run):
    """Its own caches have all that was compiled, and opening writes nothing beside them."""
    case = Case(MODEL, "compile", "fp32", 3, "cpu", (("artefact", "program"),))
    built = run.artefacts.engines.of(case)
    before = _files(built)
    with under_test(case, built, run.hosts) as engine:
        details = engine.evidence().details
        engine(run.artefacts.models.feeds(MODEL, 3))
    assert (details["cache_hits"], details["cache_misses"]) == (1, 0)
    assert _files(built) == before
    assert {path.name for path in before} > {"program.pt2", "caches.bin"}


def test_program_without_its_caches(run, tmp_path):
    """It is compiled when it is opened, and the evidence tells it."""
    case = Case(MODEL, "compile", "fp32", 3, "cpu", (("artefact", "program"),))
    built = run.artefacts.engines.of(case)

    def emptied(folder):
        shutil.copytree(built.folder, folder, dirs_exist_ok=True)
        (folder / MANIFEST).unlink()
        (folder / "caches.bin").write_bytes(b"")
        return read_entry(Path(built.folder)).facts

    entry = Cache(tmp_path / "cache").entry("engines", {"caches": "none"}, emptied)
    with under_test(case, replace(built, folder=str(entry.folder)), run.hosts) as engine:
        details = engine.evidence().details
        verdict = _parity(run, case, engine)
    assert (details["cache_hits"], details["cache_misses"]) == (0, 1)
    assert verdict.status == "pass", verdict.message


def _files(built):
    return {
        path: (path.stat().st_mtime_ns, digest_of_file(path))
        for path in built.path("").rglob("*")
        if path.is_file()
    }
