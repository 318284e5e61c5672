"""Reads from the package's source which reasons, notes and log lines there are, so that the reference can be held against it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import metarouter_intercom

PACKAGE = Path(metarouter_intercom.__file__).parent
# The sandbox and the command line speak of other things; what ends a message is decided in the rest.
_APART = ("sandbox", "_cli")
# Function -> which argument is a reason: its place, or its name.
_REASONS: dict[str, tuple[int | str, ...]] = {
    "FlowResult": (1, "reason"),
    "dead": (1,),
    "_replace": ("reason",),
    "_translation": (2,),
    "Translation": (2, "skipped"),
    "Drop": (0, "reason"),
    "Health": (1,),
    "add_reason": (1,),
    "drop": (2,),
    "bury": ("reason",),
    "Settlement": (3, "reason"),
    "Delivery": ("reason",),
    "DeliveryFailed": ("reason",),
    "RejectedMessage": ("reason",),
    "_outcome": (2, "reason"),
    "_result": (2,),
    "delivery_failed": (1,),
}


def reasons() -> set[str]:
    """Return every reason by which a message can be skipped, dropped, rejected, retried, held or given up; ``{}`` for what varies."""
    found: set[str] = set()
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                for place in _REASONS.get(_name(node.func), ()):
                    found.update(_texts(_argument(node, place), tree))
            elif isinstance(node, ast.arg | ast.AnnAssign | ast.Assign):
                found.update(_assigned(node))
            elif isinstance(node, ast.FunctionDef):
                found.update(_defaults(node))
                if node.name in ("name_of", "_reason", "reason_of"):
                    found.update(_returned(node))
    # A counter of notes is no reason, and a delivery's kind stands where some functions take one.
    return {text for text in found if " " not in text and text != "dead"}


def notes() -> set[str]:
    """Return the reason of every note."""
    found: set[str] = set()
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in ("Note", "note", "Price"):
                found.update(_texts(_argument(node, 2), tree))
            elif isinstance(node, ast.Assign) and _targets(node) == ["reason"]:
                found.update(text for text in _texts(node.value, tree) if " " in text)
    return found


def log_lines() -> set[str]:
    """Return the constant text of every log line."""
    return {
        text
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "_log"
        for text in _texts(_argument(node, 0), tree)
    }


def _trees() -> Iterator[ast.Module]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] not in _APART:
            yield ast.parse(path.read_text(encoding="utf-8"))


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _argument(call: ast.Call, place: int | str) -> ast.expr | None:
    if isinstance(place, int):
        return call.args[place] if place < len(call.args) else None
    return next((keyword.value for keyword in call.keywords if keyword.arg == place), None)


def _texts(value: ast.expr | None, tree: ast.Module) -> Iterator[str]:
    """Yield the texts that *value* can be: constants, choices between them, f-strings, and names of module constants."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body, tree)
        yield from _texts(value.orelse, tree)
    elif isinstance(value, ast.BoolOp):
        for choice in value.values:
            yield from _texts(choice, tree)
    elif isinstance(value, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in value.values)
    elif isinstance(value, ast.Name):
        for node in tree.body:
            if isinstance(node, ast.Assign) and _targets(node) == [value.id]:
                yield from _texts(node.value, tree)


def _targets(node: ast.Assign) -> list[str]:
    return [name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _assigned(node: ast.arg | ast.AnnAssign | ast.Assign) -> Iterator[str]:
    """Yield the reasons that are assigned to a name or a field called ``reason``."""
    nothing = ast.Module([], [])
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "reason":
        yield from _texts(node.value, nothing)
    elif isinstance(node, ast.Assign) and "reason" in _targets(node):
        if isinstance(node.value, ast.Tuple):
            yield from _texts(node.value.elts[_targets(node).index("reason")], nothing)
        else:
            yield from _texts(node.value, nothing)


def _defaults(function: ast.FunctionDef) -> Iterator[str]:
    """Yield what stands for ``reason`` when a caller gives none."""
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = zip(plain[len(plain) - len(arguments.defaults) :], arguments.defaults, strict=True)
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for argument, value in (*defaults, *named):
        if argument.arg == "reason":
            yield from _texts(value, ast.Module([], []))


def _returned(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            value = node.value.elts[-1] if isinstance(node.value, ast.Tuple) else node.value
            yield from _texts(value, ast.Module([], []))
