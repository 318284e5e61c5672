"""The fast path for traits: it gives what the full path gives, or leaves the traits to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from metarouter_intercom.messages import Group, Identify
from metarouter_intercom.messages._integrations import NO_OPTIONS
from metarouter_intercom.operations import UpsertContact, Who
from metarouter_intercom.operations._companies import Companies
from metarouter_intercom.operations._contacts import Contacts
from metarouter_intercom.operations._fast_traits import _MOST_SHAPES, _Attributes, _shapes
from metarouter_intercom.operations._flatten import Flattener
from metarouter_intercom.operations._values import FLATTENED, Origin
from metarouter_intercom.plugins import Note
from metarouter_intercom.settings import Settings

from .._support.twins import GONE, VALUES, Text, Whole, assert_twins_agree, change, mostly, usual_with_changes

USUAL_TRAITS: dict[str, Any] = {
    "email": " ada@example.com ",
    "firstName": "Ada",
    "lastName": " Example",
    "phone": "+49 30 901820",
    "createdAt": "2025-03-01T12:30:00+00:00",
    "plan": "pro",
    "logins": 7,
    "rate": 1.5,
    "newsletter": False,
    "manager": None,
    "address": {"city": "Bremen", "floor": 3},
    "company": {
        "id": "c-1",
        "name": "Example Ltd",
        "employees": 40,
        "monthlySpend": 99.9,
        "createdAt": 1_700_000_000,
        "region": "North",
    },
}
GROUP_TRAITS: dict[str, Any] = {
    "name": "Example Ltd",
    "employees": 40,
    "monthlySpend": 99.9,
    "createdAt": 1_700_000_000,
    "region": "North",
    "address": {"city": "Bremen", "floor": 3},
}
TEXTS = mostly(
    st.text(min_size=1, max_size=6) | st.sampled_from(["Ada", " x "]),
    st.sampled_from(["", " ", "\u2003", None, 49, Text("x"), Text(" "), "x" * 300, ["a"]])
    | st.sampled_from(
        ["\u200b", "\ufeffAda", "Ada\u00ad", "\u202aAda\u202c", "A\x00da", "\x00", "undefined"]
    ),
)
ADDRESSES = mostly(
    st.sampled_from(["eve@example.com", " Eve@Example.com ", "a.b@example.co"]),
    st.sampled_from(["", " ", "nobody", "a@b", "x" * 250 + "@example.com", Text("eve@example.com"), None, 5])
    | st.sampled_from(["\u200beve@example.com", "eve@example.com\ufeff", "eve@exam\x00ple.com", "\u200b"]),
)
INSTANTS = mostly(
    st.sampled_from(
        ["2025-03-01", "2025-03-01T12:30:00Z", "2025-03-01T12:30:00.5+01:00", 1_700_000_000, 1.5]
    ),
    st.sampled_from(
        [
            "soon",
            "",
            None,
            "2024-02-29T23:59:59.Z",
            "9999-12-31",
            -5,
            10**11,
            10**13,
            True,
            Text("2025"),
            float("nan"),
        ]
    )
    | st.sampled_from(
        [
            "0001-01-01T00:00:00Z",
            -62_135_596_800,
            "2025-03-01 12:30:00 UTC",
            "2025-3-1 9:05",
            20_250_301,
            "20250301",
            {"$date": "2025-03-01T12:30:00Z"},
            {"$date": {"$numberLong": "1740832200123"}},
            {"$date": "soon"},
            {"a": 1},
            "03/01/2025",
            1_740_832_200_123_456,
            1_740_832_200_999_999_999,
            "2025-03-01T12:30:00[UTC]",
            "Sat Mar  1 12:30:00 2025",
        ]
    ),
)
MOMENTS = mostly(
    st.integers(-1_000, 10**10),
    st.sampled_from([1_706_696_100_123, 10**11, 10**11 - 1, -(10**11), 10**14, 10**17, 10**30])
    | st.sampled_from([1_706_696_100.5, 12.5, 1e11, 1e300, float("nan"), True, None, "1706696100123"]),
)
NUMBERS = mostly(
    st.integers(0, 10**6) | st.floats(0, 1e6),
    st.sampled_from(
        [
            2**31 - 1,
            2**31,
            2**53,
            2**63 - 1,
            2**63,
            -(2**63),
            -(2**63) + 1,
            2**64,
            True,
            "50",
            "x",
            None,
            Whole(7),
        ]
    )
    | st.sampled_from([1e300, float("nan"), float("inf"), -0.0, 0.5, -2147483647.5, 2147483647.5]),
)
LARGE_NUMBERS = st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 2**63, 2**64 - 1])
ID_TEXTS = mostly(
    st.sampled_from(["c-1", "c 2", " c ", "ü"]),
    st.sampled_from(["", " ", "\u00a0", None, 5, 2**64, 1.5, True, Text("c"), Text(" "), GONE])
    | st.sampled_from(
        ["undefined", "NULL", " nil ", "[object Object]", "c-1\u200b", "\ufeffc", "c\x00", "\tc", 12.0]
    ),
)


def changes_of_company(*inside: str) -> st.SearchStrategy[Any]:
    """Return changes of a company's traits, *inside* the object that this path leads to."""

    def at(values: st.SearchStrategy[Any], *keys: str | tuple[str, str]) -> st.SearchStrategy[Any]:
        return change([(*inside, *(key if isinstance(key, tuple) else (key,))) for key in keys], values)

    return mostly(
        st.one_of(
            at(ID_TEXTS, "id") if inside else at(VALUES, "new"),
            at(TEXTS, "name", "plan", "industry", "website"),
            at(NUMBERS, "employees", "monthlySpend"),
            at(INSTANTS, "createdAt"),
            at(VALUES, "region", "r.egion", "$ spent"),
            at(VALUES, "new one", ("address", "city"), ("address", "new")),
            at(MOMENTS, "renews_at", "endedAt", ("address", "since_date"), "floor"),
        ),
        st.one_of(
            at(ID_TEXTS, "id", "companyId", "groupId", "company_id"),
            at(NUMBERS, "size", "employeeCount", "monthly_spend"),
            at(INSTANTS, "created", "remote_created_at", "remoteCreatedAt"),
            at(st.sampled_from([{"name": "Gold"}, {"name": 5, "id": 1}, {"Name": " "}, {}, [1]]), "plan"),
            at(VALUES, "$", "tags", "address", "address_city", "r_egion"),
            at(st.sampled_from([True, False, None, "x"]), "remove", "user_hash", "intercom_user_jwt"),
            at(st.sampled_from([{"plan": "x"}, {}, None, "x"]), "custom_attributes", "customAttributes"),
        ),
    )


