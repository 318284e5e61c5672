"""Reads from the source which modules each module of the package imports, for the tests of the architecture."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import metarouter_intercom

ROOT = Path(metarouter_intercom.__file__).parent
PACKAGE = ROOT.name


class Imports(NamedTuple):
    """
    The imports of one module.

    Attributes:
        own: Modules of the package, by name without the package, except those imported for type checking only.
        for_types: Modules of the package that are imported for type checking only.
        foreign: Top-level names of all other modules that are imported at run time, also inside functions.
    """

    own: frozenset[str]
    for_types: frozenset[str]
    foreign: frozenset[str]


def read_imports(root: Path = ROOT) -> dict[str, Imports]:
    """Return module -> its imports; the name of the package itself is empty."""
    paths = {_name(path, root): path for path in sorted(root.rglob("*.py"))}
    return {name: _read(name, path, paths.keys()) for name, path in paths.items()}


def _name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, path: Path, known) -> Imports:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    home = name.split(".") if name else []
    if path.name != "__init__.py":
        home = home[:-1]
    for_types = {node for block in _type_blocks(tree) for part in block.body for node in ast.walk(part)}
    own, own_for_types, foreign = set(), set(), set()
    for node in ast.walk(tree):
        for target in _targets(node, home):
            if target.split(".")[0] == PACKAGE:
                module = _module(target.partition(".")[2], known)
                if module != name:
                    (own_for_types if node in for_types else own).add(module)
            elif node not in for_types:
                foreign.add(target.split(".")[0])
    return Imports(frozenset(own), frozenset(own_for_types - own), frozenset(foreign))


def _type_blocks(tree: ast.AST) -> list[ast.If]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]


def _targets(node: ast.AST, home: list[str]) -> list[str]:
    """Return the full names that an import statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    start = [PACKAGE, *home][: len(home) + 2 - node.level] if node.level else []
    start += node.module.split(".") if node.module else []
    return [".".join([*start, alias.name]) for alias in node.names]


def _module(target: str, known) -> str:
    """Return the module that *target* names, or that contains it."""
    while target not in known:
        target = target.rpartition(".")[0]
    return target
