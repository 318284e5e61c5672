"""How the site is built: ``python -m sphinx -W docs docs/_build/html`` with the extra ``[docs]``; the pages load nothing from other hosts."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "metarouter-intercom"
author = "The metarouter-intercom maintainers"
project_copyright = "2026, the metarouter-intercom maintainers"
release = version_of("metarouter-intercom")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "extensions.typed_reference",
    "extensions.rule_links",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3

# Signatures carry the types, one parameter a line; see extensions/typed_reference.py.
add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
python_maximum_signature_line_length = 72
# A class's docstring lists its attributes; they are not listed a second time.
napoleon_use_ivar = True
napoleon_attr_annotations = False

copybutton_exclude = ".linenos, .gp, .go"
# What a command prints is there to compare with, not to paste.
copybutton_selector = "div.highlight-python pre, div.highlight-sh pre, div.highlight-json pre"

pygments_style = "friendly"
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
