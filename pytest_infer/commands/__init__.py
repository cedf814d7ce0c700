"""What ``python -m pytest_infer`` does: one file per noun, found by ``__main__``."""
