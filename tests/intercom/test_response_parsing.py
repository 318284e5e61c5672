"""How a response of Intercom's is read: errors, ids, links and objects."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.response_parsing import (
    canonical_id,
    error_of,
    error_text,
    errors_of,
    id_in_error_text,
    id_of,
    is_success,
    object_of,
    objects_in,
)
from metarouter_intercom.plugins import Response

from .._support.flow_driving import conflict, merged_into, refusal

_ERROR = {
    "type": "error.list",
    "request_id": "r1",
    "errors": [{"code": "parameter_invalid", "message": "No", "field": "plan"}, {"code": "other"}],
}


def test_the_request_id_is_in_the_body_or_a_header():
    """The request id is read from the body, else from the header."""
    header = {"x-request-id": "h1"}

    assert error_of(Response(500, None, header))["request_id"] == "h1"
    assert error_of(Response(500, {"request_id": None}, header))["request_id"] == "h1"
    assert error_of(Response(500, _ERROR, header))["request_id"] == "r1"


def test_all_errors_of_a_response_are_read():
    """Every error of the list is read, because any of them may name the refused field (rule M3)."""
    assert [error["code"] for error in errors_of(Response(400, _ERROR))] == ["parameter_invalid", "other"]


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
def test_the_id_in_the_error_text(answer, expected):
    """A 409 has the existing contact's id in its error text only."""
    assert id_in_error_text(answer) == expected


def test_the_canonical_id_of_a_merged_contact():
    """The id in the link is unquoted, as it was before it became part of a path."""
    assert canonical_id(merged_into("c2")) == "c2"
    assert canonical_id(merged_into("a%2Fb")) == "a/b"
    assert canonical_id(Response(410)) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("c1", "c1"), (5, "5"), (0, "0"), ("", None), (True, None), (5.5, None), (None, None), ([], None)],
)
def test_the_id_of_an_object(value, expected):
    """An id is a text or a whole number."""
    assert id_of({"id": value}) == expected


def test_the_id_of_an_object_without_one():
    """An object without an id gives None."""
    assert id_of({}) is None


def test_unexpected_shapes_are_empty():
    """A body of another shape than expected gives an empty object, list or text."""
    assert object_of(Response(200, {"a": 1})) == {"a": 1}
    assert object_of(Response(200, [1])) == {}
    assert objects_in([{"a": 1}, "odd", None]) == [{"a": 1}]
    assert objects_in({"a": 1}) == []
    assert error_text(Response(400, {"errors": [{"message": None}]})) == ""


@pytest.mark.parametrize(("status", "expected"), [(199, False), (200, True), (299, True), (300, False)])
def test_success_is_2xx(status, expected):
    """Only a 2xx means that the request took effect."""
    assert is_success(Response(status)) is expected