CONTACT_CHANGES = mostly(
    st.one_of(
        change(["email"], ADDRESSES),
        change(["name", "firstName", "phone"], TEXTS),
        change(["createdAt"], INSTANTS),
        change(["plan", "logins", "new", "newsletter", "manager"], VALUES),
        change(["Gro\u0308\u00dfe", "\u0928\u093e\u092e", " plan ", ("address", "e\u0301")], VALUES),
        change(["logins", ("address", "floor"), ("company", "region")], LARGE_NUMBERS),
        change([("address", "floor"), ("address", "new"), "a.b", "rate"], VALUES),
        change([("address", "left_at"), "renews_at", "endedAt", "due.date", "end_date", "rate"], MOMENTS),
        changes_of_company("company"),
    ),
    st.one_of(
        change(["e_mail"], ADDRESSES),
        change(["last_name"], TEXTS),
        change(["created_at"], INSTANTS),
        change(
            ["a_b", "$", "avatar", "role", "id", "tags", "companies", "unsubscribedFromEmails", "user_hash"],
            VALUES,
        ),
        change(
            ["address_city", "address", "company", ("address", "city name"), ("address", "user_hash")], VALUES
        ),
        change(["custom_attributes", "customAttributes"], st.sampled_from([{"plan": "x"}, {}, None, "x"])),
    ),
)
TRAITS = usual_with_changes(
    [
        USUAL_TRAITS,
        {"plan": "pro"},
        {"email": "ada@example.com", "name": "Ada", "company": {"id": "c-1", "plan": "pro"}},
        {"firstName": "Ada", "n": 2**63},
    ],
    CONTACT_CHANGES,
)
MESSAGES = usual_with_changes(
    [{"user_id": "u-1", "context": {}, "group_id": None}],
    mostly(
        change(["user_id"], st.sampled_from(["u-2", " u ", "ü", "eve@example.com"])),
        change(
            ["context"],
            st.sampled_from(
                [
                    {"ip": "192.0.2.1"},
                    {"active": False},
                    {"groupId": "c-9"},
                    {"traits": {"email": "o@example.com"}},
                ]
            ),
        )
        | change(["group_id"], st.sampled_from(["c-1", "c-9"]))
        | change(["user_id"], st.sampled_from([None])),
    ),
    most=1,
)


