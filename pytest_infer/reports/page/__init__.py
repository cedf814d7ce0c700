"""The report as one page of HTML, which needs nothing beside it: no network, no other file.

Templates are jinja2's, which torch brings along. Charts are SVG that the templates draw: a case's
take some kilobytes, where a library for charts has a megabyte before it draws the first, and they
are there without scripts, in print and for a screen reader.
"""

from __future__ import annotations

from pytest_infer.reports.page.render import page_text

__all__ = ["page_text"]
