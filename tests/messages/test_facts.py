"""Looking up traits by name (rule R3): case and separators do not matter, and null and blank values count as absent."""

from __future__ import annotations

import pytest

from metarouter_intercom.messages._facts import PLAIN, KnownTraits, is_absent, look_up, object_at


@pytest.mark.parametrize(
    "name", ["createdAt", "created_at", "Created At", "CREATED-AT", "created.at", " createdat "]
)
def test_case_and_separators_do_not_matter(name):
    """R3: a trait is looked up whatever its case and separators."""
    assert look_up({"x": 1, name: 5}, "createdAt") == 5


@pytest.mark.parametrize(
    ("traits", "value"),
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
def test_exact_spelling_wins_and_blanks_are_absent(traits, value):
    """R3: the exact spelling wins over others unless its value is null or blank; 0 and false are values."""
    assert look_up(traits, "email") == value


def test_known_traits_are_sorted_from_the_rest():
    """I10: of two spellings of a known trait one is used and the other gets a note; all other traits keep their order."""
    notes = []
    known, rest = KnownTraits(["userId", "name"]).sort(
        {"b": 1, "user_id": 2, "userId": 3, "a": 4, "Name": "x"}, notes, "traits"
    )

    assert known == {"userid": ("userId", 3), "name": ("Name", "x")}
    assert rest == [("b", 1), ("a", 4)]
    assert [note.path for note in notes] == ["traits.user_id"]


def test_an_object_or_nothing():
    """R1: a value that is not an object counts as an empty object."""
    assert object_at({"a": {"b": 1}}, "a") == {"b": 1}
    assert object_at({"a": [1]}, "a") == object_at({}, "a") == {}


@pytest.mark.parametrize(
    ("value", "absent"), [(None, True), ("", True), (" \t", True), (0, False), (False, False), ([], False)]
)
def test_absent_values(value, absent):
    """R3: null and blank texts count as absent, 0 and false do not."""
    assert is_absent(value) is absent


def test_plain_names():
    """R3: all spellings of a name have one plain name."""
    assert {PLAIN[name] for name in ("createdAt", "Created At", "created.at")} == {"createdat"}
