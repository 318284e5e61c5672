"""Any value that a caller passes: it is accepted or raises ``RejectedMessage``, never another error, and other messages are unharmed."""

from __future__ import annotations

import dataclasses
import itertools
import json
import uuid
from collections import ChainMap, OrderedDict, UserDict, UserString, defaultdict, deque, namedtuple
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace

import attrs
import pytest

from metarouter_intercom import RejectedMessage, Settings
from metarouter_intercom._client.stamping import Stamper
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import RecordingClient, ScriptedTransport

from .._support.clients import accept, in_workspace, manual_client


class _Failing(Mapping):
    """A mapping one of whose methods raises."""

    def __init__(self, word):
        self._word = word

    def _fail_at(self, word):
        if self._word == word:
            raise LookupError(word)

    def __getitem__(self, key):
        self._fail_at("getitem")
        return 1

    def __iter__(self):
        self._fail_at("iter")
        return iter(["a"])

    def __len__(self):
        self._fail_at("len")
        return 1

    def items(self):
        self._fail_at("items")
        return super().items()

    def keys(self):
        self._fail_at("keys")
        return super().keys()


class _FailingDict(dict):
    def _fail(self, *_):
        raise RuntimeError("dict")

    items = keys = values = get = copy = __iter__ = __len__ = __getitem__ = __contains__ = _fail


class _FailingList(list):
    def __iter__(self):
        raise RuntimeError("list")


class _FailingText(str):
    def _fail(self, *_):
        raise RuntimeError("text")

    strip = lower = encode = isascii = __str__ = __repr__ = __getitem__ = __len__ = _fail


class _FailingNumber(int):
    def _fail(self, *_):
        raise RuntimeError("number")

    __int__ = __str__ = __repr__ = __lt__ = __le__ = __gt__ = __float__ = bit_length = _fail


class _Unprintable:
    def _fail(self, *_):
        raise ValueError("unprintable")

    __str__ = __repr__ = __eq__ = __hash__ = __bool__ = __len__ = _fail


class _Nameless:
    @property
    def __class__(self):
        raise RuntimeError("class")


class _FailingZone(tzinfo):
    def utcoffset(self, moment):
        raise RuntimeError("zone")


class _Colour(Enum):
    RED = "red"


class _TextColour(str, Enum):
    RED = "red"


class _NumberColour(IntEnum):
    RED = 3


class _FailingColour(Enum):
    RED = 1

    @property
    def value(self):
        raise RuntimeError("value")


def _nested(depth, kind):
    value = "end"
    for _ in range(depth):
        value = {"x": value} if kind is dict else [value]
    return value


def _cycle(kind):
    value = {} if kind is dict else []
    value.update(a=value) if kind is dict else value.append(value)
    return value