def contacts(**choices: Any) -> Contacts:
    made = Settings(api_key="test", **choices)
    flattener = Flattener(made, of_events=False)
    return Contacts(made, flattener, Companies(made, flattener))


def identify(traits: dict[str, Any], **more: Any) -> Identify:
    facts = {"user_id": "u-1", "timestamp": 1_772_352_000.7, "message_id": "m", **more}
    return Identify(traits=traits, **facts)


def test_flat_traits_take_the_fast_path() -> None:
    """An identify with flat traits, an address and a company takes the fast path."""
    operations = contacts()._translate_fast(identify(USUAL_TRAITS))

    assert operations is not None
    assert operations[0] == UpsertContact(
        who=Who(external_id="u-1"),
        role="user",
        fields={
            "email": "ada@example.com",
            "name": "Ada Example",
            "phone": "+49 30 901820",
            "signed_up_at": 1_740_832_200,
            "last_seen_at": 1_772_352_000,
        },
        attributes={
            "firstName": "Ada",
            "lastName": " Example",
            "plan": "pro",
            "logins": 7,
            "rate": 1.5,
            "newsletter": False,
            "manager": None,
            "address_city": "Bremen",
            "address_floor": 3,
        },
    )


@pytest.mark.parametrize(
    "traits",
    [
        pytest.param({"email": "nobody"}, id="no address"),
        pytest.param({"name": " "}, id="blank name"),
        pytest.param({"phone": 49}, id="number for a text"),
        pytest.param({"createdAt": "soon"}, id="no time"),
        pytest.param({"birthday": "1990-05-17"}, id="date"),
        pytest.param({"bio": "x" * 256}, id="long text"),
        pytest.param({"rate": float("nan")}, id="not a number"),
        pytest.param({"plan": "a", "p.l.a.n": "b"}, id="two spellings"),
        pytest.param({"tags": ["a"]}, id="list"),
        pytest.param({"address": {}}, id="empty object"),
        pytest.param({"address": {"user_hash": "x"}}, id="proof"),
        pytest.param({"address_city": "a", "address": {"city": "b"}}, id="one name twice"),
        pytest.param({"company": "Example Ltd"}, id="company by name"),
        pytest.param({"company": {"name": "Example Ltd"}}, id="company without an id"),
        pytest.param({"company": {"id": "c", "remove": True}}, id="company to leave"),
        pytest.param({"account": 2**53 + 1}, id="large number"),
        pytest.param({"address": {"account": -(2**53) - 1}}, id="large number in an object"),
        pytest.param({"custom_attributes": {"plan": "pro"}}, id="Intercom's own spelling"),
        pytest.param({"company": {"id": "c", "account": 2**60}}, id="company with a large number"),
    ],
)
def test_a_value_that_needs_a_note_takes_the_full_path(traits: dict[str, Any]) -> None:
    """A value that is changed, cut, left out or needs an interpretation is left to the full path."""
    assert contacts()._translate_fast(identify(traits)) is None


@pytest.mark.parametrize(
    "choices",
    [
        {"nested": "stringify"},
        {"nested_overrides": {"address": "drop"}},
        {"dates": "keep"},
        {"collect_context": True},
    ],
    ids=lambda choices: next(iter(choices)),
)
def test_other_settings_take_the_full_path(choices: dict[str, Any]) -> None:
    """The fast path knows only the default choices for nested values, dates and context."""
    assert contacts(**choices)._translate_fast(identify(USUAL_TRAITS)) is None


@pytest.mark.parametrize("choices", [{}, {"update_last_seen": False}], ids=str)
def test_both_paths_translate_an_identify_alike(choices: dict[str, Any]) -> None:
    """I1 to I12, A1 to A5: the operations of the fast path for an identify are those of the full path, without a note."""
    made = contacts(**choices)

    def full(parts: tuple[dict[str, Any], dict[str, Any]]) -> Any:
        notes: list[Note] = []
        return made._translate_full(identify(parts[0], **parts[1]), NO_OPTIONS, notes), notes

    def fast(parts: tuple[dict[str, Any], dict[str, Any]]) -> Any:
        operations = made._translate_fast(identify(parts[0], **parts[1]))
        return None if operations is None else (operations, [])

    assert_twins_agree(fast, full, st.tuples(TRAITS, MESSAGES), is_ordered=False)


