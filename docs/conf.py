"""How Sphinx builds the site: ``sphinx-build -W --keep-going docs site``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from pytest_infer import __version__

project = "pytest-infer"
author = "the pytest-infer authors"
copyright = "the pytest-infer authors, MIT licence"  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "pages_outside",
    "reference",
]
exclude_patterns = ["_ext"]
default_role = "code"  # docstrings name things in single backticks
nitpicky = False  # types in signatures are shown, not linked

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": False}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = "pytest-infer"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/logo.svg"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_logo": "logo.svg",
    "dark_logo": "logo.svg",
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": "#0b6e5d",
        "color-brand-content": "#0b6e5d",
        "color-brand-visited": "#3f6b63",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5fd3bc",
        "color-brand-content": "#5fd3bc",
        "color-brand-visited": "#93c9bd",
    },
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
