"""A spec of a batch and two sides, one of which comes in multiples; the batch is not the first."""

from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec

SPEC = ModelSpec(
    name="net",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 3, "height", "width"))},
    outputs={"scores": TensorSpec(("batch", 2))},
    source=Source(module="net"),
    dims={
        "height": Dim(33, 64, 320),
        "batch": Dim(1, 1, 8),
        "width": Dim(32, 64, 320, multiple=32),
    },
)
