"""Reading messages from the wire form, and writing them (rules R1, R2, R5)."""

from __future__ import annotations

import json
from collections import UserDict
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import RejectedMessage
from metarouter_intercom.messages import Alias, Group, Identify, Page, Screen, Track, _codec, _message_shapes
from metarouter_intercom.messages._codec import read_message, read_stamped, write_message
from metarouter_intercom.messages._edges import is_accident, is_plain_id, trimmed_id
from metarouter_intercom.messages._wire_ids import names_itself, read_id
from metarouter_intercom.plugins import Note

from .._support.promises import MESSAGES, promised
from .._support.twins import (
    GONE,
    VALUES,
    Facts,
    Text,
    Whole,
    assert_twins_agree,
    change,
    mostly,
    usual_with_changes,
)

_NOW = 1_795_000_000.5
ACCIDENTS = [
    "undefined", "null", "NULL", "None", "nil", "NaN", "nan", " undefined ", "\tnull\n", "[object Object]", "[OBJECT OBJECT]",
    "[object Null]", "[object Undefined]", "(null)", "<null>", "<nil>", "\u200bnil\ufeff",
]  # fmt: skip


class _Name(str, Enum):
    SEEN = "Seen"


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ({"type": "identify", "userId": "u1", "traits": {"a": 1}, "groupId": 5},
         Identify(user_id="u1", traits={"a": 1}, group_id="5", message_id="m", timestamp=_NOW)),
        ({"type": "Track", "anonymousId": 7, "event": " x ", "traits": {"email": "e"}},
         Track(anonymous_id="7", event=" x ", traits={"email": "e"}, message_id="m", timestamp=_NOW)),
        ({"type": "group", "groupId": "c1", "context": None}, Group(group_id="c1", message_id="m", timestamp=_NOW)),
        ({"type": "page", "name": "N", "category": 4}, Page(name="N", category="4", message_id="m", timestamp=_NOW)),
        ({"type": "screen", "name": ["N"]}, Screen(message_id="m", timestamp=_NOW)),
        ({"type": " ALIAS", "userId": "u1", "previousId": "p"},
         Alias(user_id="u1", previous_id="p", message_id="m", timestamp=_NOW)),
        ({"type": "track", "event": _Name.SEEN, "userId": _Name.SEEN},
         Track(event="Seen", user_id="Seen", message_id="m", timestamp=_NOW)),
    ],
)  # fmt: skip
def test_each_type_is_read(wire, message):
    """R1, R2: each type of message has its own fields; ids become texts, and missing fields None or empty."""
    assert read_message({"messageId": "m", **wire}, now=_NOW) == message


def test_any_mapping_is_read():
    """R1: a message and its objects may be any mapping."""
    wire = UserDict(type="identify", userId="u1", traits=UserDict(a=1))

    message = read_message(wire, now=_NOW)

    assert (message.user_id, message.traits) == ("u1", {"a": 1})
    assert message.message_id


@pytest.mark.parametrize(
    ("wire", "problems"),
    [
        ({"type": "identify", "userId": 1.5}, ["userId: a number, not a text; send the id as text or as a whole number"]),
        ({"type": "identify", "userId": 2**300}, ["userId: an integer that is no id; send the id as text"]),
        ({"type": "identify", "messageId": "m", "traits": "x"}, ["traits: a text, not an object; send an object, or leave it out"]),
        ({"type": "track"}, ["event: missing or blank; send the event's name as text"]),
        ({"type": "track", "event": True}, ["event: a boolean, not a text; send the event's name as text"]),
        ({"type": "track", "event": "x", "groupId": [], "previousId": {}},
         ["groupId: a list, not a text; send the id as text or as a whole number",
          "previousId: an object, not a text; send the id as text or as a whole number"]),
        ({"type": "alias", "userId": True, "properties": 3},
         ["userId: a boolean, not a text; send the id as text or as a whole number",
          "properties: a number, not an object; send an object, or leave it out"]),
        ({"type": "delete"}, ["type: missing or unknown; use one of identify, track, group, page, screen, alias"]),
        ([], ["message: a list, not an object; send one Segment message"]),
    ],
)  # fmt: skip
def test_faults_have_the_names_of_the_wire_form(wire, problems):
    """R1, R2, E1: all faults are reported at once, each with path, fault and remedy, by the names of the wire form."""
    with pytest.raises(RejectedMessage) as raised:
        read_message(wire, now=_NOW)

    assert str(raised.value).splitlines() == problems