_VALUES = {
    "nothing": None,
    "blank": "  ",
    "true": True,
    "nan": float("nan"),
    "infinity": float("-inf"),
    "bytes": b"x",
    "bytearray": bytearray(b"x"),
    "memoryview": memoryview(b"x"),
    "complex": 1j,
    "range": range(3),
    "object": object(),
    "class": int,
    "function": len,
    "an error": ValueError("x"),
    "unprintable": _Unprintable(),
    "nameless": _Nameless(),
    "lone surrogate": "a\ud800b",
    "pair of surrogates": "\ud83d\ude00",
    "control characters": "a\x00\x1f\u2028b",
    "40 KB": "x" * 40_000,
    "1,000 objects": _nested(1_000, dict),
    "1,000 lists": _nested(1_000, list),
    "a cycle of objects": _cycle(dict),
    "a cycle of lists": _cycle(list),
    "beyond 64 bits": 2**70,
    "beyond printing": 10**5_000,
    "-2**63": -(2**63),
    "decimal": Decimal("1.50"),
    "decimal nan": Decimal("NaN"),
    "decimal signalling nan": Decimal("sNaN"),
    "decimal beyond floats": Decimal("1E+400"),
    "decimal beyond arithmetic": Decimal("1E+999999999"),
    "set": {1, 2},
    "mixed set": {1, "a", None},
    "set of the unprintable": frozenset([object()]),
    "tuple": (1, "a"),
    "deque": deque([1]),
    "generator": (number for number in [1]),
    "datetime": datetime(2026, 3, 1),
    "datetime of a failing zone": datetime(2026, 3, 1, tzinfo=_FailingZone()),
    "date": date(2026, 3, 1),
    "time": time(10, 30),
    "time of a failing zone": time(10, 30, tzinfo=_FailingZone()),
    "uuid": uuid.UUID(int=1),
    "enum": _Colour.RED,
    "text enum": _TextColour.RED,
    "number enum": _NumberColour.RED,
    "failing enum": _FailingColour.RED,
    "failing text": _FailingText("x"),
    "failing number": _FailingNumber(5),
    "failing dict": _FailingDict(a=1),
    "failing list": _FailingList([1]),
    **{f"failing {word}": _Failing(word) for word in ("getitem", "iter", "len", "items", "keys")},
    "number as key": {1: "a", "1": "b"},
    "null as key": {None: 1, True: 2, 1.5: 3},
    "tuple as key": {(1, 2): 3},
    "bytes as key": {b"a": 1},
    "surrogate as key": {"a\ud800": 1},
    "text enum as key": {_TextColour.RED: 1},
    "ordered dict": OrderedDict(a=1),
    "default dict": defaultdict(int, a=1),
    "user dict": UserDict(a=1),
    "read-only dict": MappingProxyType({"a": 1}),
    "chain of dicts": ChainMap({"a": 1}, {"b": 2}),
}
_TRAITS = [
    "x",
    "email",
    "name",
    "firstName",
    "phone",
    "phones",
    "avatar",
    "createdAt",
    "lastSeenAt",
    "unsubscribedFromEmails",
    "ownerId",
    "role",
    "company",
    "companies",
    "id",
    "user_hash",
    "anonymous_id",
]
_COMPANY = ["x", "id", "name", "plan", "size", "monthlySpend", "createdAt", "tags", "remove"]
_PROPERTIES = ["x", "revenue", "total", "currency", "price", "email"]
_TOP = [
    "userId",
    "anonymousId",
    "messageId",
    "groupId",
    "previousId",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "context",
    "integrations",
    "traits",
    "properties",
]


def _calls(value):
    """Yield messages with *value* in every place where one can stand."""
    for name in _TRAITS:
        yield {"type": "identify", "userId": "u1", "traits": {name: value}}
        yield {"type": "identify", "userId": "u1", "context": {"traits": {name: value}}}
    for name in _COMPANY:
        yield {"type": "group", "userId": "u1", "groupId": "c1", "traits": {name: value}}
        yield {"type": "identify", "userId": "u1", "traits": {"company": {name: value}}}
    for name in _PROPERTIES:
        yield {"type": "track", "userId": "u1", "event": "Order Completed", "properties": {name: value}}
    for name in _TOP:
        for kind in ("identify", "track", "group", "page", "alias"):
            yield {"type": kind, "userId": "u1", "event": "x", "groupId": "c1", "name": "n", name: value}
    for name in ("name", "category"):
        yield {"type": "screen", "userId": "u1", name: value}
    for name in ("Intercom", "integrations", "providers", "page", "traits", "groupId", "active", "os"):
        yield {"type": "identify", "userId": "u1", "context": {name: value}}
    for name in ("contact_id", "role", "owner_id", "unsubscribed", "user_hash"):
        yield {"type": "identify", "userId": "u1", "integrations": {"Intercom": {name: value}}}
    yield {"type": "track", "userId": "u1", "event": value}
    yield {"type": value, "userId": "u1"}
    yield value


