"""The contributors' pages name folders and modules that exist, and every folder of the package is on the map."""

from __future__ import annotations

import re

import pytest

from .documents import DOCS, TOP
from .in_code import PACKAGE

_PAGES = [DOCS / "contributing.md", TOP / ".github" / "CONTRIBUTING.md", TOP / "README.md"]
# Folders that a row of a table names by their place in the package.
_PLACES = (
    "messages",
    "operations",
    "_intercom",
    "_delivery",
    "_client",
    "_cli",
    "sandbox",
    "testing",
    "tests",
)
_PATH = re.compile(rf"`((?:metarouter_intercom/)?(?:{'|'.join(_PLACES)})/[\w./]*)`")


def _named(page):
    return sorted(set(_PATH.findall(page.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page):
    """Each folder or module that a page names exists in the package, or at the top of the project."""
    names = _named(page)
    missing = [name for name in names if not (PACKAGE / name).exists() and not (TOP / name).exists()]

    assert names
    assert missing == []


@pytest.mark.parametrize("page", ["contributing.md", "images/folder-map.svg"])
def test_every_folder_is_on_the_map(page):
    """A reader finds each folder of the package's root in the table and in the picture."""
    text = (DOCS / page).read_text(encoding="utf-8")
    folders = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]

    assert [name for name in folders if f"{name}/" not in text] == []
