"""Engines of phones and small boards for pytest-infer, one file each."""
