"""What sources show of Intercom's answers, one case for each fact (tests/cases/sandbox)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .api_calls import Api, refusal

CASES = json.loads(
    (Path(__file__).parents[1] / "cases" / "sandbox" / "answers.json").read_text(encoding="utf-8")
)


def filled(value: Any, ids: dict[str, str]) -> Any:
    """Return *value* with the ids of earlier answers in place of their names in braces."""
    if isinstance(value, str):
        for name, record_id in ids.items():
            value = value.replace(f"{{{name}}}", record_id)
        return value
    if isinstance(value, list):
        return [filled(one, ids) for one in value]
    if isinstance(value, dict):
        return {name: filled(one, ids) for name, one in value.items()}
    return value


def part_of(body: Any, path: str) -> Any:
    """Return what is at *path*, such as ``data.0.email``; "missing" where nothing is."""
    for step in path.split("."):
        try:
            body = body[int(step)] if isinstance(body, list) else body[step]
        except (KeyError, IndexError):
            return "missing"
    return body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["says"])
def test_the_sandbox_answers_as_the_source_shows(case):
    """Each request of a case gets its status, and the error, the parts of the body and the headers that the case names."""
    api, ids = Api(**case.get("settings", {})), {}
    for step in case["steps"]:
        api.now += step.get("wait", 0)
        method, path = filled(step["send"], ids).split(" ", 1)
        headers = {"Accept": step["accept"]} if "accept" in step else {}

        answer = api.ask(
            method, path, filled(step.get("body"), ids), version=step.get("version", "2.16"), **headers
        )

        assert answer.status == step["status"], answer.body
        if "error" in step:
            assert list(refusal(answer)[1:]) == filled(step["error"], ids)
        for place, value in filled(step.get("shown", {}), ids).items():
            assert part_of(answer.body, place) == value, place
        for name, value in filled(step.get("headers", {}), ids).items():
            assert answer.headers[name] == value, name
        if "as" in step:
            ids[step["as"]] = answer.body["id"]

    assert api.rules() == case.get("violations", [])


def test_each_case_has_a_kind_of_source():
    """A case says whether its fact is documented, recorded or assumed, and no two cases say the same."""
    assert {case["source"] for case in CASES} == {"documented", "recorded", "assumed"}
    assert len({case["says"] for case in CASES}) == len(CASES)