def test_page_labels_that_are_no_text():
    """E9: a whole number of at most 256 bits is a label like a text; any other value is no label."""
    wire = {"type": "page", "messageId": "m", "name": 2**300, "category": 404}

    message = read_message(wire, now=_NOW)

    assert (message.name, message.category) == (None, "404")


@given(MESSAGES)
@promised
def test_what_is_written_reads_back(wire):
    """Q3: a message that was written, kept as JSON text and read again is the same."""
    message = read_message({"event": "x", **wire}, now=_NOW)

    again = read_stamped(json.loads(json.dumps(write_message(message))))

    assert repr(again) == repr(message)
    assert write_message(again) == write_message(message) or "nan" in repr(message)


def test_notes_are_kept():
    """A note that was made when the message was accepted stays with it."""
    message = read_message({"type": "track", "event": "x", "timestamp": "soon"}, now=_NOW)

    again = read_stamped(json.loads(json.dumps(write_message(message))))

    assert again.notes == (
        Note("R5", "timestamp", "unreadable date: send 2026-03-01T12:00:00Z or Unix seconds"),
    )


def test_empty_fields_are_not_written():
    """Buffers keep no empty fields."""
    wire = write_message(Identify(user_id="u1", message_id="m", timestamp=5.0))

    assert wire == {"type": "identify", "messageId": "m", "timestamp": 5.0, "userId": "u1"}


@pytest.mark.parametrize(
    ("times", "timestamp"),
    [
        ({}, _NOW),
        ({"timestamp": 5}, 5),
        ({"originalTimestamp": 100}, 100),
        ({"originalTimestamp": 100, "sentAt": 160, "receivedAt": 130}, 70),
        ({"originalTimestamp": 100, "sentAt": 160, "receivedAt": 10}, 100),
        ({"timestamp": 5, "originalTimestamp": 100, "sentAt": 160, "receivedAt": 130}, 5),
        ({"timestamp": " ", "originalTimestamp": " "}, _NOW),
    ],
)
def test_message_time(times, timestamp):
    """R5: the time is ``timestamp``, or else ``originalTimestamp``, corrected if the sender's clock is known to be wrong, or else the time of acceptance."""
    message = read_message({"type": "track", "event": "x", **times}, now=_NOW)

    assert message.timestamp == timestamp


# --- the fast path is the full path -----------------------------------------------------------------------------

_IDS = {"messageId": "m", "userId": "u", "anonymousId": "a", "context": {"ip": "192.0.2.7"}}
_USUAL_WIRES = [
    {"type": "track", **_IDS, "event": "Seen", "properties": {"n": 1}, "timestamp": 5.5},
    {"type": "identify", **_IDS, "traits": {"plan": "pro"}, "timestamp": "2026-03-01T10:00:00Z"},
    {"type": "group", **_IDS, "groupId": "c-1", "traits": {"plan": "pro"}},
    {"type": "page", **_IDS, "name": "Home", "category": "Docs", "integrations": {"All": True}},
    {"type": "screen", **_IDS, "name": "Home", "properties": {"n": 1}, "originalTimestamp": 100},
    {"type": "alias", **_IDS, "previousId": "p", "timestamp": "soon"},
]
_TEXT_KEYS = ["messageId", "userId", "anonymousId", "groupId", "previousId", "event", "name", "category"]
_OBJECT_KEYS = ["context", "integrations", "traits", "properties"]
_TEXTS_OR_ODD = (
    st.text(min_size=1, max_size=5)
    | st.sampled_from(ACCIDENTS)
    | st.just("u-2")
    | VALUES
    | st.sampled_from([GONE, Whole(3), None])
)
_OBJECTS_OR_ODD = (
    st.dictionaries(st.text(max_size=3), VALUES, max_size=2)
    | st.sampled_from([GONE, None, Facts(a=1), UserDict(a=1)])
    | VALUES
)
_WIRES = usual_with_changes(
    _USUAL_WIRES,
    change(_TEXT_KEYS, _TEXTS_OR_ODD) | change(_OBJECT_KEYS, _OBJECTS_OR_ODD) | change(["traces"], VALUES),
)


