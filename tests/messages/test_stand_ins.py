"""What values of any other type stand for (rule Q6): a text, a number, a list or an object."""

from __future__ import annotations

import array
import collections.abc
import dataclasses
import enum
import ipaddress
import json
import os
import sqlite3
import typing
import uuid
from collections import (
    ChainMap,
    Counter,
    OrderedDict,
    UserDict,
    UserList,
    UserString,
    defaultdict,
    deque,
    namedtuple,
)
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType, SimpleNamespace

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages._json_copy import Copier
from metarouter_intercom.messages._stand_ins import NoMeaning, meaning_of, plain_of

from .._support.promises import promised


class Lazy:
    """A text that is translated when it is shown, and has a text's methods, as Babel's and Flask's lazy texts have."""

    def __init__(self, text):
        self._text = text

    def __str__(self):
        return self._text

    def __getattr__(self, name):
        return getattr(self._text, name)


class LazyString:
    """A lazy text without any method of a text."""

    def __str__(self):
        return "later"


class StandIn:
    """An object that says that it is of another one's class, as Django's SimpleLazyObject does."""

    def __init__(self, value):
        object.__setattr__(self, "_value", value)

    @property
    def __class__(self):
        return type(self._value)

    def __str__(self):
        return str(self._value)

    def __int__(self):
        return int(self._value)

    def __float__(self):
        return float(self._value)

    def __bool__(self):
        return bool(self._value)

    def __iter__(self):
        return iter(self._value)

    def __getattr__(self, name):
        return getattr(self._value, name)


class Path:
    def __fspath__(self):
        return "/srv/plans"


class Plan(enum.Enum):
    PRO = "pro"
    LAZY = Lazy("Später")
    BOTH = ("a", 2)


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True)
class Address:
    city: str = "Bremen"
    since: date = date(2024, 2, 29)
    kind: typing.ClassVar[str] = "home"
    odd: object = None


@attrs.frozen
class Seat:
    row: int = 1
    tags: frozenset[str] = frozenset({"b", "a"})


class Model:
    """A model as Pydantic 2 makes it."""

    model_fields: typing.ClassVar = {"plan": None}

    def model_dump(self):
        return {"plan": Plan.PRO, "days": timedelta(days=1)}


class OldModel:
    """A model as Pydantic 1 makes it."""

    __fields__: typing.ClassVar = {"plan": None}

    def validate(self):
        raise AssertionError("never asked")

    def dict(self):
        return {"plan": "old", "id": uuid.UUID(int=2)}


class Struct:
    """A value as msgspec makes it."""

    __struct_fields__ = ("x", "y")

    def __init__(self):
        self.x, self.y = 1, Plan.PRO


class Row:
    """A row of a database: it has keys and items, and is no mapping."""

    def keys(self):
        return ["id", "at"]

    def __getitem__(self, name):
        return {"id": 7, "at": date(2024, 1, 2)}[name]


class NamedRow:
    """A row of a database with names, and no tuple."""

    def _asdict(self):
        return {"id": 8}


class Moment:
    """An instant that is no datetime, as Arrow's are."""

    def isoformat(self):
        return "2024-02-29T10:00:00+00:00"


class Number:
    def __index__(self):
        return 12


class Measure:
    """A number that is registered nowhere, as some of NumPy's."""

    def __float__(self):
        return 0.25

    def is_integer(self):
        return False


class LazyList:
    def __iter__(self):
        return iter([1, 2])

    def append(self, item):
        raise AssertionError("never asked")


class Array:
    """An array as NumPy makes it."""

    size = 2
    dtype = SimpleNamespace(kind="i")

    def tolist(self):
        return [1, 2]


class Dates(Array):
    dtype = SimpleNamespace(kind="M")

    def astype(self, kind):
        assert kind == "datetime64[us]"
        return SimpleNamespace(tolist=lambda: [datetime(2024, 1, 2)])


class Spans(Array):
    dtype = SimpleNamespace(kind="m")

    def astype(self, kind):
        assert kind == "timedelta64[us]"
        return SimpleNamespace(tolist=lambda: timedelta(seconds=90))


