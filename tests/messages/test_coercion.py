"""Coercing single values: ids (R2), e-mail addresses (I2), numbers (R9, C2) and texts (I3, I4)."""

from __future__ import annotations

from decimal import Decimal

import pytest

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
    """I2: a text that looks like an e-mail address is one, without the spaces around it."""
    assert address(f" {text}\n") == text


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@", "@example.com", "a@b", "a@@example.com", "a b@example.com", "Ada <a@example.com>", "a@example.com, b@example.com",
     "a@example.com.", f"{'x' * 250}@example.com", "a@exa;mple.com"],
)  # fmt: skip
def test_no_addresses(text):
    """I2: names, lists of addresses and halves of one are no e-mail addresses."""
    assert not is_address(text)
    assert address(text) is None


@pytest.mark.parametrize("value", [5, None, True, ["a@example.com"], {"email": "a@example.com"}])
def test_only_text_is_an_address(value):
    """I2: only a text can be an e-mail address."""
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
    """R9: whole numbers of at most 64 bits count, also as floats and as digits."""
    assert whole_number(value) == whole


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1.5), (5, 5), ("1.5", 1.5), (" -.5 ", -0.5), ("1e3", 1000.0), ("1e999", None), ("1e9999", None), ("", None), ("a", None),
        ("1,5", None), ("٥", None), (True, None), (None, None), ({}, None), (float("nan"), None), (float("-inf"), None),
    ],
)  # fmt: skip
def test_numbers(value, expected):
    """C2: finite numbers count, also in texts."""
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"), (" a ", "a"), ("", None), (" ", None), (5, "5"), (4.0, "4"), (4930.0, "4930"), (1.5, "1.5"), (1e20, "1e+20"),
        (float("nan"), None), (True, None), (None, None), ([], None), ({"a": 1}, None),
    ],
)  # fmt: skip
def test_texts(value, text):
    """I3, I4, C2: where a text is wanted, a text is trimmed and a number is written in digits."""
    assert text_field(value) == text


@pytest.mark.parametrize("coerce", [id_text, address, whole_number, number, text_field])
def test_a_value_that_json_does_not_know_is_left_open(coerce):
    """R9: a ``Decimal`` becomes a number as JSON, so it is not refused before."""
    with pytest.raises(NotJson):
        coerce(Decimal("5"))


def test_articles():
    """Errors read as sentences: a kind of value gets its article."""
    assert [with_article(kind) for kind in ("set", "object", "int")] == ["a set", "an object", "an int"]
