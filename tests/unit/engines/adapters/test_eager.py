"""Eager mode runs the model's module; pruned, if that is asked for."""

import pytest

from pytest_infer.engines.adapters import eager
from pytest_infer.engines.protocol import BuildRequest
from pytest_infer.graphs.graph import GraphRequest


@pytest.mark.parametrize("is_sparse", [False, True])
def test_sparse(is_sparse):
    """``eager.sparse`` wants the weights that ``trt.sparse`` is built from."""
    request = BuildRequest("fp32", "cpu", {}, {"sparse": is_sparse})
    wanted = eager.ENGINE.graph_request(request)
    assert wanted == GraphRequest("module", is_pruned=is_sparse)