def test_both_paths_read_the_same_company_of_a_person() -> None:
    """C1, C2, I12: the company that the fast path reads among a person's traits is that of the full path."""
    made = contacts()
    companies = usual_with_changes(
        [{"id": "c-1", "name": "A"}, {"id": "c-1", "name": "A", "size": 5}],
        change(["id"], ID_TEXTS) | changes_of_company(),
    )

    def full(company: dict[str, Any]) -> Any:
        notes: list[Note] = []
        return made._translate_full(identify({"plan": "pro", "company": company}), NO_OPTIONS, notes), notes

    def fast(company: dict[str, Any]) -> Any:
        operations = made._translate_fast(identify({"plan": "pro", "company": company}))
        return None if operations is None else (operations, [])

    assert_twins_agree(fast, full, companies, is_ordered=False)


def test_both_paths_translate_a_group_alike() -> None:
    """C1, C2, A1 to A5: the operations of the fast path for a group are those of the full path, without a note."""
    made = Settings(api_key="test")
    companies = Companies(made, Flattener(made, of_events=False))
    who = Who(external_id="u-1")

    def full(traits: dict[str, Any]) -> Any:
        notes: list[Note] = []
        return companies.translate_group_full("c-1", traits, who, notes=notes), notes

    def fast(traits: dict[str, Any]) -> Any:
        operations = companies.translate_group_fast("c-1", traits, who)
        return None if operations is None else (operations, [])

    usual = [GROUP_TRAITS, {"name": "Example Ltd", "plan": "pro", "size": 5}, {"seats": 5, "seen": True}]

    assert_twins_agree(fast, full, usual_with_changes(usual, changes_of_company()), is_ordered=False)


@pytest.mark.parametrize(
    "name", ["remote_created_at", "remoteCreatedAt", "createdAt", "created_at", "created"]
)
def test_each_name_of_the_creation_date_takes_the_fast_path(name: str) -> None:
    """C2: under any of its names the creation date of a company is read on the fast path, also before 1970."""
    made = Settings(api_key="test")
    companies = Companies(made, Flattener(made, of_events=False))

    operations = companies.translate_group_fast("c-1", {"name": "A", name: -86_400}, Who(external_id="u-1"))

    assert operations is not None
    assert operations[0].fields == {"name": "A", "remote_created_at": -86_400}  # type: ignore[union-attr]  # the company comes first


@pytest.mark.parametrize(
    ("value", "size"),
    [(2**63 - 1, 2**63 - 1), (2**63, None), (-(2**63) + 1, -(2**63) + 1), (-(2**63), None)],
)
@pytest.mark.parametrize("key", ["size", "employees", "employeeCount"])
def test_a_size_of_more_than_64_bits_is_left_out(key: str, value: int, size: int | None) -> None:
    """C2: a company's size is a whole number of at most 64 bits; a larger one is left out with a note."""
    made = Settings(api_key="test")
    notes: list[Note] = []

    operations = Companies(made, Flattener(made, of_events=False)).translate_group(
        Group(group_id="c-1", traits={key: value}), Who(external_id="u-1"), notes
    )

    assert operations is not None
    assert operations[0].fields.get("size") == size  # type: ignore[union-attr]  # the company comes first
    assert [note.rule for note in notes] == ([] if size is not None else ["C2"])


@pytest.mark.parametrize("own_id", ["", " ", "\u00a0", None])
def test_a_blank_company_id_falls_back_to_the_name(own_id: str | None) -> None:
    """C1, I12: a company with a blank id gets its id from its name, like a company without an id."""
    operations = contacts().translate_identify(
        identify({"company": {"id": own_id, "name": "A"}}), NO_OPTIONS, []
    )

    assert operations is not None
    assert [operation.company_id for operation in operations[1:]] == ["177636", "177636"]  # type: ignore[union-attr]  # a company and its link


def test_what_is_remembered_of_names_is_bounded() -> None:
    """A program that makes up names for ever does not fill memory with them, and traits beyond the limit are read like any others."""
    shapes = _shapes(len)
    attributes = _Attributes()
    for number in range(_MOST_SHAPES):
        shapes[(f"key {number}",)]
        attributes.read(((f"key {number}", "name"),), {f"key {number}": {"inner": 1}}, "traits")

    assert (shapes[("one", "more")], len(shapes)) == (2, _MOST_SHAPES)
    assert attributes.read((("more", "name"),), {"more": {"inner": 1}}, "traits") == (
        {"more_inner": 1},
        {"more_inner": Origin("traits.more.inner", FLATTENED)},
    )
    assert len(attributes._inner_shapes) == _MOST_SHAPES
