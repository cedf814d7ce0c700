"""Inference libraries, each behind an adapter, and the registry that knows them."""
