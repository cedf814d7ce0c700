"""Say when, where and how this run was made: options, commit, versions, seeds."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from dataclasses import asdict
from datetime import datetime, timezone
from time import time
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.fingerprint import machine, runtime_fingerprint
from pytest_infer.reports.run_info import RunInfo

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_infer.config import InferConfig

PACKAGES = (
    "pytest",
    "pytest-xdist",
    "hypothesis",
    "numpy",
    "scipy",
    "torch",
    "onnx",
    "onnxruntime",
)

GIT_S = 10
"""A repository that needs longer to say its commit is on a disk that hangs."""

SEEDS = {"hypothesis": "hypothesisseed", "randomly": "randomly_seed"}
"""Other plugins' options that decide draws and orders, by what a report calls them."""


def described_run(config: pytest.Config, chosen: InferConfig, began_s: float) -> RunInfo:
    """Return what is known of a run that began at ``began_s`` and ends now."""
    import pytest_infer

    commit, is_dirty = commit_of(config.rootpath)
    return RunInfo(
        started=datetime.fromtimestamp(began_s, timezone.utc).isoformat(timespec="seconds"),
        duration_s=round(time() - began_s, 3),
        command=shlex.join(["pytest", *config.invocation_params.args]),
        commit=commit,
        dirty=is_dirty,
        plugin=pytest_infer.__version__,
        platform=platform.platform(),
        machine=machine(),
        versions=runtime_fingerprint(PACKAGES),
        options={name: _jsonable(value) for name, value in asdict(chosen).items()},
        seeds=_seeds(config),
    )


def commit_of(folder: Path) -> tuple[str, bool | None]:
    """Return the commit checked out in ``folder``, and whether tracked files differ from it.

    Outside of a repository, or without git, the commit is what a CI says, and the rest unknown.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return os.environ.get("GITHUB_SHA") or os.environ.get("CI_COMMIT_SHA") or "", None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit.strip(), None if changes is None else bool(changes.strip())


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it fails, or is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_S,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _seeds(config: pytest.Config) -> dict[str, str]:
    """Return the seeds that were given; weights and feeds are drawn from names, not from one."""
    seeds = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "random")}
    for name, option in SEEDS.items():
        value = config.getoption(option, None)
        if value is not None:
            seeds[name] = str(value)
    return seeds


def _jsonable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_jsonable(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _jsonable(each) for name, each in value.items()}
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
