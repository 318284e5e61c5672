"""Names and single values: which trait is which (R3), clean names (A2), coercions (R2, R9, I2)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages._coercion import (
    NotJson,
    address,
    id_text,
    is_address,
    number,
    text_field,
    whole_number,
    with_article,
)
from metarouter_intercom.messages._facts import PLAIN, Known, is_absent, look_up, object_at
from metarouter_intercom.messages._memo import Memo
from metarouter_intercom.operations import _attribute_names
from metarouter_intercom.operations._attribute_names import CLEAN, INNER

from .._support.promises import promised
from .._support.twins import assert_twins_agree, mostly


@pytest.mark.parametrize(
    "name", ["createdAt", "created_at", "Created At", "CREATED-AT", "created.at", " createdat "]
)
def test_case_and_separators_do_not_matter(name):
    """R3: a trait is found whatever its case and separators."""
    assert look_up({"x": 1, name: 5}, "createdAt") == 5


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"e_mail": 1, "email": 2}, 2),
        ({"e_mail": 1, "email": " "}, 1),
        ({"E-MAIL": None, "e_mail": 1}, 1),
        ({"email": 0}, 0),
        ({"email": False}, False),
        ({"email": ""}, None),
        ({}, None),
    ],
)
def test_exact_spelling_wins_and_blanks_are_absent(facts, found):
    """R3: the exact spelling wins over others unless there is nothing in it; 0 and false are values."""
    assert look_up(facts, "email") == found


def test_known_traits_are_sorted_from_the_rest():
    """I10: of two spellings of a known trait the better one is found and the other is told; the rest keeps its order."""
    notes = []
    found, rest = Known(["userId", "name"]).sort(
        {"b": 1, "user_id": 2, "userId": 3, "a": 4, "Name": "x"}, notes, "traits"
    )

    assert found == {"userid": ("userId", 3), "name": ("Name", "x")}
    assert rest == [("b", 1), ("a", 4)]
    assert [note.path for note in notes] == ["traits.user_id"]


def test_names_are_kept_up_to_a_bound():
    """However many names come, no more than so many are kept; the others are worked out each time."""
    made = []
    names = Memo(lambda name: made.append(name) or name.upper())
    known = Known(["a"])
    for count in range(20_010):
        names[f"n{count}"]
        known[f"n{count}"]

    assert len(names) == len(known) == 20_000
    assert names["n20005"] == "N20005"
    assert (names["n1"], made.count("n1"), made.count("n20005")) == ("N1", 1, 2)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("plan", "plan"),
        ("größe имя 名前", "größe имя 名前"),
        ("a_b-c d1", "a_b-c d1"),
        ("€ £ ¥", "€ £ ¥"),
        ("$a", "_a"),
        ("a.b!c?d", "a_b_c_d"),
        ("~`!@#%^&*'{}|\"", "_" * 14),
        ("a\tb\nc\x00", "a_b_c_"),
        ("😀", "_"),
        ("", ""),
        ("   ", ""),
    ],
)
def test_clean_names(name, clean):
    """A2: letters and digits of any script, ``_``, ``-``, space and currency signs but ``$`` stay."""
    assert CLEAN[name] == clean


@given(st.text(max_size=20))
@promised
def test_cleaning_again_changes_nothing(name):
    """A2: a clean name is clean, and as long as it was."""
    clean = CLEAN[name]

    assert CLEAN[clean] == clean
    assert len(clean) in (0, len(name))


@pytest.mark.parametrize("name", ["a_user_hash", "intercom_userHash", "x_intercom_user_jwt", "x_0_User Hash"])
def test_a_proof_has_no_name(name):
    """R7: a flattened name that ends as a proof of identity is none that is kept."""
    assert INNER[name] == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (" a ", " a "),
        (7, "7"),
        (0, "0"),
        ("", None),
        (" ", None),
        (True, None),
        (1.0, None),
        ([], None),
        (None, None),
    ],
)
def test_ids(value, text):
    """R2: texts and whole numbers are ids; blank texts, booleans, floats and lists are not."""
    assert id_text(value) == text


@pytest.mark.parametrize(
    "text",
    ["a@example.com", "a.b+c@sub.example.co", "ü@beispiel.example", "A@EXAMPLE.COM", "x'y@example.com"],
)
def test_addresses(text):
    """I2: what looks like an address is one, trimmed."""
    assert address(f" {text}\n") == text


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@", "@example.com", "a@b", "a@@example.com", "a b@example.com", "Ada <a@example.com>", "a@example.com, b@example.com",
     "a@example.com.", f"{'x' * 250}@example.com", "a@exa;mple.com"],
)  # fmt: skip
def test_no_addresses(text):
    """I2: names, lists and halves are no addresses."""
    assert not is_address(text)
    assert address(text) is None


@pytest.mark.parametrize("value", [5, None, True, ["a@example.com"], {"email": "a@example.com"}])
def test_only_text_is_an_address(value):
    """I2: nothing but text is an address."""
    assert address(value) is None


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        (50, 50), (50.0, 50), ("50", 50), (" 50 ", 50), ("50.0", 50), ("50.", 50), ("+50", 50), ("-5", -5), ("0050", 50), (0, 0),
        (str(2**63 - 1), 2**63 - 1), (str(2**63), None), (2**63, None), (-(2**63), None), (50.5, None), ("50.5", None), ("5e1", None),
        ("50-100", None), ("1,000", None), ("٥٠", None), ("", None), (True, None), (None, None), ([5], None), (float("nan"), None),
        (float("inf"), None), ("9" * 20, None),
    ],
)  # fmt: skip
def test_whole_numbers(value, whole):
    """R9: whole numbers, also as floats and as digits, within 64 bits."""
    assert whole_number(value) == whole


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1.5, 1.5), (5, 5), ("1.5", 1.5), (" -.5 ", -0.5), ("1e3", 1000.0), ("1e999", None), ("1e9999", None), ("", None), ("a", None),
        ("1,5", None), ("٥", None), (True, None), (None, None), ({}, None), (float("nan"), None), (float("-inf"), None),
    ],
)  # fmt: skip
def test_numbers(value, found):
    """C2: finite numbers and texts of them."""
    assert number(value) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"), (" a ", "a"), ("", None), (" ", None), (5, "5"), (4.0, "4"), (4930.0, "4930"), (1.5, "1.5"), (1e20, "1e+20"),
        (float("nan"), None), (True, None), (None, None), ([], None), ({"a": 1}, None),
    ],
)  # fmt: skip
def test_texts(value, text):
    """I3, I4, C2: where a text is wanted it is trimmed, and a number is written as one."""
    assert text_field(value) == text


@pytest.mark.parametrize("coerce", [id_text, address, whole_number, number, text_field])
def test_what_json_does_not_know_is_not_judged(coerce):
    """R9: a ``Decimal`` may be what is wanted once it is JSON, so it is not told to be wrong."""
    with pytest.raises(NotJson):
        coerce(Decimal("5"))


def test_an_object_or_nothing():
    """R1: what is no object counts as an empty one."""
    assert object_at({"a": {"b": 1}}, "a") == {"b": 1}
    assert object_at({"a": [1]}, "a") == object_at({}, "a") == {}


@pytest.mark.parametrize(
    ("value", "absent"), [(None, True), ("", True), (" \t", True), (0, False), (False, False), ([], False)]
)
def test_absent_values(value, absent):
    """R3: null and blank texts count as absent, 0 and false do not."""
    assert is_absent(value) is absent


def test_articles():
    """Errors read as sentences."""
    assert [with_article(kind) for kind in ("set", "object", "int")] == ["a set", "an object", "an int"]


def test_plain_names():
    """R3: one name for all spellings."""
    assert {PLAIN[name] for name in ("createdAt", "Created At", "created.at")} == {"createdat"}


def test_names_are_cleaned_alike_on_both_paths():
    """A2: a name of plain characters, which is taken as it is, is what a look at each character makes of it."""

    def full(name):
        cleaned = "".join(map(_attribute_names._clean_character, name))
        return cleaned if cleaned.strip() else ""

    assert_twins_agree(
        lambda name: (
            _attribute_names._cleaned(name) if _attribute_names._PLAIN_NAME.fullmatch(name) else None
        ),
        full,
        mostly(
            st.text("abcXYZ019_- ", min_size=1),
            st.text(max_size=8) | st.sampled_from(["a.b", "$", "€", "a\n", ""]),
        ),
    )
