"""Sphinx's configuration; `tox -e docs` builds the documentation."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from docs import tables

# Make autodoc import the names under TYPE_CHECKING too, because annotations use them.
os.environ["SPHINX_AUTODOC_RELOAD_MODULES"] = "1"

project = "pytest-cloudrepo"
author = "The pytest-cloudrepo authors"
release = version = version_of(project)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxarg.ext",
]
html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_show_copyright = False
# A smaller font for code, whose lines have up to 100 characters.
_SMALL = {"code-font-size": "var(--font-size--small--3)"}
html_theme_options = {"light_css_variables": _SMALL}
# No dashes: help texts contain options such as --data.
smartquotes_action = "qe"
# In docstrings, `single backticks` mean code, as in Markdown.
default_role = "code"

myst_enable_extensions = ["substitution"]
myst_heading_anchors = 3
myst_substitutions = {
    "admin_api": tables.admin_api(),
    "dialects_uploads": tables.dialects(tables.uploads),
    "dialects_pages": tables.dialects(tables.pages),
    "dialects_logins": tables.dialects(tables.logins),
    "rejections": tables.rejections(),
}

autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False

# Warn about references to unknown names of this project; other projects' names are not resolved.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!pytest_cloudrepo\b).*|.*\.Environment")]
