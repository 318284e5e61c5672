"""
Turns rule names such as ``Q4`` into links to the row of the rules page that says what the rule is.

The page ``reference/rules`` is the only list of rules: each row whose first cell is a rule name gets the anchor ``rule-q4``. A word that
looks like a rule name and has no row is a warning, which fails the build.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

PAGE = "reference/rules"
_ROW = re.compile(r"^\| (?P<name>[A-Z]\d{1,2}) \|", re.MULTILINE)
_WORD = re.compile(r"\b[A-Z]\d{1,2}\b")
# Code is shown as it is, a link cannot hold another one, and a heading is a link already.
_LEFT_ALONE = (nodes.literal, nodes.literal_block, nodes.reference, nodes.title, nodes.raw)

_log = logging.getLogger(__name__)


def rules_of(text: str) -> list[str]:
    """Return the rules that have a row in the rules page's *text*, in its order."""
    return [found["name"] for found in _ROW.finditer(text)]


def anchor_of(rule: str) -> str:
    """Return the anchor of *rule* on the rules page."""
    return f"rule-{rule.lower()}"


def names_in(text: str, rules: frozenset[str]) -> Iterator[re.Match[str]]:
    """Yield each word of *text* that looks like a rule name: a letter that begins some rule's name, and a number."""
    letters = {rule[0] for rule in rules}
    return (found for found in _WORD.finditer(text) if found[0][0] in letters)


class RuleAnchors(SphinxTransform):
    """Gives the row of each rule its anchor."""

    default_priority = 500

    def apply(self, **_kwargs: Any) -> None:
        """Write the ids into the tables of the rules page."""
        if self.env.docname != PAGE:
            return
        for row in self.document.findall(nodes.row):
            word = row[0].astext()
            if word in self.config.rule_names:
                row["ids"].append(anchor_of(word))


class RuleLinks(SphinxPostTransform):
    """Links each rule name in running text."""

    default_priority = 900

    def run(self, **_kwargs: Any) -> None:
        """Replace the texts that name rules."""
        rules = self.config.rule_names
        for text in list(self.document.findall(nodes.Text)):
            if not _is_inside(text, _LEFT_ALONE) and not self._is_definition(text):
                parts = list(self._parts(text, rules))
                if len(parts) > 1:
                    text.parent.replace(text, parts)

    def _is_definition(self, text: nodes.Text) -> bool:
        return self.env.docname == PAGE and text.astext() in self.config.rule_names

    def _parts(self, text: nodes.Text, rules: frozenset[str]) -> Iterator[nodes.Node]:
        plain, end = text.astext(), 0
        for found in names_in(plain, rules):
            if found[0] not in rules:
                _log.warning("no rule is called %s", found[0], location=text.parent, type="rule")
                continue
            yield nodes.Text(plain[end : found.start()])
            address = self.app.builder.get_relative_uri(self.env.docname, PAGE)
            target = f"{address}#{anchor_of(found[0])}"
            yield nodes.reference("", found[0], internal=True, refuri=target, classes=["rule"])
            end = found.end()
        yield nodes.Text(plain[end:])


def _is_inside(node: nodes.Node | None, kinds: tuple[type[nodes.Node], ...]) -> bool:
    while node is not None:
        if isinstance(node, kinds):
            return True
        node = node.parent
    return False


def _read_rules(app: Sphinx, config: Any) -> None:
    text = (Path(app.srcdir) / f"{PAGE}.md").read_text(encoding="utf-8")
    config.rule_names = frozenset(rules_of(text))


def setup(app: Sphinx) -> dict[str, bool]:
    """Hand the transforms to Sphinx."""
    app.add_config_value("rule_names", frozenset(), "env", types=[frozenset])
    app.connect("config-inited", _read_rules)
    app.add_transform(RuleAnchors)
    app.add_post_transform(RuleLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
