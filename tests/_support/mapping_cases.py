"""Reads the mapping's cases and writes translations in their form; no test of its own."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

_CASES = Path(__file__).parents[1] / "cases"


def read_cases(folder="translate"):
    """Return every case of a folder of ``tests/cases`` as ``(id, case)``."""
    found = []
    for path in sorted((_CASES / folder).glob("*.json")):
        for number, case in enumerate(json.loads(path.read_text(encoding="utf-8"))):
            found.append((f"{path.stem}-{number}-{case['rule']}", case))
    return found


def operation_facts(operation):
    """Return *operation* as the plain object that a case holds."""
    facts = attrs.asdict(operation)
    for name in ("who", "lead", "user"):
        if name in facts:
            facts[name] = {key: value for key, value in facts[name].items() if value is not None}
    return {"op": type(operation).__name__, **facts}
