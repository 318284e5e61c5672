"""Attributes that the workspace does not know (rules A6 to A8), as data, with the sandbox in process."""

from __future__ import annotations

import pytest

from .._support.clients import workspace_client
from .._support.mapping_cases import read_cases


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in read_cases("unknown")])
def test_unknown_attributes(case):
    """A6 to A8: an unknown attribute is made, left out with a note, or makes the message a dead letter, as the settings say."""
    deliveries = []
    client, workspace = workspace_client(after=[deliveries.append], **case["settings"])
    for message in case["messages"]:
        client.send(message)
        client.flush()

    contact = workspace.contact("u1")
    made = {f"{model}.{name}": one.data_type for (model, name), one in workspace.state.attributes.items()}
    notes = [
        [note.rule, note.path]
        for delivery in deliveries
        for note in delivery.notes
        if note.rule in ("A6", "A7", "M3")
    ]

    assert made == case["made"]
    assert (None if contact is None else contact.custom) == case["written"]
    assert notes == case["notes"]
    assert client.report().dead == case["dead"]
