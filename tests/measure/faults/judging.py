"""What arrived, held against what was accepted: lost, repeated, doubled, out of order. Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from .host import contact_of, is_identify


class Findings(NamedTuple):
    """
    The result of one run.

    Attributes:
        messages: Calls that returned.
        lost: Accepted, and without effect at the far end.
        repeated: Sent once more although the far end had it already.
        doubled: In Intercom twice; None where the far end is no Intercom.
        disordered: Took effect after a message of the same contact that was accepted later; None where the far end is no Intercom.
    """

    messages: int
    lost: int
    repeated: int
    doubled: int | None = None
    disordered: int | None = None


def judge_intercom(shown, accepted, cut_off, contacts, is_apart=False):
    """
    Return the findings of a run against the sandbox.

    Args:
        shown: The sandbox's final state.
        accepted: Number -> (begun, returned) of the calls of all applications together.
        cut_off: The same of calls that a process died in: their messages may have been accepted.
        contacts: How many the plan had.
        is_apart: Each process had contacts of its own.
    """
    people = shown["contacts"]
    times = accepted | cut_off
    lost = disordered = 0
    doubled = sum("#" in name for name in people)
    own: dict[str, list[int]] = {}
    for number in accepted:
        own.setdefault(contact_of(number, contacts, is_apart), []).append(number)
    for name, numbers in own.items():
        person = people.get(name, {"events": [], "custom_attributes": {}})
        steps = [event["metadata"]["step"] for event in person["events"]]
        doubled += sum(number - 1 for number in Counter(steps).values())
        lost += len({one for one in numbers if not is_identify(one, contacts)} - set(steps))
        disordered += _out_of_order(steps, times)
        writes = [one for one in numbers if is_identify(one, contacts)]
        lost += _behind(person["custom_attributes"].get("step"), writes, times)
    return Findings(len(accepted), lost, shown["repeated"], doubled, disordered)


def _out_of_order(steps, times):
    """Count the steps that came after one whose call began only when theirs had returned."""
    count, latest = 0, 0.0
    for step in steps:
        begun, returned = times[step]
        count += latest > returned
        latest = max(latest, begun)
    return count


def _behind(last, writes, times):
    """Count the contact's writes that began only after the one that stands there now had returned."""
    if last is None:
        return len(writes)
    return sum(times[one][0] > times[last][1] for one in writes)


def judge_receiver(shown, accepted):
    """Return the findings of a run against the plain receiver."""
    arrived = Counter(shown["numbers"])
    lost = sum(number not in arrived for number in accepted)
    return Findings(len(accepted), lost, sum(number - 1 for number in arrived.values()))
