"""A file of messages whose outcome is known, and how to see that it stands in a workspace whole and once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from metarouter_intercom.sandbox import Workspace

EACH = 10
"""Messages of one person."""


def messages(number: int) -> Iterator[dict[str, object]]:
    """
    Yield *number* messages: of each person an identify, a group, seven dated events and one undated; half of them without an id.

    An undated event gets its instant when it is accepted: accepted twice it would be two events.
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
    """Write them as JSON lines."""
    with path.open("w") as file:
        for message in messages(number):
            file.write(json.dumps(message) + "\n")


def differences(workspace: Workspace, number: int) -> list[str]:
    """Return what of the messages is missing in *workspace*, doubled or different; at most twenty."""
    people = number // EACH
    found = [] if len(workspace.state.contacts) == people else [f"{len(workspace.state.contacts)} contacts"]
    for person in range(people):
        contact = workspace.contact(f"u-{person}")
        if contact is None:
            found.append(f"u-{person} is missing")
            continue
        facts = (contact.fields.get("name"), contact.custom.get("seats"), len(contact.companies))
        if facts != (f"Person {person}", person, 1):
            found.append(f"u-{person}: {facts}")
        wanted = [(f"Event {kind}", person * EACH + kind) for kind in range(2, EACH)]
        events = sorted((event.name, event.metadata["n"]) for event in contact.events)
        if events != wanted:
            found.append(f"u-{person}: {events}")
    return found[:20] + [str(one) for one in workspace.violations[:20]]
