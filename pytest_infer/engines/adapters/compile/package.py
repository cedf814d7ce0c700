"""AOTInductor's package: shared library, weights and kernels in one file, without Python."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from pytest_infer.engines.adapters.compile.runner import Compiled, compilation_facts, mode_options
from pytest_infer.engines.cuda_graph import OPTION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine

FILE = "module.pt2"
FACTS = "facts.json"

CONSTANT_DTYPE = re.compile(r"constants_info_\[\d+\]\.dtype = .*cached_torch_dtype_(\w+)")
"""How the package's source declares the type of a weight."""


def write_package(exported: Any, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
    """Compile an exported program into a package in ``folder``; return what was counted."""
    import torch

    # What an earlier build has measured would be neither measured again nor counted.
    configs = {**mode_options(request), "autotune_local_cache": False}
    torch._inductor.aoti_compile_and_package(  # noqa: SLF001 - its documented name
        exported, package_path=str(folder / FILE), inductor_configs=configs
    )
    facts = compilation_facts()
    (folder / FACTS).write_text(json.dumps(facts))
    return facts


def opened_package(built: BuiltEngine) -> Compiled:
    """Load a package onto the device."""
    import torch

    path, device = built.path(FILE), torch.device(built.request.device)
    load = _kept if device.type == "cpu" else _loaded
    # Its guard against parallel calls records events, which a capture refuses.
    package = load(path, device.index, is_single_threaded=bool(built.request.options[OPTION]))
    facts = json.loads(built.path(FACTS).read_text())
    return Compiled(
        "package",
        # The package's own call parses the signature each time; its loader's takes flat tensors.
        lambda *inputs: package.loader.run(list(inputs)),
        weight_dtypes_of(path),
        {**facts, "compiled_for": package.get_metadata()},
    )


def _loaded(path: Path, index: int | None, *, is_single_threaded: bool) -> Any:
    import torch
    import torch._inductor.codecache  # torch 2.10 loads with it, and does not import it

    return torch._inductor.aoti_load_package(  # noqa: SLF001 - its documented name
        str(path),
        run_single_threaded=is_single_threaded,
        device_index=-1 if index is None else index,
    )


_kept = cache(_loaded)
"""Load each file once per process: torch 2.15 never unmaps a library that it has loaded.

Each load maps another copy, weights included, which it has written to the temporary folder.
"""


def weight_dtypes_of(path: Path) -> set[str]:
    """Return the floating types of the weights, as the source in the package declares them."""
    with ZipFile(path) as package:
        names = [name for name in package.namelist() if name.endswith("wrapper.cpp")]
        source = "\n".join(package.read(name).decode() for name in names)
    if not names:
        raise ValueError("the package has no wrapper.cpp, which declares the weights")
    return {name for name in CONSTANT_DTYPE.findall(source) if "float" in name}