def _fault(client, call):
    """Return how *call* was rejected; None when it was accepted."""
    try:
        client.send(call)
    except RejectedMessage as error:
        return error
    return None


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in _VALUES.items()])
def test_every_value_in_every_place(value):
    """Each call is accepted or rejected; accepted messages are delivered as JSON, and so is the message after them."""
    sent = []

    def answer(request):
        sent.append(json.dumps(request.body, allow_nan=False).encode())
        return accept(request)

    client = manual_client(ScriptedTransport(answer), page_events="Viewed {name}", collect_context=True)
    faults = [_fault(client, call) for call in _calls(value)]
    client.track("u9", "Afterwards")

    report = client.flush()

    problems = [problem for fault in faults if fault is not None for problem in fault.problems]
    assert report.accepted + client.stats().duplicates == faults.count(None) + 1
    assert all(problem.path and problem.fault and problem.remedy for problem in problems)
    assert (report.dead, report.pending) == ({}, 0)
    assert any(b"Afterwards" in body for body in sent)


def test_ten_thousand_keys():
    """Q2: a message with ten thousand traits is too large; if the limit allows its size, every trait is delivered."""
    traits = {f"k{number}": number for number in range(10_000)}
    bodies = []

    def answer(request):
        bodies.append(request.body)
        return accept(request)

    client = manual_client(ScriptedTransport(answer), max_message_bytes=10**6)
    client.identify("u1", traits)
    client.flush()

    assert bodies[0]["custom_attributes"] == traits
    with pytest.raises(RejectedMessage, match="max_message_bytes"):
        manual_client().identify("u1", traits)


@pytest.mark.parametrize("how", ["identify", "track", "group", "page", "screen", "alias"])
def test_methods_reject_as_send_does(how):
    """A method rejects the same values as ``send``, with the same paths."""
    client = manual_client()

    with pytest.raises(RejectedMessage) as raised:
        getattr(client, how)(user_id=object(), message_id=b"")

    assert [problem.path for problem in raised.value.problems][:2] == ["userId", "messageId"]
    assert client.stats().rejected == {"invalid": 1}


def test_no_value_raises_when_rejections_are_logged():
    """Q2: with ``on_invalid="log"`` any wrong value is counted, and the call returns an empty id."""
    client = manual_client(on_invalid="log")

    ids = [
        client.send(value)
        for value in (None, 5, [], {}, {"type": "x"}, _FailingDict(a=1), _Failing("getitem"))
    ]

    assert ids == [""] * 7
    assert client.stats().rejected == {"invalid": 7}


@pytest.mark.parametrize(
    ("message_id", "kept"),
    [
        ("x" * 5_000, "x" * 5_000),
        ("'; drop table messages; --", "'; drop table messages; --"),
        ("%s", "%s"),
        (" ü ", " ü "),
        ("a\x00b", "ab"),
        ("ü\u2028", "ü"),
    ],
)
def test_any_text_is_a_message_id(tmp_path, message_id, kept):
    """R2, R10, Q5: a message id is kept without invisible ends, and recognised again, in memory and in the spool."""
    for choices in ({}, {"spool": tmp_path / "spool"}):
        client = manual_client(**choices)
        first = client.track("u1", "x", message_id=message_id)
        client.track("u1", "x", message_id=message_id)

        report = client.flush()
        client.close()

        assert first == kept
        assert (report.delivered, client.stats().duplicates) == (1, 1)


@pytest.mark.parametrize("key", ["id", "company_id", "companyId", "groupId", "Group ID"])
@pytest.mark.parametrize("place", ["company", "companies"])
@pytest.mark.parametrize("others", [{"name": "Acme"}, {"name": "Acme", "group_id": "c9"}])
def test_nothing_stands_in_for_an_id_of_a_company_that_is_odd(key, place, others):
    """Q6, C1: a company whose id has no form in JSON is left out with a note; neither its name nor another id takes the id's place."""
    if "group_id" in others and key in ("groupId", "Group ID"):
        others = {"name": "Acme"}
    company = {key: object(), **others}
    client = manual_client(after=[(deliveries := []).append])
    client.identify("u1", {place: company if place == "company" else [company], "plan": "pro"})

    report = client.flush()
    client.close()

    path = f"traits.company.{key}" if place == "company" else f"traits.companies.0.{key}"
    assert report.delivered == 1
    assert [tuple(note) for note in deliveries[0].notes] == [
        ("Q6", path, "left out: an object"),
        ("C1", path, "not an id, so the company is left out"),
    ]


