"""How the site is built: ``python -m sphinx -W docs docs/_build/html`` with the extra ``[docs]``; nothing is fetched for it."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "metarouter-intercom"
author = "The metarouter-intercom authors"
project_copyright = "2026, The metarouter-intercom authors"
release = version_of("metarouter-intercom")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "metarouter-intercom"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True}
# A class's docstring tells its attributes; they are not listed a second time.
napoleon_use_ivar = True


def _is_field_of_tuple(
    _app: Sphinx, _what: str, _name: str, value: object, skip: bool, _options: object
) -> bool:
    return skip or type(value).__name__ == "_tuplegetter"


def setup(app: Sphinx) -> None:
    """Leave out the fields of named tuples, which say no more than their place."""
    app.connect("autodoc-skip-member", _is_field_of_tuple)