def test_both_paths_read_the_same():
    """R1, R2, R5: a wire form that the fast path reads is the same message on the full path."""

    def fast(wire):
        timestamp, notes = _codec.message_time(wire, _NOW)
        return _message_shapes.read_fast(
            _message_shapes.SHAPES[_codec._kind(wire)][tuple(wire)], wire, timestamp, notes=notes
        )

    def full(wire):
        timestamp, notes = _codec.message_time(wire, _NOW)
        return _codec._read_full(_codec._kind(wire), wire, timestamp, notes=notes, now=_NOW)

    assert_twins_agree(fast, full, _WIRES)


def test_both_paths_read_a_buffered_message_alike():
    """Q3: a buffered message is the same on both paths."""

    def notes_of(written):
        return tuple(Note(*note) for note in written.get("notes", ()))

    def fast(written):
        shape = _message_shapes.STAMPED_SHAPES[_codec._kind(written)][tuple(written)]
        return _message_shapes.read_fast(shape, written, written["timestamp"], notes=notes_of(written))

    def full(written):
        kind = _codec._kind(written)
        return _codec._cattrs_reader(kind)({**written, "notes": notes_of(written)}, kind)

    buffered = _WIRES.map(_written).filter(lambda written: written is not None)

    assert_twins_agree(fast, full, buffered)


def _written(wire):
    """Return *wire* as a buffer keeps it; None when it is no message."""
    try:
        return json.loads(json.dumps(write_message(read_message(wire, now=_NOW))))
    except (RejectedMessage, TypeError):
        return None


def test_both_paths_find_the_type():
    """R1: the type of a plain object, read on the fast path, is the type of any other mapping with the same values."""
    wires = st.builds(
        dict, type=st.sampled_from([*_message_shapes.KINDS, "Track", " group", Text("page")]), userId=VALUES
    )

    assert_twins_agree(
        lambda wire: _codec._kind(wire) if wire["type"] in _message_shapes.KINDS else None,
        lambda wire: _codec._kind(MappingProxyType(wire)),
        wires,
    )


def test_both_paths_read_an_id():
    """R2, R10: an id that the fast path takes as it is, is the same id on the full path, from a text of any class."""
    ends = st.sampled_from([" ", "\u00a0", "\u200b", "\ufeff", "\x00", "\t", "\u202a", "\u00ad"])
    odd = st.text(max_size=4) | ends | st.builds("{}u{}".format, ends, ends) | st.sampled_from(ACCIDENTS)

    assert_twins_agree(
        lambda text: text if is_plain_id(text) else None,
        lambda text: trimmed_id(text) if not is_accident(text) else None,
        mostly(st.text("aB9-_@.", min_size=1), odd),
    )
    assert_twins_agree(
        lambda text: text if is_plain_id(text) else None,
        lambda text: read_id(Text(text), None),
        mostly(st.text("aB9-_@.", min_size=1), odd),
    )


