"""The suites, which every model and engine goes through: ``pytest --pyargs pytest_infer.suites``.

In a clone, ``pytest suites`` is the same folder.
"""
