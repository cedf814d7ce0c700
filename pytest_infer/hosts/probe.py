"""What a model answers now, which shows whether what was made of it before is still right.

No list of files and versions holds all that decides an answer: an environment variable, a file that
the model's code reads, a compiled extension. Its answers show whether any of it has changed, if it
matters to what is fed.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.adapters.eager import ENGINE, runner_of
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.graphs.module import own_module
from pytest_infer.models import registry as models
from pytest_infer.models.feeds import DRAWN_ROWS, make_feeds
from pytest_infer.models.seeding import one_thread
from pytest_infer.models.spec import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.models.registry import Model

MOST_ELEMENTS = 2**21
"""Of all inputs: eight photographs of a classifier, one of a detector."""


def answer(graph: Graph, module: nn.Module | None = None) -> dict[str, Array]:
    """Return a module's outputs for some calls, as `answer_and_rest` does."""
    return answer_and_rest(graph, module)[0]


def answer_and_rest(
    graph: Graph, module: nn.Module | None = None
) -> tuple[dict[str, Array], list[str]]:
    """Return a module's outputs for `DRAWN_ROWS` calls, in eager fp32 on one thread of a CPU.

    They are fewer where inputs are large: `MOST_ELEMENTS`, but one call at least. On one CPU the
    same module gives the same bits, also if it draws from torch's generator. ``module`` is the
    user's own, already loaded, which is converted and called; None: it is loaded from the graph.
    Beside the outputs is what forward returns by name and the spec does not have.
    """
    from pytest_infer.models.spec_module import SpecModule, left_out

    model, rows = models.find(graph.spec.name), _least_rows(graph)
    first = make_feeds(model, rows, images=None)
    shapes = {name: feed.shape for name, feed in first.items()}
    built = BuiltEngine(ENGINE.name, graph, BuildRequest("fp32", "cpu", shapes), folder="")
    calls = max(1, min(DRAWN_ROWS, MOST_ELEMENTS // sum(feed.size for feed in first.values())))
    called = SpecModule(own_module(graph) if module is None else module, graph.spec)
    rest: dict[str, None] = {}

    def note(returned: Any) -> None:
        rest.update(dict.fromkeys(left_out(returned, list(graph.spec.outputs))))

    called.watch = note
    with _repeatable():
        runner = runner_of(called, built)
        answers = {
            f"{name}, call {call + 1}": values
            for call in range(calls)
            for name, values in runner.infer(_feeds(model, rows, call) if call else first).items()
        }
    return answers, list(rest)


def _feeds(model: Model, rows: int, call: int) -> Arrays:
    return make_feeds(model, rows, images=None, start=call * rows)


def _least_rows(graph: Graph) -> int:
    batch = graph.spec.dims.get(BATCH)
    return max(batch.min, 1) if batch else 1


@contextmanager
def _repeatable() -> Iterator[None]:
    import torch

    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(0)
        yield
