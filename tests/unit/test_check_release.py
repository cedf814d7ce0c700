"""What ``tools/check_release.py`` refuses."""

from __future__ import annotations

import importlib.util
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("check_release", ROOT / "tools" / "check_release.py")
assert SPEC
assert SPEC.loader
check_release = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_release)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The sources of a version that is ready."""
    (tmp_path / "pytest_infer").mkdir()
    (tmp_path / "pytest_infer" / "__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "CITATION.cff").write_text("title: x\nversion: 0.2.0\n")
    (tmp_path / "CHANGELOG.md").write_text(
        "## Unreleased\n\n## 0.2.0 - 2026-12-24\n\n- Faster.\n\n## 0.1.0 - 2026-11-01\n\n- x\n"
    )
    return tmp_path


def test_this_repository() -> None:
    """Version and citation agree now."""
    assert check_release.source_faults(ROOT) == []


def test_a_tag_of_this_version(root: Path) -> None:
    """Nothing is wrong."""
    assert check_release.source_faults(root, "v0.2.0") == []


def test_another_tag(root: Path) -> None:
    """Both versions are named."""
    assert check_release.source_faults(root, "v0.3.0") == ["the tag v0.3.0 is not v0.2.0"]


def test_no_section(root: Path) -> None:
    """A section without a line is none."""
    (root / "CHANGELOG.md").write_text("## Unreleased\n\n## 0.2.0 - 2026-12-24\n\n## 0.1.0 - x\n")
    assert check_release.source_faults(root, "v0.2.0") == [
        "CHANGELOG.md has no section '## 0.2.0 - DATE', or it is empty"
    ]


def test_another_citation(root: Path) -> None:
    """The version to cite is this one."""
    (root / "CITATION.cff").write_text("version: 0.1.0\n")
    assert check_release.source_faults(root) == ["CITATION.cff has another version than 0.2.0"]


def test_wheel(tmp_path: Path) -> None:
    """It has what is wanted, and nothing of the tests."""
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name in ("pytest_infer/py.typed", "tests/test_x.py", "pytest_infer/notes.txt"):
            wheel.writestr(name, "")
    assert check_release.file_faults(path) == [
        "lacks pytest_infer/commands/codes.md",
        "lacks pytest_infer/plugin/__init__.py",
        "has tests/test_x.py",
        "has pytest_infer/notes.txt",
    ]


def test_sdist(tmp_path: Path) -> None:
    """Secrets, drafts and large files are named."""
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as sdist:
        for name, size in (("tests/t.py", 3), (".env", 1), ("docs/film.mp4", 2_000_000)):
            member = tarfile.TarInfo(f"pytest_infer-0.2.0/{name}")
            member.size = size
            sdist.addfile(member, io.BytesIO(bytes(size)))
    assert check_release.file_faults(path) == ["docs/film.mp4 has 2000000 bytes", "has .env"]
