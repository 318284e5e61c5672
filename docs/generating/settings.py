"""The settings as tables: names, defaults and bounds from the class, the meaning from the docstring of each setting."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from typing import Any

import attrs

from metarouter_intercom import Settings

from .words import code, from_rst, table

_GROUP = re.compile(r"^    # (?P<heading>[A-Z].*)$")


def tables() -> str:
    """Return one table a group of settings, under the headings of the class."""
    source = inspect.getsource(Settings)
    meanings = _meanings(source)
    fields = {field.name: field for field in attrs.fields(Settings)}
    parts = []
    for heading, names in _groups(source):
        rows = [[code(name), _default(fields[name]), _bounds(fields[name]), meanings[name]] for name in names]
        parts.append(f"## {heading}\n\n{table(['setting', 'default', 'values', 'meaning'], rows)}")
    return "\n".join(parts)


def _meanings(source: str) -> dict[str, str]:
    (made,) = ast.parse(source).body
    assert isinstance(made, ast.ClassDef)
    return {
        field.target.id: from_rst(text.value.value)
        for field, text in pairwise(made.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def _groups(source: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each heading, a comment of the class, with the settings below it."""
    heading, names = "", []
    for line in source.splitlines():
        found = _GROUP.match(line)
        if found is not None:
            if names:
                yield heading, names
            heading, names = found["heading"], []
        elif re.match(r"    \w+: ", line):
            names.append(line.split(":")[0].strip())
    yield heading, names


def _default(field: attrs.Attribute[Any]) -> str:
    value = field.default
    if value is attrs.NOTHING:
        return "required"
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        value = value.factory()
    if isinstance(value, Enum):
        value = value.value
    return code(repr(value))


def _bounds(field: attrs.Attribute[Any]) -> str:
    validator = getattr(field.validator, "validator", field.validator)
    if validator is None or not inspect.isfunction(validator):
        return ""
    known = inspect.getclosurevars(validator).nonlocals
    if "choices" in known:
        return ", ".join(code(repr(choice)) for choice in known["choices"])
    if "low" in known:
        low, high = known["low"], known["high"]
        if isinstance(field.default, str):
            return f"{code(repr(field.default))}, or {low:g} to {high:g}"
        return f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
    return "`True`, `False`" if isinstance(field.default, bool) else ""