Point = namedtuple("Point", "x y")


class ListRow(list):
    """A row of a database that is a list with names."""

    def keys(self):
        return ["id"]

    def __getitem__(self, name):
        return {"id": list.__getitem__(self, 0)}[name]


def database_row():
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    try:
        return database.execute("SELECT 7 AS id, '2024-01-02' AS at").fetchone()
    finally:
        database.close()


class Nameless(type):
    @property
    def __name__(cls):
        raise LookupError("no")


class Plain(tuple):
    """A tuple whose ``_fields`` are not those of a named tuple."""

    _fields = ("a", "b", "c")


TEXTS = [
    (Lazy("Pro"), "Pro"),
    (LazyString(), "later"),
    (UserString("own"), "own"),
    (StandIn("text"), "text"),
    (Path(), "/srv/plans"),
    (PurePosixPath("/a/b"), "/a/b"),
    (PureWindowsPath("c:/a"), "c:\\a"),
    (ipaddress.ip_address("192.0.2.7"), "192.0.2.7"),
    (ipaddress.ip_address("2001:db8::1"), "2001:db8::1"),
    (ipaddress.ip_network("192.0.2.0/24"), "192.0.2.0/24"),
    (ipaddress.ip_interface("2001:db8::1/64"), "2001:db8::1/64"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (b"Gr\xc3\xb6\xc3\x9fe", "Größe"),
    (bytearray(b"x"), "x"),
    (memoryview(b"xyz")[::2], "xz"),
    (Plan.PRO, "pro"),
    (Plan.LAZY, "Später"),
    (datetime(2024, 2, 29, 10), "2024-02-29T10:00:00+00:00"),
    (time(12, 30), "12:30:00"),
    (Moment(), "2024-02-29T10:00:00+00:00"),
]
NUMBERS = [
    (timedelta(days=1), 86_400),
    (timedelta(milliseconds=1_500), 1.5),
    (timedelta(minutes=-1), -60),
    (Decimal("19.99"), 19.99),
    (Fraction(1, 4), 0.25),
    (Fraction(8, 2), 4),
    (Rights.READ | Rights.WRITE, 3),
    (StandIn(7), 7),
    (StandIn(0.5), 0.5),
    (StandIn(True), True),
    (StandIn(None), None),
    (Number(), 12),
    (Measure(), 0.25),
    (Spans(), 90),
]
LISTS = [
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    ((1, "a"), [1, "a"]),
    (deque([2, 1]), [2, 1]),
    (range(3), [0, 1, 2]),
    ({"b": 1, "a": 2}.keys(), ["b", "a"]),
    ({"b": 2, "a": 1}.values(), [2, 1]),
    ({"b": 2}.items(), [["b", 2]]),
    (UserList([Plan.PRO]), ["pro"]),
    (array.array("i", [1, 2]), [1, 2]),
    (Plan.BOTH, ["a", 2]),
    (Plain((1, 2)), [1, 2]),
    (StandIn([1]), [1]),
    (LazyList(), [1, 2]),
    (Array(), [1, 2]),
    (Dates(), ["2024-01-02T00:00:00+00:00"]),
]
OBJECTS = [
    (Address(), {"city": "Bremen", "since": "2024-02-29", "odd": None}),
    (StandIn(Address(city="Kiel")), {"city": "Kiel", "since": "2024-02-29", "odd": None}),
    (Seat(), {"row": 1, "tags": ["a", "b"]}),
    (Model(), {"plan": "pro", "days": 86_400}),
    (OldModel(), {"plan": "old", "id": "00000000-0000-0000-0000-000000000002"}),
    (Struct(), {"x": 1, "y": "pro"}),
    (Row(), {"id": 7, "at": "2024-01-02"}),
    (NamedRow(), {"id": 8}),
    (Point(1, {2}), {"x": 1, "y": [2]}),
    (ListRow([5]), {"id": 5}),
    (database_row(), {"id": 7, "at": "2024-01-02"}),
    (SimpleNamespace(a=Plan.PRO), {"a": "pro"}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (ChainMap({"a": 1}, {"a": 2}), {"a": 1}),
    (UserDict(a={1}), {"a": [1]}),
    (defaultdict(int, a=1), {"a": 1}),
    (Counter("aab"), {"a": 2, "b": 1}),
    ({uuid.UUID(int=1): 1, Plan.PRO: 2, b"k": 3, date(2024, 1, 2): 4},
     {"00000000-0000-0000-0000-000000000001": 1, "pro": 2, "k": 3, "2024-01-02": 4}),
]  # fmt: skip
ALL = [*TEXTS, *NUMBERS, *LISTS, *OBJECTS]


@pytest.mark.parametrize(("value", "form"), ALL, ids=lambda value: type(value).__name__)
def test_what_values_stand_for(value, form):
    """Q6: lazy texts, paths, addresses and UUIDs are texts, enums their values, timedeltas seconds, collections lists, models objects."""
    copier = Copier()

    copied = copier.copy_object({"a": value, "b": [value]}, "traits")

    assert json.dumps(copied) == json.dumps({"a": form, "b": [form]})
    assert copier.notes == []


@given(st.recursive(st.sampled_from([value for value, _ in ALL]), lambda inner: st.lists(inner, max_size=3).map(UserList)
       | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2).map(UserDict), max_leaves=6))  # fmt: skip
@promised
def test_the_copy_is_json_and_is_its_own_copy(value):
    """Q6: the copy of any values holds JSON values only, and a second copy changes nothing."""
    copied = Copier().copy_object({"a": value}, "traits")
    again = Copier()

    assert again.copy_object(json.loads(json.dumps(copied)), "traits") == copied
    assert again.notes == []


def test_values_of_a_set_whose_members_cannot_be_shown():
    """Q6: a set is sorted where its members can be; one that raises when it is shown does not cost the others."""

    class Silent(enum.Enum):
        A = "a"

        def __repr__(self):
            raise LookupError("no")

    copier = Copier()

    assert copier.copy_object({"a": {Silent.A}}, "traits") == {"a": ["a"]}
    assert copier.notes == []


@dataclasses.dataclass
class Half:
    """A dataclass one of whose fields was never set."""

    plan: str = "pro"
    seats: int = dataclasses.field(init=False)


@attrs.define
class HalfSlots:
    plan: str = "pro"
    seats: int = attrs.field(init=False)


class HalfRow(Row):
    def __getitem__(self, name):
        if name == "at":
            raise LookupError("no")
        return "pro"

    def keys(self):
        return ["plan", "at"]


class HalfMapping(HalfRow, collections.abc.Mapping):
    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return 2


@pytest.mark.parametrize(
    ("value", "name", "error"),
    [
        (Half(), "seats", "AttributeError"),
        (HalfSlots(), "seats", "AttributeError"),
        (HalfRow(), "at", "LookupError"),
        (HalfMapping(), "at", "LookupError"),
    ],
)
def test_a_member_that_raises_costs_that_member(value, name, error):
    """Q6: where one member of an object raises when it is read, the others are kept."""
    copier = Copier()

    assert copier.copy_object({"a": value}, "traits") == {"a": {"plan": "pro"}}
    assert [tuple(note) for note in copier.notes] == [
        ("Q6", f"traits.a.{name}", f"left out: a value: reading it raised {error}")
    ]


class NoDate(datetime):
    """A date that stands for no date, as Pandas has it."""

    def __ne__(self, other):
        return True


class LargeArray(Array):
    size = 100_001


class Tensor(Array):
    def size(self):
        raise AssertionError("never asked")


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (NoDate(2024, 1, 2), "a date that is none"),
        (LargeArray(), "more than 100,000 values in a LargeArray"),
        (Address, "a class"),
        (Nameless("Own", (), {})(), "an Own"),
        (type("Promise", (), {})(), "a Promise"),
        (type("L" * 500, (), {})(), f"a {'L' * 60}"),
    ],
)
def test_values_that_stand_for_nothing(value, fault):
    """Q6: a value that stands for nothing is named by its type, shortened, and never by its content."""
    with pytest.raises(NoMeaning) as raised:
        meaning_of(value)

    assert str(raised.value) == fault


