"""The built site: the API reference shows every type, rule names lead to their rule, and no page loads anything from another host."""

from __future__ import annotations

import importlib
import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import metarouter_intercom

from .documents import DOCS, TOP

for _needed in ("sphinx", "furo", "myst_parser", "sphinx_copybutton"):
    pytest.importorskip(_needed, reason="the site is built with the extra [docs]")

_MODULES = ("errors", "identity", "messages", "operations", "plugins", "sandbox", "settings", "testing")
# Called by Python itself, not by readers.
_HOOKS_OF_THE_PROCESS = {"after_fork", "at_exit"}


class Shown(NamedTuple):
    """
    What the reference shows of one function or method.

    Attributes:
        parameters: As text, each with its type and default.
        returned: The type, or None when none is shown.
    """

    parameters: tuple[str, ...]
    returned: str | None


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the built site; a warning of the builder is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(folder)],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        cwd=TOP,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def shown(site: Path) -> dict[str, Shown]:
    """Return the name of everything that has a signature in the reference -> what is shown of it."""
    from sphinx import addnodes

    found = {}
    for path in sorted((site / ".doctrees" / "reference").glob("*.doctree")):
        document = pickle.loads(path.read_bytes())
        for signature in document.findall(addnodes.desc_signature):
            parameters = tuple(node.astext() for node in signature.findall(addnodes.desc_parameter))
            returned = [node.astext() for node in signature.findall(addnodes.desc_returns)]
            for anchor in signature["ids"]:
                found[anchor] = Shown(parameters, returned[0] if returned else None)
    return found


def _public() -> Iterator[tuple[str, Any]]:
    """Yield every public function and method under the name that users import it by."""
    modules: list[ModuleType] = [metarouter_intercom]
    modules += [importlib.import_module(f"metarouter_intercom.{name}") for name in _MODULES]
    for module in modules:
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                yield from _methods(f"{module.__name__}.{name}", value)
            elif inspect.isfunction(value):
                yield f"{module.__name__}.{name}", value


def _methods(name: str, kind: type) -> Iterator[tuple[str, Any]]:
    for method, value in inspect.getmembers(kind, inspect.isroutine):
        # Methods that attrs, enum, named tuples and Exception bring are not of this package.
        is_ours = str(getattr(value, "__module__", "")).startswith("metarouter_intercom")
        is_public = not method.startswith("_") or method == "__call__"
        if is_ours and is_public and method not in _HOOKS_OF_THE_PROCESS:
            yield f"{name}.{method}", getattr(value, "__func__", value)


_CALLABLE = dict(_public())


def _shown_of(name: str, shown: dict[str, Shown]) -> Shown | None:
    """Return what is shown under *name*, or under another public module that exports the same thing."""
    if name in shown:
        return shown[name]
    value = _CALLABLE[name]
    others = [other for other, same in _CALLABLE.items() if same == value and other in shown]
    return shown[others[0]] if others else None


def test_the_reference_has_every_public_function_and_method(shown: dict[str, Shown]) -> None:
    """Whatever a user can call is in the API reference."""
    assert len(_CALLABLE) > 60
    assert [name for name in _CALLABLE if _shown_of(name, shown) is None] == []


def test_every_parameter_and_return_value_shows_its_type(shown: dict[str, Shown]) -> None:
    """A reader learns from the signature alone what to hand over and what comes back."""
    untyped = []
    for name in _CALLABLE:
        signature = _shown_of(name, shown)
        assert signature is not None, name
        names = [parameter for parameter in signature.parameters if parameter not in ("*", "/")]
        untyped += [f"{name}: {parameter}" for parameter in names if ":" not in parameter]
        if not signature.returned:
            untyped.append(f"{name}: returns")

    assert untyped == []


def test_signatures_show_the_parameters_of_the_source(shown: dict[str, Shown]) -> None:
    """No parameter is left out, and none is invented."""
    wrong = []
    for name, value in _CALLABLE.items():
        signature = _shown_of(name, shown)
        assert signature is not None, name
        names = [part.split(":")[0].lstrip("*") for part in signature.parameters if part not in ("*", "/")]
        if names != [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]:
            wrong.append((name, names))

    assert wrong == []


