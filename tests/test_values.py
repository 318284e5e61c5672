"""The values that parts hand to each other: messages, operations, secrets, message ids."""

from __future__ import annotations

import os
import pickle

import pytest

from metarouter_intercom import _message_ids
from metarouter_intercom._secret import Secret
from metarouter_intercom.messages import Alias, Group, Identify, Track
from metarouter_intercom.operations import Who


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
    """R2, E1: an id is a text with something in it or None, an event has a name."""
    with pytest.raises(ValueError, match=name):
        kind(**facts)


def test_a_message_is_frozen():
    """A message that was made stays as it is."""
    message = Identify(user_id="u1")

    with pytest.raises(AttributeError):
        message.user_id = "u2"


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        ({"contact_id": "c", "external_id": "u", "email": "A@B.co"}, "contact:c"),
        ({"external_id": "u", "email": "A@B.co", "anonymous_id": "n"}, "user:u"),
        ({"email": "A@B.co", "anonymous_id": "n"}, "email:a@b.co"),
        ({"anonymous_id": "n"}, "anonymous:n"),
    ],
)
def test_the_first_id_is_the_key(facts, key):
    """R8: contact id, external id, e-mail address in small letters, anonymous id, in this order."""
    assert Who(**facts).key == key


def test_a_secret_shows_itself_only_by_name():
    """A secret's text is in no representation of it."""
    secret = Secret("s3cret-tøken")

    assert f"{secret} {secret!r} {[secret]}".count("s3cret") == 0
    assert secret.reveal() == "s3cret-tøken"
    assert secret.reveal_bytes() == "s3cret-tøken".encode()


def test_secrets_are_equal_by_their_texts():
    """Two secrets are equal when their texts are; nothing else is equal to one."""
    assert Secret("a") == Secret(b"a")
    assert hash(Secret("a")) == hash(Secret(b"a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize("value", ["", b"", None, 5])
def test_an_empty_secret_is_none(value):
    """What is empty or no text keeps no secret."""
    with pytest.raises(ValueError, match="secret"):
        Secret(value)


def test_message_ids_sort_by_time_and_never_repeat():
    """R2: ids are unique, and sort as the moments and the calls that made them."""
    made = [_message_ids.make_message_id(moment) for moment in (1.0e9, 1.0e9, 1.1e9, 1.2e9)]

    assert sorted(made) == made
    assert len(set(made)) == 4


def test_each_process_has_ids_of_its_own():
    """W3: a forked child begins with a word of its own; whoever asks again in the same process keeps it."""
    words = []
    for pid in (os.getpid(), -1, -1, os.getpid()):
        _message_ids.own_message_ids(pid)
        words.append(_message_ids.make_message_id(0.0).rpartition("-")[2])

    assert words[1] == words[2]
    assert len(set(words)) == 3


def test_messages_go_through_pickle():
    """``multiprocessing`` hands values from process to process."""
    message = Track(event="x", user_id="u1", properties={"a": 1})

    assert pickle.loads(pickle.dumps(message)) == message