def test_the_size_of_an_array_may_be_a_method():
    """Q6: an array whose ``size`` is no number is read all the same."""
    assert meaning_of(Tensor()) == [1, 2]


class Matryoshka:
    model_fields: typing.ClassVar = {}

    def model_dump(self):
        return Matryoshka()


@pytest.mark.parametrize("value", [Matryoshka(), object(), os, len])
def test_what_stands_for_nothing_stays_itself(value):
    """Q6: where one text or number is wanted, a value that stands for nothing, or for another of its kind for ever, stays what it is."""
    assert plain_of(value) is value


@pytest.mark.parametrize(("value", "plain"), [(Plan.LAZY, "Später"), (uuid.UUID(int=0), str(uuid.UUID(int=0))), (5, 5), (None, None)])  # fmt: skip
def test_what_stands_for_a_text(value, plain):
    """Q6: where one text or number is wanted, it is found behind several stand-ins too."""
    assert plain_of(value) == plain


# --- the libraries themselves, where they are installed ----------------------------------------------------------


def test_lazy_texts_of_django():
    """Q6: Django's lazy texts, safe texts and lazy objects are the texts and objects that they stand for."""
    pytest.importorskip("django")
    from django.utils.functional import SimpleLazyObject, lazy
    from django.utils.safestring import mark_safe
    from django.utils.text import format_lazy

    hello = lazy(lambda: "Hello", str)()
    facts = {
        "lazy": hello,
        "format": format_lazy("{}!", hello),
        "safe": mark_safe("<b>"),
        "number": lazy(lambda: 5, int)(),
        "list": lazy(lambda: [1], list)(),
        "object": lazy(lambda: {"a": 1}, dict)(),
        "user": SimpleLazyObject(lambda: Address(city="Kiel")),
        "none": SimpleLazyObject(lambda: None),
    }
    copier = Copier()

    copied = copier.copy_object(facts, "traits")

    assert copied == {
        "lazy": "Hello",
        "format": "Hello!",
        "safe": "<b>",
        "number": 5,
        "list": [1],
        "object": {"a": 1},
        "user": {"city": "Kiel", "since": "2024-02-29", "odd": None},
        "none": None,
    }
    assert copier.notes == []


