"""A file of messages with a known result, and a check that a workspace contains all of it exactly once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from metarouter_intercom.sandbox import Workspace

EACH = 10
"""Messages per person."""


def messages(number: int) -> Iterator[dict[str, object]]:
    """
    Yield *number* messages: per person an identify, a group, seven events with a timestamp and one without; half of them without an id.

    An event without a timestamp gets the time of its acceptance, so if it is accepted twice, it becomes two events.
    """
    for n in range(number):
        person, kind = divmod(n, EACH)
        message: dict[str, object] = {"userId": f"u-{person}"}
        if n % 2:
            message["messageId"] = f"m-{n}"
        if kind == 0:
            message |= {"type": "identify", "traits": {"name": f"Person {person}", "seats": person}}
        elif kind == 1:
            message |= {
                "type": "group",
                "groupId": f"c-{person % 97}",
                "traits": {"name": f"Company {person % 97}"},
            }
        else:
            message |= {"type": "track", "event": f"Event {kind}", "properties": {"n": n}}
            if kind != EACH - 1:
                message["timestamp"] = f"2026-05-{1 + kind:02d}T10:00:00Z"
        yield message


def write_messages(path: Path, number: int) -> None:
    """Write *number* messages as JSON lines."""
    with path.open("w") as file:
        for message in messages(number):
            file.write(json.dumps(message) + "\n")


def differences(workspace: Workspace, number: int) -> list[str]:
    """Return at most twenty differences: what is missing in *workspace*, is there twice, or is wrong."""
    people = number // EACH
    wrong = [] if len(workspace.state.contacts) == people else [f"{len(workspace.state.contacts)} contacts"]
    for person in range(people):
        contact = workspace.contact(f"u-{person}")
        if contact is None:
            wrong.append(f"u-{person} is missing")
            continue
        actual = (contact.fields.get("name"), contact.custom.get("seats"), len(contact.companies))
        if actual != (f"Person {person}", person, 1):
            wrong.append(f"u-{person}: {actual}")
        wanted = [(f"Event {kind}", person * EACH + kind) for kind in range(2, EACH)]
        events = sorted((event.name, event.metadata["n"]) for event in contact.events)
        if events != wanted:
            wrong.append(f"u-{person}: {events}")
    return wrong[:20] + [str(one) for one in workspace.violations[:20]]
