"""What ``pytest-infer`` does: one file per noun, found by ``__main__``."""