def test_an_odd_second_id_of_a_company_costs_only_itself():
    """Q6, C1: the first id that is there decides, also if another one has no form in JSON."""
    client = manual_client(after=[(deliveries := []).append])
    client.identify("u1", {"company": {"id": "c1", "company_id": object()}})

    client.flush()
    client.close()

    assert [tuple(note) for note in deliveries[0].notes] == [
        ("Q6", "traits.company.company_id", "left out: an object")
    ]


_ODD = {"ok": 1, "plan": {"days": timedelta(days=1), "key": object(), "raw": b"\xff"}}
_ODD_NOTES = [
    ("Q6", "traits.plan.key", "left out: an object"),
    ("Q6", "traits.plan.raw", "left out: bytes that are not UTF-8"),
]


@pytest.mark.parametrize("is_spooled", [False, True])
@pytest.mark.parametrize("on_invalid", ["raise", "log"])
@pytest.mark.parametrize("call", ["send", "identify"])
def test_one_odd_value_costs_that_value(tmp_path, is_spooled, on_invalid, call):
    """Q6: the rest of the message is delivered, and the note reaches after-hooks and the report, also from a spool that another client opens."""
    bodies, deliveries = [], []

    def answer(request):
        bodies.append(request.body)
        return Response(200, {"id": "i1", "type": "contact"})

    choices = {"spool": tmp_path / "spool"} if is_spooled else {}
    client = manual_client(
        ScriptedTransport(in_workspace(answer)), on_invalid=on_invalid, after=[deliveries.append], **choices
    )
    if call == "send":
        client.send({"type": "identify", "userId": "u1", "traits": _ODD})
    else:
        client.identify("u1", _ODD)
    other = (
        manual_client(ScriptedTransport(in_workspace(answer)), after=[deliveries.append], **choices)
        if is_spooled
        else client
    )

    report = other.flush()
    other.close()
    client.close()

    assert [body["custom_attributes"] for body in bodies] == [{"ok": 1, "plan_days": 86_400}]
    assert [tuple(note) for note in deliveries[0].notes] == _ODD_NOTES
    assert report.notes == {f"{rule}: {reason}": 1 for rule, _, reason in _ODD_NOTES}
    assert (report.rejected, report.dead) == ({}, {})


def test_notes_do_not_make_a_message_too_large():
    """Q6: what is said about values that were left out does not count for ``max_message_bytes``."""
    client = manual_client(max_message_bytes=300)

    client.identify("u1", {f"{'k' * 50}{number}": object() for number in range(200)})

    assert client.flush().delivered == 1


@dataclasses.dataclass
class _Facts:
    plan: str = "pro"
    seats: object = 3


@attrs.frozen
class _Frozen:
    plan: str = "pro"
    seats: int = 3


class _Model:
    model_fields = ()

    def model_dump(self):
        return {"plan": "pro", "seats": 3}