@pytest.mark.parametrize("kind", ["track", "identify", "group", "page", "screen", "alias"])
@pytest.mark.parametrize("value", [[1], {"a": 1}, 1.5, True], ids=repr)
def test_ids_of_other_types_are_checked(kind, value):
    """R1, R2: an id field of another message type must hold an id too, or the message is rejected."""
    with pytest.raises(RejectedMessage) as raised:
        read_message(
            {
                "type": kind,
                "messageId": "m",
                "userId": "u",
                "event": "e",
                "groupId": value,
                "previousId": value,
            },
            now=_NOW,
        )

    assert [problem.path for problem in raised.value.problems] in (
        ["groupId", "previousId"],
        ["previousId", "groupId"],
    )


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("name", ["userId", "anonymousId", "groupId", "previousId", "messageId"])
def test_an_accident_is_no_id(name, accident):
    """R2: an id that a program writes where there is none counts as absent, with a note that names its key."""
    kind = {"groupId": "group", "previousId": "alias"}.get(name, "track")
    field = {
        "userId": "user_id",
        "anonymousId": "anonymous_id",
        "groupId": "group_id",
        "previousId": "previous_id",
    }

    message = read_message({"type": kind, "event": "x", "messageId": "m", name: accident}, now=_NOW)

    assert [(note.rule, note.path) for note in message.notes] == [("R2", name)]
    if name == "messageId":
        assert message.message_id not in (None, accident)
    else:
        assert getattr(message, field[name]) is None


@pytest.mark.parametrize(
    "user_id", ["nullable", "none-1", "Nil Armstrong", "nan1", "0", "undefined2", "-", "n/a", "no"]
)
def test_an_id_that_contains_an_accident_is_an_id(user_id):
    """R2: only the accident itself counts as absent, not a name in which it occurs."""
    message = read_message({"type": "identify", "userId": user_id}, now=_NOW)

    assert (message.user_id, message.notes) == (user_id, ())


@pytest.mark.parametrize(
    ("value", "user_id"),
    [
        (12.0, "12"), (-0.0, "0"), (Decimal("12"), "12"), (Decimal("1E+3"), "1000"), (Decimal("1E+30"), "1" + "0" * 30), (Decimal("7.00"), "7"), (2.0**52, str(2**52)),
        ("\u200bu1", "u1"), ("u1\ufeff", "u1"), ("\u202au1\u202c", "u1"), ("u1\u00ad", "u1"), ("\tu1\r\n", "u1"), ("u\x001", "u1"),
        ("\u00a0u1\u2003", "u1"), (" u1 ", " u1 "), ("\u200b u1 ", " u1 "), (" \u200bu1", " u1"), ("\u200b", None), ("\x00", None),
    ],
)  # fmt: skip
def test_ids_are_read_without_what_nobody_sees(value, user_id):
    """R2, R10: whole numbers of any type become text; invisible characters are taken off an id, plain blanks stay."""
    message = read_message({"type": "identify", "messageId": "m", "userId": value}, now=_NOW)

    assert message.user_id == user_id
    changed = isinstance(value, str) and user_id not in (value, None)
    assert [(note.rule, note.path) for note in message.notes] == [("R10", "userId")] * changed


@pytest.mark.parametrize(
    "value",
    [
        12.5,
        2.0**53,
        1e300,
        float("nan"),
        float("inf"),
        Decimal("12.5"),
        Decimal("NaN"),
        Decimal("1E+400"),
        True,
    ],
)
def test_numbers_that_are_no_ids(value):
    """R2: a fraction, a float that has lost digits, NaN and booleans reject the message."""
    with pytest.raises(RejectedMessage) as raised:
        read_message({"type": "identify", "userId": value}, now=_NOW)

    assert [problem.path for problem in raised.value.problems] == ["userId"]


_SNAKE = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "group_id": "groupId",
    "previous_id": "previousId",
    "message_id": "messageId",
    "sent_at": "sentAt",
    "received_at": "receivedAt",
    "original_timestamp": "originalTimestamp",
}


