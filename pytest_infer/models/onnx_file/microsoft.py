"""Operators of ONNX Runtime's own, into which it and its tools rewrite transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pytest_infer.arrays import Array

DOMAIN = "com.microsoft"


def microsoft_operators() -> tuple[type, ...]:
    """Return the operators of ONNX Runtime's own that transformers are rewritten into."""
    from onnx.reference.op_run import OpRun

    def made(name: str, compute: Any, domain: str = DOMAIN) -> type:
        def run(self: Any, *inputs: Any, **unused: Any) -> Any:
            del unused
            given = {each.name: get_attribute_value(each) for each in self.onnx_node.attribute}
            found = compute(*inputs, **given)
            return found if isinstance(found, tuple) else (found,)

        from onnx.helper import get_attribute_value

        return type(name, (OpRun,), {"op_domain": domain, "_run": run})

    return (
        made("Gelu", _gelu),
        made("FastGelu", _fast_gelu),
        made("BiasGelu", lambda x, bias: _gelu(x + bias)),
        made("QuickGelu", _quick_gelu),
        made("FusedMatMul", _fused_product),
        made("SkipLayerNormalization", _skip_layer_norm),
        made("SkipSimplifiedLayerNormalization", _skip_rms_norm),
        made("SimplifiedLayerNormalization", _rms_norm, domain=""),
    )


def _gelu(x: Array) -> Array:
    from scipy.special import erf

    found: Array = x * (erf(x / np.sqrt(2.0)).astype(x.dtype) + x.dtype.type(1)) / x.dtype.type(2)
    return found


def _fast_gelu(x: Array, bias: Array | None = None) -> Array:
    total = x if bias is None else x + bias
    inner = np.sqrt(2 / np.pi) * (total + 0.044715 * total**3)
    return np.asarray(0.5 * total * (1 + np.tanh(inner)), x.dtype)


def _quick_gelu(x: Array, alpha: float = 1.702) -> Array:
    return np.asarray(x / (1 + np.exp(-alpha * x)), x.dtype)


def _fused_product(
    a: Array,
    b: Array,
    *,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803 - ONNX Runtime's names
    transB: int = 0,  # noqa: N803
    transBatchA: int = 0,  # noqa: N803
    transBatchB: int = 0,  # noqa: N803
) -> Array:
    if transBatchA or transBatchB:
        raise NotImplementedError("FusedMatMul with transBatchA or transBatchB")
    left = np.swapaxes(a, -1, -2) if transA else a
    right = np.swapaxes(b, -1, -2) if transB else b
    return np.asarray(np.matmul(left, right) * a.dtype.type(alpha))


def _skip_layer_norm(
    x: Array,
    skip: Array,
    gamma: Array,
    beta: Array | None = None,
    bias: Array | None = None,
    *,
    epsilon: float = 1e-12,
) -> tuple[Array, ...]:
    total = x + skip if bias is None else x + skip + bias
    mean = total.mean(-1, keepdims=True)
    spread = ((total - mean) ** 2).mean(-1, keepdims=True)
    inverse = 1 / np.sqrt(spread + epsilon)
    scaled = (total - mean) * inverse * gamma
    return (scaled if beta is None else scaled + beta).astype(x.dtype), mean, inverse, total


def _skip_rms_norm(
    x: Array, skip: Array, gamma: Array, bias: Array | None = None, *, epsilon: float = 1e-12
) -> tuple[Array, ...]:
    total = x + skip if bias is None else x + skip + bias
    mean = total.mean(-1, keepdims=True)
    inverse = 1 / np.sqrt((total**2).mean(-1, keepdims=True) + epsilon)
    return _rms_norm(total, gamma, epsilon=epsilon), mean, inverse, total


def _rms_norm(
    x: Array, scale: Array, *, epsilon: float = 1e-5, axis: int = -1, stash_type: int = 1
) -> Array:
    del stash_type
    axes = tuple(range(axis % x.ndim, x.ndim))
    found: Array = x / np.sqrt((x**2).mean(axes, keepdims=True) + epsilon) * scale
    return found.astype(x.dtype)