def test_aliases_are_described_as_the_source_has_them() -> None:
    """The types of hooks are written into the page by hand, and say what the module says."""
    from metarouter_intercom import plugins

    text = (DOCS / "reference" / "plugins.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^\.\. py:type:: (\w+)\n +:canonical: (.+)$", text, re.MULTILINE))
    source = Path(inspect.getsourcefile(plugins) or "").read_text(encoding="utf-8")
    aliases = dict(re.findall(r"^(\w+): TypeAlias = \"?(.+?)\"?$", source, re.MULTILINE))

    assert aliases
    assert written == aliases


class _Page(HTMLParser):
    """Collects the anchors of one page, its links to rules, and the names of the fields of its docstrings."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.rules: list[tuple[str, str]] = []
        self.fields: list[str] = []
        self._address: str | None = None
        self._is_field = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self._is_field = tag == "dt" and (values.get("class") or "").startswith("field-")
        self.anchors.add(values.get("id") or "")
        is_rule = tag == "a" and "rule" in (values.get("class") or "").split()
        self._address = values.get("href") if is_rule else None

    def handle_data(self, data: str) -> None:
        if self._is_field:
            self.fields.append(data.strip())
            self._is_field = False
        if self._address is not None:
            self.rules.append((data, self._address))
            self._address = None


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, _Page]:
    """Return the path of every page -> what it holds."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        found[path.relative_to(site).as_posix()] = page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
    return found


def test_no_sentence_is_taken_for_a_type(pages: dict[str, _Page]) -> None:
    """An attribute's description with a colon in it stays a sentence: no page has a field "Type:"."""
    fields = [(name, field) for name, page in pages.items() for field in page.fields]

    assert ("reference/client.html", "Raises") in fields
    assert [field for field in fields if field[1] in ("Type", "Return type")] == []


def test_every_rule_has_an_anchor(pages: dict[str, _Page]) -> None:
    """The row of each rule can be linked to as ``reference/rules.html#rule-q4``."""
    text = (DOCS / "reference" / "rules.md").read_text(encoding="utf-8")
    rules = re.findall(r"^\| ([A-Z]\d+) \|", text, re.MULTILINE)

    assert len(rules) == len(set(rules)) > 60
    assert {f"rule-{rule.lower()}" for rule in rules} - pages["reference/rules.html"].anchors == set()


def test_rule_names_lead_to_their_rule(pages: dict[str, _Page]) -> None:
    """Every link of a rule name ends at that rule's row; guides, tables and docstrings have such links."""
    wrong = [
        (name, rule, address)
        for name, page in pages.items()
        for rule, address in page.rules
        if not address.endswith(f"#rule-{rule.lower()}")
        or address.partition("#")[2] not in pages["reference/rules.html"].anchors
    ]

    assert wrong == []
    for name in ("how-to/symptoms", "reference/mapping", "reference/settings", "reference/client"):
        assert pages[f"{name}.html"].rules, name


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    """A reader behind a firewall sees the whole site, and nobody learns that they read it."""
    done = subprocess.run(
        [sys.executable, str(TOP / ".ci" / "check_site.py"), str(site)], capture_output=True, encoding="utf-8"
    )

    assert done.returncode == 0, done.stdout


def test_code_can_be_copied(site: Path) -> None:
    """The pages bring the copy buttons for their code blocks."""
    assert "copybutton.js" in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "_static" / "copybutton.js").is_file()


def test_version_and_changelog_are_in_the_navigation(site: Path) -> None:
    """A reader sees on every page of which version it speaks, and what changed."""
    text = (site / "reference" / "client.html").read_text(encoding="utf-8")

    assert f"metarouter-intercom {metarouter_intercom.__version__}" in text
    assert 'href="../changelog.html"' in text
