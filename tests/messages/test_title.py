"""The text that names a message to a person."""

from __future__ import annotations

import pytest

from metarouter_intercom.messages._title import title_of


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ({"userId": "u-1", "type": "track", "event": "Signed Up", "properties": {}}, "track Signed Up u-1"),
        ({"type": "group", "groupId": "c-1", "userId": 7}, "group c-1 7"),
        ({"type": "page", "userId": None, "anonymousId": "a-1", "event": ""}, "page a-1"),
        ({}, ""),
    ],
)
def test_a_title_is_the_type_the_event_and_the_ids(message, title):
    """A title lists type, event and ids in this order, and skips what is missing or empty."""
    assert title_of(message) == title
