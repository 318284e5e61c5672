"""The faults at a small size: with real processes and sockets, no accepted message is lost (rules Q3, O1, T, W2, W3)."""

from __future__ import annotations

import pytest

from . import killing, ordering, table
from .judging import judge_intercom, judge_receiver
from .scenarios import OURS, SCENARIOS, run
from .troubles import Unavailable

_SPOOL, _MEMORY = OURS
_MESSAGES = 150
# The same faults, shorter: their kind matters here, not their duration.
_SHORT = {
    "errors_500": {"faults": {"outage": 500, "outage_for": 0.5}},
    "refused": {"refused_for": 0.5},
    "hang": {
        "faults": {"outage": "hang", "outage_for": 1.5, "hang_seconds": 30.0},
        "settings": {"read_timeout": 0.5},
    },
    "held_401": {"faults": {"outage": 401, "outage_for": 0.5}, "settings": {"auth_probe": 0.3}},
    "hanging_close": {
        "faults": {"outage": "hang", "outage_for": 30.0, "hang_seconds": 30.0},
        "settings": {"exit_timeout": 1.0},
    },
    "stranger_200": {"faults": {"outage": "stranger", "outage_for": 0.5}},
    "clock_back": {"faults": {"outage": 503, "outage_for": 1.0}},
    "clock_forward": {"faults": {"outage": 503, "outage_for": 1.0}},
    "clock_frozen": {"faults": {"outage": 503, "outage_for": 1.0}},
    "journals_removed": {"faults": {"outage": 503, "outage_for": 1.0}},
    "folder_moved": {"faults": {"outage": 503, "outage_for": 1.0}},
    "small_volume": {"faults": {"outage": 503, "outage_for": 1.0}},
}
# The other scenarios differ little from these; the command runs them at full size.
_BOTH = ["errors_500", "hang", "held_401", "lost_answer", "exit_1", "fork_after", "clock_back", "hook_exits"]
_SPOOLED = [
    "refused",
    "html_502",
    "malformed",
    "killed",
    "fork_before",
    "hanging_close",
    "stranger_200",
    "clock_forward",
    "journals_removed",
    "folder_moved",
    "small_volume",
    "linked",
]


def _run(name, library):
    scenario = SCENARIOS[name]._replace(**_SHORT.get(name, {}))
    try:
        return run(scenario, library, messages=_MESSAGES, end_timeout=45.0)
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", [*_BOTH, *_SPOOLED])
def test_a_spool_loses_nothing(name):
    """Whatever happens to the process or to Intercom, each message takes effect once, in the order of its contact (rule Q3)."""
    outcome = _run(name, _SPOOL)

    assert (outcome.findings.lost, outcome.findings.doubled, outcome.findings.disordered) == (0, 0, 0)
    assert outcome.findings.messages >= _MESSAGES
    assert not outcome.hung


@pytest.mark.parametrize("name", [*_BOTH, "sigterm_handled", "hanging_close", "clock_frozen"])
def test_memory_loses_nothing_while_the_process_lives(name):
    """If the process exits normally, undelivered messages are counted and logged, and nothing else is lost (rules T1, W2)."""
    outcome = _run(name, _MEMORY)

    assert outcome.findings.lost <= outcome.counted
    assert (outcome.findings.doubled, outcome.findings.disordered) == (0, 0)
    assert not outcome.hung


def test_kill_points():
    """Killed at random moments, each process continues where the last one ended (rule Q3)."""
    findings = killing.run_kill_points(6, seed=7)

    assert findings[1:] == (0, findings.repeated, 0, 0)
    assert findings.messages > 0


def test_processes_on_one_spool():
    """Several processes that share a spool and are killed and restarted lose nothing (rules Q3, O1)."""
    findings, started = killing.run_shared_spool(5, processes=3, seed=7)

    assert findings[1:] == (0, findings.repeated, 0, 0)
    assert started > 3


@pytest.mark.parametrize("is_spooled", [True, False])
def test_each_contact_ends_as_if_delivered_one_by_one(tmp_path, is_spooled):
    """Under random faults the workspace ends up as if the messages were delivered one by one (rules O1, O2)."""
    messages = list(ordering.messages_of(12, 5, seed=3))
    spool = tmp_path / "spool.db" if is_spooled else None

    actual, report = ordering.deliver_under_faults(messages, spool=spool, seed=3)

    assert ordering.differences(ordering.deliver_one_by_one(messages), actual) == []
    assert report.dead == {}


# --- the checks themselves ----------------------------------------------------------------------------------------


def _state(steps, last):
    events = [{"metadata": {"step": step}} for step in steps]
    return {"contacts": {"person-0": {"events": events, "custom_attributes": {"step": last}}}, "repeated": 0}


_TIMES = {number: (float(number), number + 0.5) for number in range(13)}


def test_missing_messages_are_found():
    """Events and writes that did not arrive count as lost."""
    events_only = {number: _TIMES[number] for number in (1, 2, 3)}

    assert judge_intercom(_state([1, 3], 0), events_only | {0: _TIMES[0]}, {}, contacts=1).lost == 1
    assert judge_intercom(_state([1, 2, 3], None), events_only | {0: _TIMES[0]}, {}, contacts=1).lost == 1
    assert (
        judge_intercom(
            _state([1, 2, 3], 0), events_only | {0: _TIMES[0], 10: _TIMES[10]}, {}, contacts=1
        ).lost
        == 1
    )
    assert judge_receiver({"numbers": [1, 1, 3]}, events_only)[1:3] == (1, 1)


def test_doubled_and_disordered_messages_are_found():
    """An event that is there twice counts as doubled, and one behind a later accepted one as disordered."""
    accepted = {number: _TIMES[number] for number in (0, 1, 2, 3)}
    findings = judge_intercom(_state([1, 3, 2, 3], 0), accepted, {}, contacts=1)

    assert (findings.lost, findings.doubled, findings.disordered) == (0, 1, 1)


def test_the_table_replaces_the_last_one(tmp_path):
    """Only the results of the page change."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n", encoding="utf-8")
    row = {"scenario": "a", "client": "b", "messages": 1000, "lost": 3, "repeated": 0, "doubled": None}

    table.write_page([row | {"hung": True, "counted": 0}], ["a fact"], page)

    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| a | b | 1,000 | 3 (no end within 60 s) | 0 | – |\n" in text
    assert "- a fact\n" in text
    assert "old" not in text
