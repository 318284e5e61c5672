"""Compares what arrived with what was accepted: lost, repeated, doubled and out of order. Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from .application import contact_of, is_identify


class Findings(NamedTuple):
    """
    The result of one run.

    Attributes:
        messages: Calls that returned.
        lost: Accepted messages that had no effect on the server.
        repeated: Messages sent again although the server had them already.
        doubled: Messages that are in Intercom twice; None if the server is not Intercom.
        disordered: Messages that took effect after a message of the same contact that was accepted later; None if the server is not Intercom.
    """

    messages: int
    lost: int
    repeated: int
    doubled: int | None = None
    disordered: int | None = None


def judge_intercom(state, accepted, cut_off, *, contacts, is_apart=False):
    """
    Return the findings of a run against the sandbox.

    Args:
        state: Final state of the sandbox.
        accepted: Number -> (start, return) of the calls of all applications.
        cut_off: The same for calls during which a process died, so that their messages may have been accepted.
        contacts: Number of contacts in the plan.
        is_apart: Each process has its own contacts.
    """
    people = state["contacts"]
    times = accepted | cut_off
    lost = disordered = 0
    doubled = sum("#" in name for name in people)
    by_contact: dict[str, list[int]] = {}
    for number in accepted:
        by_contact.setdefault(contact_of(number, contacts, is_apart), []).append(number)
    for name, numbers in by_contact.items():
        person = people.get(name, {"events": [], "custom_attributes": {}})
        steps = [event["metadata"]["step"] for event in person["events"]]
        doubled += sum(number - 1 for number in Counter(steps).values())
        lost += len({one for one in numbers if not is_identify(one, contacts)} - set(steps))
        disordered += _out_of_order(steps, times)
        writes = [one for one in numbers if is_identify(one, contacts)]
        lost += _behind(person["custom_attributes"].get("step"), writes, times)
    return Findings(len(accepted), lost, state["repeated"], doubled, disordered)


def _out_of_order(steps, times):
    """Count the steps that arrived after a step whose call started when their own call had already returned."""
    count, latest = 0, 0.0
    for step in steps:
        started, returned = times[step]
        count += latest > returned
        latest = max(latest, started)
    return count


def _behind(last, writes, times):
    """Count the writes of a contact that started after the write with its final value had returned."""
    if last is None:
        return len(writes)
    return sum(times[one][0] > times[last][1] for one in writes)


def judge_receiver(state, accepted):
    """Return the findings of a run against the receiver."""
    arrived = Counter(state["numbers"])
    lost = sum(number not in arrived for number in accepted)
    return Findings(len(accepted), lost, sum(number - 1 for number in arrived.values()))
