"""What a response of Intercom's means for a message (rules T1, T2)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.response_parsing import error_of
from metarouter_intercom._intercom.responses import CONTACT_MISSING, DELIVERED, FlowResult, classify, dead
from metarouter_intercom.plugins import Request, Response

_WRITE = Request("POST", "/contacts", {})
_ERROR = {
    "type": "error.list",
    "request_id": "r1",
    "errors": [{"code": "parameter_invalid", "message": "No", "field": "plan"}, {"code": "other"}],
}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "delivered"),
        (202, "delivered"),
        (204, "delivered"),
        (299, "delivered"),
        (100, "retry"),
        (301, "retry"),
        (302, "retry"),
        (307, "retry"),
        (308, "retry"),
        (400, "dead"),
        (401, "held"),
        (402, "dead"),
        (403, "held"),
        (404, "dead"),
        (405, "dead"),
        (406, "dead"),
        (408, "retry"),
        (409, "dead"),
        (410, "dead"),
        (413, "dead"),
        (415, "dead"),
        (422, "dead"),
        (423, "dead"),
        (425, "retry"),
        (429, "retry"),
        (451, "dead"),
        (499, "dead"),
        (500, "retry"),
        (501, "retry"),
        (502, "retry"),
        (503, "retry"),
        (504, "retry"),
        (520, "retry"),
        (599, "retry"),
    ],
)
def test_what_each_status_means(status, kind):
    """Every status is delivered, retried, held or dead by the table; a redirect is not followed, so it is retried (rule T1)."""
    assert classify(_WRITE, Response(status)).kind == kind


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/contacts", "held"),
        ("PUT", "/contacts/c1", "held"),
        ("DELETE", "/contacts/c1", "held"),
        ("POST", "/contacts/c1/companies", "held"),
        ("POST", "/contacts/merge", "held"),
        ("POST", "/companies", "held"),
        ("POST", "/events", "held"),
        ("GET", "/contacts/c1", "dead"),
        ("POST", "/contacts/search", "dead"),
        ("GET", "/companies?company_id=k", "dead"),
        ("POST", "/tags", "dead"),
        ("POST", "/data_attributes", "dead"),
        ("GET", "/data_attributes", "dead"),
    ],
)
def test_what_a_403_concerns(method, path, kind):
    """A 403 holds the client for a write of contacts, companies or events, and ends one operation elsewhere (rule T1)."""
    assert classify(Request(method, path), Response(403)).kind == kind
    assert classify(Request(method, path), Response(401)).kind == "held"


def test_a_result_has_intercoms_error():
    """A refusal keeps Intercom's code, message, field and request id (rule T1)."""
    result = classify(_WRITE, Response(400, _ERROR))

    assert result == FlowResult("dead", "http_400", 400, "parameter_invalid", "No", "plan", "r1")
    assert result.answer() == {
        "status": 400,
        "code": "parameter_invalid",
        "message": "No",
        "field": "plan",
        "request_id": "r1",
    }


def test_a_success_has_no_error():
    """A delivered result has nothing for a dead letter to keep (rule T1)."""
    assert (classify(_WRITE, Response(200, {"id": "c1"})), DELIVERED.answer()) == (DELIVERED, None)


def test_a_reason_of_our_own_keeps_intercoms_error():
    """A reason of our own replaces ``http_<status>``, and Intercom's error stays with it."""
    refused = Response(409, _ERROR)

    assert dead(refused, "conflict") == FlowResult(
        "dead", "conflict", 409, "parameter_invalid", "No", "plan", "r1"
    )


@pytest.mark.parametrize(
    "body",
    [
        None,
        "<html><h1>502 Bad Gateway</h1></html>",
        [],
        5,
        {},
        {"errors": None},
        {"errors": []},
        {"errors": ["odd"]},
        {"errors": [{}]},
        {"errors": [{"code": 5, "message": None, "field": []}], "request_id": None},
    ],
)
def test_responses_without_an_error_envelope(body):
    """A proxy's page, or a body of another shape, gives the status alone."""
    response = Response(502, body)

    assert error_of(response) == {"code": None, "message": None, "field": None, "request_id": None}
    assert classify(_WRITE, response) == FlowResult("retry", "http_502", 502)


def test_waiting_for_a_contact():
    """A missing contact is waited for, with the status 404 (rule M2)."""
    assert (CONTACT_MISSING.kind, CONTACT_MISSING.reason, CONTACT_MISSING.status) == (
        "wait",
        "contact_missing",
        404,
    )