@pytest.mark.parametrize(
    "facts",
    [
        _Facts(),
        _Frozen(),
        _Model(),
        SimpleNamespace(plan="pro", seats=3),
        namedtuple("Facts", "plan seats")("pro", 3),
        UserDict(plan="pro", seats=3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_may_be_any_that_stands_for_one(facts):
    """Q6: traits, properties and context may be dataclasses, models and other values that stand for an object."""
    stamped = Stamper(Settings(api_key="k"), ()).stamp(
        {"type": "track", "userId": "u1", "event": "x", "properties": facts, "context": facts}, 0.0
    )

    assert stamped.message["properties"] == stamped.message["context"] == {"plan": "pro", "seats": 3}


class _Endless(Mapping):
    def __getitem__(self, key):
        return 1

    def __iter__(self):
        return itertools.count()

    def __len__(self):
        return 1


@pytest.mark.parametrize(
    "value", [[1], "x", 5, object(), {1}, _Endless(), _FailingDict(a=1), b"{}", date(2024, 1, 2)]
)
def test_what_the_message_cannot_do_without_rejects_it(value):
    """Q6, R1: where an object is needed and none can be found, the message is rejected at that place."""
    with pytest.raises(RejectedMessage) as raised:
        manual_client().send({"type": "identify", "userId": "u1", "traits": value})

    assert [problem.path for problem in raised.value.problems] == ["traits"]


class _LazyName:
    def __str__(self):
        return "Signed up"

    def __getattr__(self, name):
        return getattr("Signed up", name)


class _Event(Enum):
    SIGNED_UP = "Signed up"
    LAZY = _LazyName()


@pytest.mark.parametrize(
    ("user_id", "text"),
    [
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (Decimal("12"), "12"),
        (_TextColour.RED, "red"),
        (_NumberColour.RED, "3"),
        (_Colour.RED, "red"),
        (PurePosixPath("a/b"), "a/b"),
    ],
)
@pytest.mark.parametrize("event", [_LazyName(), _Event.SIGNED_UP, _Event.LAZY, UserString("Signed up")])
def test_ids_and_names_may_be_what_stands_for_a_text(user_id, text, event):
    """Q6, R2, E1: an id may be a UUID or an enum, a name of an event a lazy text."""
    stamped = Stamper(Settings(api_key="k"), ()).stamp(
        {"type": "track", "userId": user_id, "event": event}, 0.0
    )

    assert (stamped.message["userId"], stamped.message["event"]) == (text, "Signed up")


@pytest.mark.parametrize(
    "value", [b"u1", date(2024, 1, 2), timedelta(1), Decimal("1.5"), _Facts(), True, [1], object()]
)
def test_ids_that_are_no_text_are_rejected(value):
    """Q6, R2: what stands for anything except a text or a whole number, and bytes and dates, are no id."""
    with pytest.raises(RejectedMessage) as raised:
        manual_client().track(value, "x")

    assert [problem.path for problem in raised.value.problems] == ["userId"]


def test_no_value_is_quoted():
    """A rejection names paths and types, and never a value, because a value may be private."""
    with pytest.raises(RejectedMessage) as raised:
        manual_client().group(b"very secret", "c1", ["secret"])

    assert "secret" not in str(raised.value)
    assert [problem.path for problem in raised.value.problems] == ["userId", "traits"]


@pytest.mark.parametrize("identify", ["identify", "send"])
@pytest.mark.parametrize("user_id", ["undefined", "NULL", " None ", "nil", "[object Object]", "\u200bNaN"])
def test_strangers_do_not_merge(identify, user_id):
    """R2: two people whose ids are the same placeholder stay two people, whichever way the messages come."""
    client = RecordingClient()
    for email in ("ann@example.com", "bob@example.com"):
        if identify == "send":
            client.send({"type": "identify", "user_id": user_id, "traits": {"email": email}})
        else:
            client.identify(user_id, {"email": email})

    name = "user_id" if identify == "send" else "userId"
    assert [(one.get("userId"), one["notes"][0][:2]) for one in client.sent] == [(None, ["R2", name])] * 2


@pytest.mark.parametrize("empty", [[], (), None], ids=repr)
def test_an_empty_list_is_accepted_by_each_call(empty):
    """R1: an empty list for an object is an empty object in every call."""
    client = RecordingClient()
    client.identify("u1", empty, empty, integrations=empty)
    client.track("u1", "x", empty, empty)
    client.group("u1", "c1", empty, empty)
    client.page("u1", "c", "n", empty, empty)
    client.send(
        {
            "type": "track",
            "userId": "u1",
            "event": "x",
            "properties": empty,
            "context": empty,
            "integrations": empty,
        }
    )

    assert [set(one) - {"type", "userId", "messageId", "timestamp"} for one in client.sent] == [
        set(),
        {"event"},
        {"groupId"},
        {"category", "name"},
        {"event"},
    ]
