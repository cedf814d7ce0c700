"""Regression tests for neural-network inference engines: right, and still fast."""

__version__ = "0.1.0"
