"""Whether tests run that are marked ``nightly``: they repeat rules, or take minutes."""

from os import environ

VARIABLE = "INFER_NIGHTLY"
IS_NIGHTLY = environ.get(VARIABLE) == "1"
