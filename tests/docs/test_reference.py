"""The reference says all of it, and nothing more: tables, reasons, notes, numbers and log lines are those of the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import attrs
import pytest

import metarouter_intercom
from metarouter_intercom import Report, Settings, Stats
from metarouter_intercom._delivery.report import Health
from metarouter_intercom.messages._facts import PLAIN
from metarouter_intercom.operations._companies import _KNOWN as COMPANY_TRAITS
from metarouter_intercom.operations._contacts import _KNOWN as CONTACT_TRAITS
from metarouter_intercom.operations._metadata import _SPECIAL as EVENT_PROPERTIES

from . import in_code
from .documents import DOCS, TOP, documents, first_cells, name_of

REFERENCE = DOCS / "reference"
_PLACEHOLDER = re.compile(r"<[^>]+>")


def _pattern(reason: str) -> str:
    return re.escape(reason).replace(r"\{\}", r"[a-z0-9]+")


def _documented(page: str, headings: Iterable[str]) -> set[str]:
    return {name for heading in headings for name in first_cells(REFERENCE / page, heading)}


def test_tables_from_the_code_are_current() -> None:
    """``python docs/generate.py`` would change nothing."""
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, encoding="utf-8"
    )

    assert (done.returncode, done.stdout) == (0, "every page is up to date\n"), done.stderr


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("Traits of an identify", CONTACT_TRAITS.exact.values()),
        ("Traits of a company", COMPANY_TRAITS.exact.values()),
        ("Properties of a track", EVENT_PROPERTIES.exact.values()),
    ],
)
def test_the_mapping_names_every_known_trait(heading: str, known: Iterable[str]) -> None:
    """Each trait and property that the code treats in its own way has a row."""
    rows = {PLAIN[name] for name in first_cells(REFERENCE / "mapping.md", heading)}

    assert {PLAIN[name] for name in known} - rows == set()


def test_every_setting_is_described() -> None:
    """The settings' page has a row for each field of the class, and no other."""
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([a-z_]+)` \| (?:required|`)", text, re.MULTILINE))

    assert rows == {field.name for field in attrs.fields(Settings)}


def test_every_reason_is_described() -> None:
    """Each reason that the code can give has a row among the reasons, and each row a reason in the code."""
    headings = ("Skipped", "Dropped", "Rejected", "Given up", "On the way")
    rows = {_PLACEHOLDER.sub("0", row) for row in _documented("reasons.md", headings)}
    patterns = {_pattern(reason) for reason in in_code.reasons()}
    silent = {pattern for pattern in patterns if not any(re.fullmatch(pattern, row) for row in rows)}
    invented = {row for row in rows if not any(re.fullmatch(pattern, row) for pattern in patterns)}

    assert (silent, invented) == (set(), set())


def test_every_note_is_described() -> None:
    """Each note that the code can make has a row among the notes, and each row a note in the code."""
    rows = _documented("notes.md", ("Made by the mapping", "Made while delivering"))

    assert rows == in_code.notes() | {"after-hook raised"}


def test_notes_of_the_mapping_cases_are_under_their_rules() -> None:
    """Where a case of the mapping expects a note, the note's row names the rule of the case."""
    rows = {}
    for line in (REFERENCE / "notes.md").read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| `([^`]+)` \| ([^|]+) \|", line)
        if found is not None:
            rows[found[1]] = set(found[2].replace(" ", "").split(","))
    expected = {
        (note[0], note[2])
        for path in sorted((TOP / "tests" / "cases" / "translate").rglob("*.json"))
        for note in _notes_in(json.loads(path.read_text(encoding="utf-8")))
    }
    misplaced = {(rule, reason) for rule, reason in expected if rule not in rows.get(reason, set())}

    assert expected
    assert misplaced == set()


def _notes_in(value: object) -> Iterable[tuple[str, str, str]]:
    """Yield the notes that stand anywhere in a file of cases, as ``(rule, path, reason)``."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "notes" and isinstance(member, list):
                for note in member:
                    yield tuple(note.values()) if isinstance(note, dict) else tuple(note)
            else:
                yield from _notes_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from _notes_in(member)


def test_every_number_of_a_report_is_described() -> None:
    """The page of the numbers has a row for each field of reports and stats, and for each status of health."""
    numbers = set(first_cells(REFERENCE / "report.md", "Numbers"))
    health = set(first_cells(REFERENCE / "report.md", "Health"))
    fields = {field.name for kind in (Report, Stats) for field in attrs.fields(kind)}
    statuses = set(re.findall(r"'(\w+)'", str(Health.__annotations__["status"]).replace('"', "'")))

    assert (numbers, health) == (fields, statuses)


def test_every_fixture_is_described() -> None:
    """The page of the test kit has a row for each fixture of the pytest plugin."""
    plugin = (in_code.PACKAGE / "testing" / "_pytest_plugin.py").read_text(encoding="utf-8")
    fixtures = re.findall(r"^@pytest\.fixture\ndef (\w+)", plugin, re.MULTILINE)

    assert sorted(first_cells(REFERENCE / "test-kit.md", "Fixtures")) == sorted(fixtures)


def test_every_log_line_is_described() -> None:
    """An engineer who sees a line in the log finds its text in the reference."""
    rows = set(
        re.findall(r"^\| `([^`]+)` \|", (REFERENCE / "log.md").read_text(encoding="utf-8"), re.MULTILINE)
    )

    assert rows == in_code.log_lines()


def test_every_rule_that_the_code_names_is_described() -> None:
    """A rule that a docstring or a note names can be looked up."""
    known = set(
        re.findall(r"^\| ([A-Z]\d+) \|", (REFERENCE / "rules.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = {
        rule
        for path in _sources()
        for rule in re.findall(r"\b[A-Z]\d{1,2}\b", path.read_text(encoding="utf-8"))
        if rule[0] in "RICELADVQOMTWXP"
    }

    assert named - known == set()


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_rule_that_a_document_names_is_described(document: Path) -> None:
    """A rule name in a document has a row among the rules, so that the site can link it."""
    rules = set(
        re.findall(r"^\| ([A-Z]\d+) \|", (REFERENCE / "rules.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    letters = "".join(sorted({rule[0] for rule in rules}))
    text = re.sub(r"`[^`]*`", "", document.read_text(encoding="utf-8"))
    named = set(re.findall(rf"\b[{letters}]\d{{1,2}}\b", text))

    assert named - rules == set()


def _sources() -> list[Path]:
    return [path for path in in_code.PACKAGE.glob("*.py") if path.name != "_money.py"]


def test_every_public_name_is_described() -> None:
    """Each name of the package's root stands in the reference."""
    text = "".join(page.read_text(encoding="utf-8") for page in sorted(REFERENCE.glob("*.md")))

    assert [name for name in metarouter_intercom.__all__ if name not in text] == []
