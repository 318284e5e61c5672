"""Coercing single values: ids (R2), e-mail addresses (I2), numbers (R9, C2) and texts (I3, I4)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from metarouter_intercom.messages._coercion import (
    NotJson,
    address,
    address_in_id,
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
        (1.0, "1"),
        (1.5, None),
        (2.0**60, None),
        ("undefined", None),
        (" [object Object] ", None),
        ("\u200bc1\ufeff", "c1"),
        ("\u2060", None),
        ([], None),
        (None, None),
    ],
)
def test_ids(value, text):
    """R2, R10: texts and whole numbers are ids; blank texts, accidents, booleans, fractions and lists are not."""
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


@pytest.mark.parametrize(
    "user_id",
    [
        "ann@acme.example", "Ann.Lee+x@sub.acme.example", "o'brien@acme-shop.example", " ann@acme.example ", "ü@beispiel.example",
        "ann_b@acme.example", "ann@acme.xn--p1ai", "\u200bann@acme.example", "1@acme.example",
    ],
)  # fmt: skip
def test_a_user_id_that_is_nothing_but_an_address(user_id):
    """I1, E2: a userId that is an e-mail address and nothing else is that address."""
    assert address_in_id(user_id) == user_id.strip(" \u200b")


@pytest.mark.parametrize(
    "user_id",
    [
        "auth0|ann@acme.example", "google-apps|ann@acme.example", "waad|x|ann@acme.example", "ldap/ann@acme.example", "ann@acme.example/7",
        "ann@acme.example?tenant=2", "{ann@acme.example}", "<ann@acme.example>", "mailto:ann@acme.example", "acme\\ann@acme.example",
        "ann_acme.example#EXT#@t.example", "cn=ann@acme.example", "ann@acme.example#2", "tenant!ann@acme.example", "ann@10.0.0.7",
        "ann@localhost", "ann%acme@relay.example", "~ann@acme.example", "ann@acme.example.", ".ann@acme.example", "a..b@acme.example",
        "ann@-acme.example", "ann@acme-.example", "urn:ann@acme.example", "ann@a.example;b", "[ann@acme.example]", "u1", "@", "",
    ],
)  # fmt: skip
def test_a_user_id_that_only_contains_an_address(user_id):
    """I1, E2: ids of identity providers, paths and tenants that contain an e-mail address are none."""
    assert address_in_id(user_id) is None


@pytest.mark.parametrize(
    "text",
    ["ann@acme.example\u200b", "\ufeffann@acme.example", "\u202aann@acme.example\u202c", "\u00adann@acme.example", "ann@acme.example\x00",
     "\u00a0ann@acme.example\t", "ann@ac\x00me.example"],
)  # fmt: skip
def test_addresses_without_what_nobody_sees(text):
    """R10: invisible characters at the ends of an address, and NUL anywhere, are taken out."""
    assert address(text) == "ann@acme.example"


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
