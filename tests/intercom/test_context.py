"""Small readings of answers that the flows share."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.context import in_path, waits
from metarouter_intercom._intercom.responses import (
    canonical_id,
    id_in_text,
    id_of,
    is_success,
    object_of,
    objects_in,
    text_of,
)
from metarouter_intercom.plugins import Response

from .._support.flow_driving import conflict, make_world, merged_into, refusal


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain-1_2", "plain-1_2"),
        ("a/b", "a%2Fb"),
        ("a b?c#d&e=f", "a%20b%3Fc%23d%26e%3Df"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a.b", "a.b"),
        ("\u00e9", "%C3%A9"),
        ("100%", "100%25"),
    ],
)
def test_a_word_stays_one_segment_of_a_path(word, expected):
    """Whatever a caller uses as an id."""
    assert in_path(word) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (conflict("5f7f0d217289f8d2f4262080"), "5f7f0d217289f8d2f4262080"),
        (conflict("c-1_x", archived=True), "c-1_x"),
        (refusal(409, "exists with id=c1."), "c1"),
        (refusal(409, "no paid=5 here"), None),
        (refusal(409, None), None),
        (Response(409, "id=c1"), None),
    ],
)
def test_the_id_in_a_refusal(answer, expected):
    """Contract, fact 7: the text alone carries it."""
    assert id_in_text(answer) == expected


def test_the_canonical_id_of_a_merged_contact():
    """The link's id is taken as it was before it was put into a path."""
    assert canonical_id(merged_into("c2")) == "c2"
    assert canonical_id(merged_into("a%2Fb")) == "a/b"
    assert canonical_id(Response(410)) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("c1", "c1"), (5, "5"), (0, "0"), ("", None), (True, None), (5.5, None), (None, None), ([], None)],
)
def test_the_id_of_an_object(value, expected):
    """Text or a whole number."""
    assert id_of({"id": value}) == expected


def test_the_id_of_an_object_without_one():
    """None says that there is none."""
    assert id_of({}) is None


def test_what_an_answer_holds():
    """Shapes that were not expected hold nothing."""
    assert object_of(Response(200, {"a": 1})) == {"a": 1}
    assert object_of(Response(200, [1])) == {}
    assert objects_in([{"a": 1}, "odd", None]) == [{"a": 1}]
    assert objects_in({"a": 1}) == []
    assert text_of(Response(400, {"errors": [{"message": None}]})) == ""


@pytest.mark.parametrize(("status", "expected"), [(199, False), (200, True), (299, True), (300, False)])
def test_what_took_effect(status, expected):
    """2xx alone."""
    assert is_success(Response(status)) is expected


def test_waiting_for_a_contact():
    """M2: a 404 that is no failure."""
    assert (waits().kind, waits().reason, waits().status) == ("wait", "contact_missing", 404)


@pytest.mark.parametrize(
    ("version", "expected"), [("2.9", (2, 9)), ("2.16", (2, 16)), ("Preview", (99,)), ("Unstable", (99,))]
)
def test_the_version_of_a_world(version, expected):
    """Versions are compared as numbers; Preview is newer than any."""
    assert make_world(api_version=version).version == expected
