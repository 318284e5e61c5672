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
    """Intercom's support asks for it; the body's wins."""
    header = {"x-request-id": "h1"}

    assert error_of(Response(500, None, header))["request_id"] == "h1"
    assert error_of(Response(500, {"request_id": None}, header))["request_id"] == "h1"
    assert error_of(Response(500, _ERROR, header))["request_id"] == "r1"


def test_all_errors_of_an_answer_are_read():
    """M3: the refused field may be named by any of them."""
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
def test_the_id_in_a_refusal(answer, expected):
    """Contract, fact 7: the text alone carries it."""
    assert id_in_error_text(answer) == expected


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
    assert error_text(Response(400, {"errors": [{"message": None}]})) == ""


@pytest.mark.parametrize(("status", "expected"), [(199, False), (200, True), (299, True), (300, False)])
def test_what_took_effect(status, expected):
    """2xx alone."""
    assert is_success(Response(status)) is expected