@given(MESSAGES, st.sets(st.sampled_from(sorted(_SNAKE))))
@promised
def test_snake_case_keys_are_the_same_message(wire, names):
    """R1: a message is the same whichever of its known keys are spelled in snake_case."""
    wire = {"event": "x", "messageId": "m", "sentAt": 5, "receivedAt": 6, "originalTimestamp": 7, **wire}
    spelled = {camel: snake for snake, camel in _SNAKE.items() if snake in names}

    def outcome(message):
        try:
            read = read_message(message, now=_NOW)
            notes = sorted((note.rule, _SNAKE.get(note.path, note.path), note.reason) for note in read.notes)
            return repr(attrs.evolve(read, notes=())), notes
        except RejectedMessage as error:
            return sorted(map(str, error.problems))

    if not names_itself(wire):
        wire["messageId"] = "m"
    assert outcome({spelled.get(key, key): value for key, value in wire.items()}) == outcome(wire)


@pytest.mark.parametrize(
    ("wire", "user_id", "notes"),
    [
        ({"userId": "a", "user_id": "b"}, "a", [("R1", "user_id")]),
        ({"user_id": "b", "userId": "a"}, "a", [("R1", "user_id")]),
        ({"userId": None, "user_id": "b"}, "b", []),
        ({"userId": "", "user_id": "b"}, "b", []),
        ({"userId": "undefined", "user_id": "b"}, "b", [("R2", "userId")]),
        ({"userId": "a", "user_id": None}, "a", []),
        ({"userId": "a", "user_id": "null"}, "a", [("R2", "user_id")]),
        ({"user_id": "null"}, None, [("R2", "user_id")]),
        ({"user_id": "\u200b"}, None, []),
        ({"user_id": 7}, "7", []),
    ],
)
def test_camel_case_wins(wire, user_id, notes):
    """R1: of two spellings of one key the camelCase one wins, with a note; one that holds nothing is no spelling."""
    message = read_message({"type": "identify", **wire}, now=_NOW)

    assert (message.user_id, [(note.rule, note.path) for note in message.notes]) == (user_id, notes)


@pytest.mark.parametrize("name", ["traits", "properties", "context", "integrations"])
@pytest.mark.parametrize("kind", ["identify", "track", "group", "page", "screen", "alias"])
@pytest.mark.parametrize("empty", [[], (), None], ids=repr)
def test_an_empty_list_is_an_empty_object(name, kind, empty):
    """R1: PHP writes an empty object as an empty list."""
    message = read_message({"type": kind, "event": "x", "userId": "u1", name: empty}, now=_NOW)

    assert getattr(message, name, {}) == {}
    assert message.notes == ()


@pytest.mark.parametrize(
    ("wire", "has_id"),
    [
        ({"messageId": "m"}, True),
        ({"message_id": "m"}, True),
        ({"messageId": None, "message_id": 7}, True),
        ({"messageId": " "}, False),
        ({"message_id": "undefined"}, False),
        ({"messageId": "\u200b"}, False),
        ({}, False),
    ],
)
def test_a_message_with_an_id_names_itself(wire, has_id):
    """R1, R2: a message id counts in either spelling, unless it is blank or a placeholder."""
    assert names_itself(wire) is has_id


@pytest.mark.parametrize("user_id", ["u1", 7])
@pytest.mark.parametrize(
    ("mark", "is_untrusted"), [(True, True), (False, False), (1, False), ("true", False)]
)
def test_trust_is_read_alike_on_both_paths(user_id, mark, is_untrusted):
    """V4: only true marks an untrusted sender, and only a buffered message has a proven address, on the fast path and on the full one."""
    wire = {"type": "identify", "userId": user_id, "untrusted": mark, "provenEmail": "ada@example.com"}
    stamped = {**wire, "messageId": "m", "timestamp": 5.0}

    message = read_message(wire, now=_NOW)
    buffered = read_stamped(stamped)

    assert (message.is_untrusted, message.proven_email) == (is_untrusted, None)
    assert (buffered.is_untrusted, buffered.proven_email) == (is_untrusted, "ada@example.com")
    assert read_stamped(write_message(buffered)) == buffered
