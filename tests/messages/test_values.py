"""Segment's calls as frozen values (rules R2, E1)."""

from __future__ import annotations

import pickle

import pytest

from metarouter_intercom.messages import Alias, Group, Identify, Track


@pytest.mark.parametrize(
    ("kind", "facts", "name"),
    [
        (Identify, {"user_id": ""}, "user_id"),
        (Identify, {"group_id": 5}, "group_id"),
        (Track, {"event": " "}, "event"),
        (Track, {"event": None}, "event"),
        (Group, {"anonymous_id": " "}, "anonymous_id"),
        (Alias, {"previous_id": b"x"}, "previous_id"),
    ],
)
def test_an_invalid_message_cannot_be_made(kind, facts, name):
    """R2, E1: an id is None or a text that is not blank, and an event has a name."""
    with pytest.raises(ValueError, match=name):
        kind(**facts)


def test_a_message_is_frozen():
    """No field of a message can be set."""
    message = Identify(user_id="u1")

    with pytest.raises(AttributeError):
        message.user_id = "u2"


def test_messages_go_through_pickle():
    """A message can be pickled, because ``multiprocessing`` does that between processes."""
    message = Track(event="x", user_id="u1", properties={"a": 1})

    assert pickle.loads(pickle.dumps(message)) == message
