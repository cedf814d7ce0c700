"""The experiments of four articles as tests: ``pytest --pyargs pytest_infer.suites.seeds``.

In a clone, ``pytest suites/seeds`` is the same folder. Each file has an article's protocol, and the
same engines as this package measures them. Their figures are in the JSON report, from which
``python tools/seeds_page.py`` writes the page of results.
"""
