"""What the documentation says about the sources of the sandbox's answers is what its code says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import metarouter_intercom.sandbox

_FOLDER = Path(metarouter_intercom.sandbox.__file__).parent
_DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "sandbox.md"
_ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
# Where a call names its rule: by keyword, or as its first argument.
_BY_KEYWORD = {"ApiError", "malformed"}
_BY_PLACE = {"record_violation", "resource_not_found"}


class _Site(NamedTuple):
    """A place of the code that names a rule."""

    rule: str
    is_error: bool
    is_assumed: bool


def name_of(call: ast.Call) -> str:
    """Return the name of the function or method that *call* calls."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def sites() -> Iterator[_Site]:
    """Yield every place of the sandbox that refuses a request or records a violation."""
    for path in _FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and name_of(node) in _BY_KEYWORD:
                given = {one.arg: one.value for one in node.keywords}
                rule, assumed = given.get("rule"), given.get("assumed")
                default = name_of(node) == "malformed"
                # Anything but a literal depends on the request: then it is assumed in some cases.
                is_assumed = default if assumed is None else getattr(assumed, "value", True) is not False
                if isinstance(rule, ast.Constant):
                    yield _Site(rule.value, True, is_assumed)
            elif isinstance(node, ast.Call) and name_of(node) in _BY_PLACE:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    yield _Site(first.value, name_of(node) == "resource_not_found", False)
            elif isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
                yield _Site(ast.literal_eval(node.value.elts[0]), False, False)


SITES = sorted(set(sites()))
ROWS = {rule: (what, source) for rule, what, source in _ROW.findall(_DOCUMENT.read_text())}


def test_the_documentation_lists_each_rule():
    """The table has exactly the rules that the sandbox's code names."""
    assert sorted(ROWS) == sorted({site.rule for site in SITES})


@pytest.mark.parametrize("rule", sorted({site.rule for site in SITES if site.is_assumed}))
def test_an_assumed_error_is_called_so(rule):
    """What the code marks as assumed the documentation calls assumed too."""
    assert "assumed" in ROWS[rule][1]


@pytest.mark.parametrize(
    "rule", sorted(rule for rule, (_, source) in ROWS.items() if "assumed" not in source)
)
def test_no_error_is_called_known_without_a_source(rule):
    """An error that the documentation does not call assumed is not marked as assumed anywhere in the code."""
    assert [site for site in SITES if site.rule == rule and site.is_assumed] == []


@pytest.mark.parametrize("rule", sorted(ROWS))
def test_a_row_says_what_happens(rule):
    """A row of a rule without an error says that the request is recorded; every row names a known kind of source."""
    what, source = ROWS[rule]
    has_error = any(site.is_error for site in SITES if site.rule == rule)

    assert has_error or "recorded" in what
    assert re.search(r"documented|recorded|assumed", source)
