"""The torch dtypes in which a precision computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.case import Precision
    from pytest_infer.models.spec import TensorSpec

DTYPES: Mapping[Precision, str] = {
    "fp64": "float64",
    "fp32": "float32",
    "tf32": "float32",
    "bf16": "bfloat16",
    "fp16": "float16",
}
"""The torch dtype in which each precision keeps weights and activations."""


def torch_dtype(precision: Precision) -> Any:
    """Return the torch dtype of ``precision``; int8 is simulated in float32."""
    import torch

    return torch.float32 if precision == "int8" else getattr(torch, DTYPES[precision])


def input_dtype(spec: TensorSpec, dtype: Any) -> Any:
    """Return the torch dtype of an input: ``dtype``, unless it is no floating one."""
    import torch

    return dtype if spec.dtype.startswith("float") else getattr(torch, spec.dtype)
