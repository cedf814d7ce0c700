"""Ways to one result, which an engine that is right takes alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Relation:
    """Two ways to one result."""

    code: str
    """What a verdict is called if they differ."""
    claim: str
    """The rule, which an engine that is right keeps."""
    cause: str
    """Where to look if they differ."""
    is_exact: bool
    """The same arithmetic ran twice, and not one bit may differ; else rounding may."""
    needs_rows: bool = False
    """It would prove nothing if all rows were alike."""


EQUAL_ROWS = Relation(
    "rows-differ",
    "equal rows of a batch give equal outputs",
    "a row that is not written, or an index that mixes rows",
    is_exact=False,
)
PERMUTED = Relation(
    "order-matters",
    "a permuted batch gives permuted outputs",
    "an operation that reduces over the batch, or a buffer that still holds another batch",
    is_exact=False,
    needs_rows=True,
)
SPLIT = Relation(
    "batch-matters",
    "a batch gives what its rows give one by one",
    "an operation that reduces over the batch, or kernels of one batch size",
    is_exact=False,
    needs_rows=True,
)
REPEATED = Relation(
    "not-repeatable",
    "a second call gives the first one's outputs",
    "atomic sums, uninitialised memory, or state that a call leaves behind",
    is_exact=True,
)
BURST = Relation(
    "not-repeatable",
    "many calls in a row give the first answers",
    "uninitialised memory, a buffer that is read too early or late, or state that a call leaves "
    "behind",
    is_exact=False,
)
TIMED = Relation(
    "not-repeatable",
    "timed calls put out what others do",
    "a bound call that computes something else, or nothing, or state that calls leave behind",
    is_exact=False,
)
REOPENED = Relation(
    "reload-differs",
    "an engine loaded again in another process gives the same outputs",
    "what is not in its files: environment, random numbers, kernels chosen when it is loaded",
    is_exact=True,
)
REBUILT = Relation(
    "rebuild-differs",
    "an engine built again gives the same outputs",
    "kernels chosen by timing, or random numbers in the build",
    is_exact=False,
)
UPGRADED = Relation(
    "outputs-differ",
    "the engine gives in both environments the same outputs",
    "a kernel or a graph optimization that one of the two versions has got wrong",
    is_exact=False,
)
INTERLEAVED = Relation(
    "stale-shapes",
    "a call of another shape in between changes nothing",
    "bindings, shapes or workspaces that are left from the call before",
    is_exact=True,
)
CONCURRENT = Relation(
    "not-concurrent",
    "two runners at the same time give what each gives alone",
    "memory, files or streams that the two share",
    is_exact=True,
)
