"""What a model answers as it is now, so that what was made of it before can be told from it.

No list of files and versions holds all that decides an answer: an environment variable, a file that
the model's code reads, a compiled extension. One answer shows whether any of it has changed.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_infer.engines.adapters.eager import ENGINE
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.models import registry as models
from pytest_infer.models.feeds import make_feeds
from pytest_infer.models.seeding import one_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Array
    from pytest_infer.graphs.graph import Graph


def answer(graph: Graph) -> dict[str, Array]:
    """Return a module's outputs for its fewest rows of feeds, in eager fp32 on one thread of a CPU.

    On one CPU the same module gives the same bits, also if it draws from torch's generator.
    """
    model = models.find(graph.spec.name)
    feeds = make_feeds(model, _least_rows(graph), images=None)
    shapes = {name: feed.shape for name, feed in feeds.items()}
    built = BuiltEngine(ENGINE.name, graph, BuildRequest("fp32", "cpu", shapes), folder="")
    with _repeatable(), ENGINE.open(built) as runner:
        return runner.infer(feeds)


def _least_rows(graph: Graph) -> int:
    batch = graph.spec.dims.get("batch")
    return max(batch.min, 1) if batch else 1


@contextmanager
def _repeatable() -> Iterator[None]:
    import torch

    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(0)
        yield
