"""Reads the cases of the mapping, and turns operations into their form; contains no tests."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from metarouter_intercom.operations import UpsertContact

_CASES = Path(__file__).parents[1] / "cases"


def read_cases(folder="translate"):
    """Return every case of a folder of ``tests/cases`` as ``(id, case)``."""
    cases = []
    for path in sorted((_CASES / folder).glob("*.json")):
        for number, case in enumerate(json.loads(path.read_text(encoding="utf-8"))):
            cases.append((f"{path.stem}-{number}-{case['rule']}", case))
    return cases


def operation_facts(operation):
    """Return *operation* as the plain object that a case contains; where its attributes come from is no part of that."""
    fields = attrs.asdict(operation, filter=lambda field, _: field.eq)
    if isinstance(operation, UpsertContact) and not operation.only_known:
        del fields["only_known"]
    for name in ("who", "lead", "user"):
        if name in fields:
            fields[name] = {key: value for key, value in fields[name].items() if value is not None}
    return {"op": type(operation).__name__, **fields}
