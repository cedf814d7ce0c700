"""What Inductor needs besides torch: compilers and headers, looked for where they are used."""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from pytest_infer.engines.protocol import Missing


def missing_cxx() -> Missing | None:
    """Return what is absent if Inductor would find no C++ compiler."""
    command = os.environ.get("CXX", "g++")
    if shutil.which(next(iter(shlex.split(command)), "")):
        return None
    return Missing(
        f"Inductor compiles C++, and there is no compiler {command!r}",
        "apt-get install g++, or name another compiler: CXX=clang++",
    )


def missing_triton() -> Missing | None:
    """Return what is absent if Triton could not compile its interface to the driver.

    It is C, against Python's headers; CUDA's own come with Triton.
    """
    if find_spec("triton") is None:
        return Missing(
            "triton, Inductor's compiler for GPUs, is not installed",
            "install the torch of this CUDA version, which brings it",
        )
    command = os.environ.get("CC", "gcc")
    if not shutil.which(command) and ("CC" in os.environ or not shutil.which("clang")):
        return Missing(
            f"Triton compiles C, and there is no compiler {command!r}",
            "apt-get install gcc, or name another compiler: CC=clang",
        )
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    if not header.exists():
        return Missing(
            f"Triton compiles C against Python's headers, and there is no {header}",
            "apt-get install python3-dev, or use a Python that comes with its headers",
        )
    return None


def missing_cuda_headers() -> Missing | None:
    """Return what is absent if torch would find no CUDA toolkit."""
    named = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    if named or shutil.which("nvcc") or os.path.exists("/usr/local/cuda"):  # noqa: PTH110 - as torch
        return None
    return Missing(
        "AOTInductor compiles against CUDA's headers, and there is no CUDA toolkit",
        "install the toolkit of torch's CUDA version, and set CUDA_HOME to its folder",
    )
