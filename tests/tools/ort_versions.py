"""What ONNX Runtime's older versions do not have."""

import pytest
from onnxruntime import InferenceSession

names_nodes = pytest.mark.skipif(
    not hasattr(InferenceSession, "get_provider_graph_assignment_info"),
    reason="ONNX Runtime before 1.24 does not name the nodes of a session",
)
