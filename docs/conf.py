"""How the site is built: ``python -m sphinx -W docs docs/_build/html`` with the extra ``[docs]``."""

from importlib.metadata import version as version_of

project = "metarouter-intercom"
author = "The metarouter-intercom authors"
project_copyright = "2026, The metarouter-intercom authors"
release = version_of("metarouter-intercom")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "metarouter-intercom"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": False}