def test_models_of_pydantic():
    """Q6: a model of Pydantic is the object that it dumps: what it excludes is not sent, and a secret is left out with a note."""
    pydantic = pytest.importorskip("pydantic")
    fields = {
        "home": (PurePosixPath, PurePosixPath("/a")),
        "hidden": (str, pydantic.Field("x", exclude=True)),
        "secret": (pydantic.SecretStr, pydantic.SecretStr("x")),
    }
    copier = Copier()

    copied = copier.copy_object({"m": pydantic.create_model("M", **fields)()}, "traits")

    assert copied == {"m": {"home": "/a"}}
    assert [(note.path, note.reason) for note in copier.notes] == [
        ("traits.m.secret", "left out: a SecretStr")
    ]


def test_values_of_numpy():
    """Q6: NumPy's numbers, booleans, texts, dates, spans and arrays are those of Python."""
    numpy = pytest.importorskip("numpy")
    copier = Copier()

    copied = copier.copy_object(
        {
            "whole": numpy.int64(2**60 + 1),
            "half": numpy.float32(0.5),
            "no": numpy.bool_(False),
            "text": numpy.str_("a"),
            "at": numpy.datetime64("2024-01-02T03:04:05.123456789"),
            "never": numpy.datetime64("NaT", "us"),
            "span": numpy.timedelta64(1_500, "ms"),
            "rows": numpy.array([[1, 2], [3, 4]]),
        },
        "traits",
    )

    assert copied == {
        "whole": 2**60 + 1,
        "half": 0.5,
        "no": False,
        "text": "a",
        "at": "2024-01-02T03:04:05.123456+00:00",
        "never": None,
        "span": 1.5,
        "rows": [[1, 2], [3, 4]],
    }
    assert copier.notes == []
