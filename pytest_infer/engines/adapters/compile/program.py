"""An exported program beside what Inductor has compiled of it, in torch's portable caches."""

from __future__ import annotations

import json
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.adapters.compile.runner import Compiled, compilation_facts, mode_options
from pytest_infer.engines.exported_program import DYNAMIC_BATCH, trace_request
from pytest_infer.engines.torch_runner import arithmetic, examples
from pytest_infer.errors import RunError
from pytest_infer.graphs.dynamic_dims import dynamic_axes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
    from pytest_infer.graphs.graph import Graph

FILE = "program.pt2"
CACHES = "caches.bin"
FACTS = "facts.json"

STANCE = "fail_on_recompile"
"""torch's name for the mode in which a call that would be compiled again is an error."""


def write_program(
    exported: Any, graph: Graph, request: BuildRequest, folder: Path
) -> Mapping[str, Any]:
    """Save an exported program and what its compilation leaves in torch's caches.

    It is loaded and called as `opened_program` will do it, or the caches would not be hit. Return
    what was counted.
    """
    import torch
    from torch.compiler._cache import CacheArtifactManager

    torch.export.save(exported, folder / FILE)
    # What this process has compiled before belongs to other built engines.
    with (
        CacheArtifactManager.with_fresh_cache(),
        TemporaryDirectory(prefix="pytest-infer-") as scratch,
        _private_caches(request, scratch),
    ):
        _, facts = _called(_loaded(folder / FILE, request.device), graph, request)
        saved = torch.compiler.save_cache_artifacts()
    (folder / CACHES).write_bytes(saved[0] if saved else b"")
    (folder / FACTS).write_text(json.dumps(facts))
    return facts


def opened_program(built: BuiltEngine, scratch: str) -> Compiled:
    """Load a program and compile it from its caches, which are laid out in ``scratch``.

    The folder must remain as long as the call is used: kernels are loaded from it. Nothing is
    written beside the program. A later call that would be compiled again raises `RunError`.
    """
    program = _loaded(built.path(FILE), built.request.device)
    with _private_caches(built.request, scratch):
        _fill_caches(built.path(CACHES))
        call, facts = _called(program, built.graph, built.request)
    if not facts["cache_misses"]:
        facts["autotuned"] = json.loads(built.path(FACTS).read_text())["autotuned"]
    dtypes = {
        str(value.dtype) for value in program.state_dict.values() if value.is_floating_point()
    }
    return Compiled("program", _never_again(call, built.graph.spec.name), dtypes, facts)


def _loaded(path: Path, device: str) -> Any:
    """Return the exported program with its weights on ``device``, for which it may not be saved."""
    import torch
    from torch.export.passes import move_to_device_pass

    program = torch.export.load(path)
    if {value.device for value in program.state_dict.values()} <= {torch.device(device)}:
        return program
    return move_to_device_pass(program, device)


@contextmanager
def _private_caches(request: BuildRequest, scratch: str) -> Iterator[None]:
    """Let Inductor and Triton keep their files in a new folder within ``scratch``.

    Their own default is one folder for all processes of a user, in which what another process
    has compiled would be found, and proved nothing of this built engine.
    """
    from torch._inductor.cpu_vec_isa import pick_vec_isa
    from torch._inductor.utils import fresh_cache

    if request.device == "cpu":
        pick_vec_isa()  # it compiles probes for some 10 s, unless the default folder has them
    with fresh_cache(dir=scratch, delete=False):
        yield


def _fill_caches(path: Path) -> None:
    import torch

    content = path.read_bytes()
    if content and torch.compiler.load_cache_artifacts(content) is None:
        raise ValueError(f"torch cannot read the caches in {path.name}")


def _called(
    program: Any, graph: Graph, request: BuildRequest
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the program's compiled call, which was called once, and what was counted then."""
    import torch
    from torch._dynamo.utils import counters

    is_dynamic = bool(request.options[DYNAMIC_BATCH])
    # A module's own call has code that all modules share, and with it one store of compiled code.
    call = torch.compile(
        program.module().forward,
        fullgraph=True,
        dynamic=None if is_dynamic else False,
        options={
            **mode_options(request),
            **({"guard_filter_fn": _without_size_guards} if is_dynamic else {}),
        },
    )
    counters.clear()
    with arithmetic(request.precision):  # tensors from outside of it have other guards
        inputs = examples(graph, trace_request(graph.spec, request))
        if is_dynamic:
            _mark_dynamic(graph, inputs)
        call(*inputs)
        facts = compilation_facts()
    found = counters["inductor"]
    return call, {
        **facts,
        "cache_hits": found["fxgraph_cache_hit"],
        "cache_misses": found["fxgraph_cache_miss"] + found["fxgraph_cache_bypass"],
    }


def _mark_dynamic(graph: Graph, inputs: Sequence[Tensor]) -> None:
    """Mark the dynamic axes for Dynamo, which then refuses to fix one."""
    import torch

    for value, axes in zip(inputs, dynamic_axes(graph.spec).values(), strict=True):
        for axis in axes:
            torch._dynamo.mark_dynamic(value, axis)  # noqa: SLF001 - its documented name


def _without_size_guards(guards: Sequence[Any]) -> list[bool]:
    """Return which guards to keep: not those of the free sizes' values.

    By them Dynamo excludes a batch of 1, and those at which a kernel is chosen (on a CPU, 16 and
    more for a convolution). What was compiled computes them too, as a package does, which has no
    guards: its own assertions watch the strides of what libraries return, and the runner watches
    the spec's bounds.
    """
    return [guard.guard_type != "SHAPE_ENV" for guard in guards]


def _never_again(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return ``call``, which raises `RunError` instead of being compiled again.

    The stance belongs to the whole process, so that it is taken for each call alone.
    """
    import torch

    def fixed(*inputs: Tensor) -> Any:
        try:
            with torch.compiler.set_stance(STANCE):
                return call(*inputs)
        except RuntimeError as error:
            if STANCE not in str(error):
                raise
            raise RunError(
                f"{name} would be compiled again",
                why=str(error),
                mend="leave torch's settings as they were when it was opened, and feed it what it "
                "was built for",
            ) from error

    return fixed
