"""Models that are ONNX files: what is read off a file, and how it is computed node by node."""
