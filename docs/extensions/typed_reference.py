"""
Shows every signature with the types that the source writes; evaluates no annotation, because many names are imported for type checkers only.

Autodoc asks Python to evaluate annotations, and shows nothing useful where a name exists only under ``TYPE_CHECKING``. Here the text of
the annotation is taken as it is. Type names become links wherever exactly one documented name fits.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ForwardRef

import attrs
from sphinx.domains.python import PyObject
from sphinx.util.inspect import stringify_annotation, stringify_signature
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_BOUND = ("self", "cls", "_cls")
_ATTRIBUTE = re.compile(r"^:ivar (?P<name>\w+):")


def _text_of(annotation: object) -> Any:
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation.strip("'\"") if isinstance(annotation, str) else annotation


def _as_written(parameter: inspect.Parameter, owner: object) -> inspect.Parameter:
    """
    Return *parameter* with the type and the default that a reader of the source sees.

    attrs hides what a factory makes, and takes the type of a field with a converter from the converter.
    """
    field = attrs.fields_dict(owner).get(parameter.name) if _is_attrs_class(owner) else None
    if field is None:
        return parameter.replace(annotation=_text_of(parameter.annotation))
    default = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        default = default.factory()
    default = inspect.Parameter.empty if default is attrs.NOTHING else default
    return parameter.replace(annotation=_text_of(field.type), default=default)


def _is_attrs_class(owner: object) -> bool:
    return inspect.isclass(owner) and attrs.has(owner)


def signature_of(documented: object) -> tuple[str, str | None] | None:
    """Return the parameters and the return type of *documented* as text; None when it cannot be called."""
    try:
        signature = inspect.signature(documented)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    shown = [
        _as_written(parameter, documented)
        for place, parameter in enumerate(signature.parameters.values())
        if not (place == 0 and parameter.name in _BOUND)
    ]
    arguments = stringify_signature(signature.replace(parameters=shown), show_return_annotation=False)
    if inspect.isclass(documented) or signature.return_annotation is inspect.Signature.empty:
        return arguments, None
    return arguments, stringify_annotation(_text_of(signature.return_annotation))


def _write_signature(
    _app: Sphinx,
    what: str,
    _name: str,
    documented: object,
    _options: object,
    written: str,
    _returned: object,
) -> tuple[str, str | None] | None:
    # "()" is written in the page itself, for a class that only the library makes.
    if what not in ("class", "exception", "function", "method") or (
        what == "class" and written in ("", "()")
    ):
        return None
    # A protocol is implemented, not called.
    return ("", None) if getattr(documented, "_is_protocol", False) else signature_of(documented)


def _keep_text(
    app: Sphinx, what: str, name: str, _documented: object, _options: object, lines: list[str]
) -> None:
    if what in ("attribute", "data", "property"):
        app.env.temp_data[f"docstring of {name}"] = list(lines)


def _restore_text(
    app: Sphinx, what: str, name: str, _documented: object, _options: object, lines: list[str]
) -> None:
    """Undo what napoleon does to an attribute's docstring: it takes a sentence before a colon for a type."""
    if what in ("attribute", "data", "property"):
        lines[:] = app.env.temp_data.pop(f"docstring of {name}")


def _annotations_of(documented: type) -> dict[str, object]:
    """Return the annotations of a class and of its bases."""
    return {
        name: annotation
        for base in reversed(documented.__mro__)
        for name, annotation in vars(base).get("__annotations__", {}).items()
    }


def _add_attribute_types(
    _app: Sphinx, what: str, _name: str, documented: object, _options: object, lines: list[str]
) -> None:
    if what not in ("class", "exception") or not inspect.isclass(documented):
        return
    annotations = _annotations_of(documented)
    lines[:] = [line for old in lines for line in _with_type(old, annotations)]


def _with_type(line: str, annotations: dict[str, object]) -> Iterator[str]:
    found = _ATTRIBUTE.match(line)
    if found is not None and found["name"] in annotations:
        yield f":vartype {found['name']}: {stringify_annotation(_text_of(annotations[found['name']]))}"
    yield line


def _is_field_of_tuple(
    _app: Sphinx, _what: str, _name: str, value: object, skip: bool, _options: object
) -> bool:
    """Leave out the fields of named tuples; their class lists them with their types already."""
    return skip or type(value).__name__ == "_tuplegetter"


def _resolve_by_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Link a type that is written without its module, if exactly one documented name ends like it."""
    if node.get("refdomain") != "py" or "." in node["reftarget"]:
        return None
    named = defaultdict(set)
    for name, found in env.domains["py"].objects.items():
        named[name.rpartition(".")[2]].add((found.docname, found.node_id))
    places = named[node["reftarget"]]
    if len(places) != 1:
        return None
    ((page, anchor),) = places
    return make_refnode(app.builder, node["refdoc"], page, anchor, content)


def setup(app: Sphinx) -> dict[str, bool]:
    """Hand the functions above to Sphinx, and call a class's attributes by their name: Sphinx calls them variables."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-signature", _write_signature)
    # Napoleon has the priority 500: it turns "Attributes:" into fields, and an attribute's "what: why" into a type.
    app.connect("autodoc-process-docstring", _keep_text, priority=100)
    app.connect("autodoc-process-docstring", _add_attribute_types, priority=900)
    app.connect("autodoc-process-docstring", _restore_text, priority=900)
    app.connect("autodoc-skip-member", _is_field_of_tuple)
    app.connect("missing-reference", _resolve_by_last_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
