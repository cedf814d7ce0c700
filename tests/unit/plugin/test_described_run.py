"""What a report says of its run."""

import subprocess

import pytest

from pytest_infer.plugin import described_run
from pytest_infer.plugin.described_run import commit_of


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit."""
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA"):
        monkeypatch.delenv(name, raising=False)
    for variable in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{variable}_NAME", "x")
        monkeypatch.setenv(f"{variable}_EMAIL", "x@example.com")
    (tmp_path / "model.py").write_text("1")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)  # noqa: S603, S607
    return tmp_path


def test_commit(repository):
    """The commit, and whether tracked files differ; reports beside them do not count."""
    commit, is_dirty = commit_of(repository)
    assert (len(commit), is_dirty) == (40, False)
    (repository / "report.json").write_text("{}")
    assert commit_of(repository) == (commit, False)
    (repository / "model.py").write_text("2")
    assert commit_of(repository) == (commit, True)


def test_no_repository(tmp_path, monkeypatch):
    """Outside of one, or without git, the commit is what a CI says."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("GITHUB_SHA", raising=False)
    monkeypatch.delenv("CI_COMMIT_SHA", raising=False)
    assert commit_of(tmp_path) == ("", None)
    monkeypatch.setenv("CI_COMMIT_SHA", "abc")
    assert commit_of(tmp_path) == ("abc", None)
    monkeypatch.setenv("PATH", "")
    assert commit_of(tmp_path) == ("abc", None)


def test_git_that_hangs(tmp_path, monkeypatch):
    """It is not waited for at the end of a run."""

    def hang(*_, timeout, **__):
        raise subprocess.TimeoutExpired("git", timeout)

    monkeypatch.setattr(described_run.subprocess, "run", hang)
    monkeypatch.setenv("GITHUB_SHA", "abc")
    assert commit_of(tmp_path) == ("abc", None)
