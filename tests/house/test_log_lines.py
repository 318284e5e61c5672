"""Every log line of the package has a constant text, and its arguments say which connection it is about (rule W5)."""

from __future__ import annotations

import ast
import re

import pytest

from .._support.package_imports import ROOT

_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_BEGIN = "connection %s: "
# Folders whose code knows no connection -> how their lines begin instead: several connections may share one spool.
_OTHER_BEGIN = {"_delivery/buffers": "spool %s: "}
_PLACEHOLDER = re.compile(r"%(?:%|[-#0 +]*\d*(?:\.\d+)?[a-zA-Z])")


def _log_calls():
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in _METHODS and ast.unparse(node.func.value) in ("_log", "log", "logger"):
                yield pytest.param(place, node, id=f"{place}:{node.lineno}")


_CALLS = list(_log_calls())


def test_every_line_goes_through_the_logger_that_never_raises():
    """W9: only the logger that never raises, and what listens to handlers, use ``logging`` directly; all others use that logger."""
    direct = {
        path.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.rglob("*.py"))
        if re.search(r"\blogging\.getLogger\(", path.read_text(encoding="utf-8"))
    }

    assert direct == {"_delivery/feedback.py", "_delivery/safely.py"}


def test_log_calls_are_found():
    """The search below sees the package's log calls."""
    assert len(_CALLS) > 10


@pytest.mark.parametrize(("place", "call"), _CALLS)
def test_the_text_is_constant_and_the_arguments_fill_it(place, call):
    """W5: a constant text can be counted and searched for; a plain log shows the arguments, which ``extra`` alone would not."""
    assert call.args
    text = call.args[0]
    assert isinstance(text, ast.Constant), "neither an f-string nor a computed text"
    assert isinstance(text.value, str)

    placeholders = [found for found in _PLACEHOLDER.findall(text.value) if found != "%%"]

    assert len(placeholders) == len(call.args) - 1


@pytest.mark.parametrize(("place", "call"), _CALLS)
def test_the_text_begins_with_the_connection_or_the_spool(place, call):
    """W5: whoever reads the line sees at once which of several connections or spools it is about."""
    text = ast.literal_eval(call.args[0])

    assert text.startswith(_OTHER_BEGIN.get(place.rpartition("/")[0], _BEGIN))
