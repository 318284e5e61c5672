"""Which answers cannot be Intercom's (rule T6)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.foreign_answers import is_foreign, is_foreign_to_identity
from metarouter_intercom.plugins import Request, Response

_ERRORS = {"type": "error.list", "errors": [{"code": "not_found", "message": "User Not Found"}]}
_PAGE = "<html></html>"
_CREATE = Request("POST", "/contacts", {"email": "ann@example.com"})
_EVENT = Request("POST", "/events", {})
_CONTACT = {"type": "contact", "id": "c1"}
_COMPANY = {"type": "company", "id": "k1"}
_TAG = {"type": "tag", "id": "7", "name": "vip"}
_SUBSCRIPTION = {"type": "subscription", "id": "91"}
_ATTRIBUTE = {"type": "data_attribute", "id": 34, "name": "plan"}
_LIST = {"type": "list", "data": []}

# Each request of a flow, and what Intercom answers to it.
_EXPECTED = [
    ("GET /me", {"type": "admin", "id": "1", "app": {"id_code": "a1"}}),
    ("POST /contacts", _CONTACT),
    ("PUT /contacts/c1", _CONTACT),
    ("GET /contacts/c1", _CONTACT),
    ("DELETE /contacts/c1", {"id": "c1", "type": "contact", "deleted": True}),
    ("GET /contacts/find_by_external_id/u%2F1", _CONTACT),
    ("POST /contacts/search", _LIST),
    ("GET /contacts?per_page=50", _LIST),
    ("POST /contacts/merge", _CONTACT),
    ("POST /contacts/c1/archive", {"id": "c1", "object": "contact", "archived": True}),
    ("POST /contacts/c1/unarchive", {"id": "c1", "type": "contact", "archived": False}),
    ("POST /contacts/c1/companies", _COMPANY),
    ("DELETE /contacts/c1/companies/k1", _COMPANY),
    ("GET /contacts/c1/companies", _LIST),
    ("POST /contacts/c1/tags", _TAG),
    ("DELETE /contacts/c1/tags/7", _TAG),
    ("GET /contacts/c1/tags", _LIST),
    ("POST /contacts/c1/subscriptions", _SUBSCRIPTION),
    ("DELETE /contacts/c1/subscriptions/91", _SUBSCRIPTION),
    ("GET /contacts/c1/subscriptions", _LIST),
    ("POST /companies", _COMPANY),
    ("GET /companies?company_id=acme", _COMPANY),
    ("GET /companies?company_id=acme", _LIST),
    ("GET /companies?company_id=acme", {"type": "list", "companies": [_COMPANY]}),
    ("DELETE /companies/k1", {"id": "k1", "object": "company", "deleted": True}),
    ("POST /data_attributes", _ATTRIBUTE),
    ("PUT /data_attributes/34", _ATTRIBUTE),
    ("GET /data_attributes?model=contact", _LIST),
    ("POST /tags", _TAG),
    ("GET /tags", _LIST),
    ("GET /subscription_types", _LIST),
]
_ENDPOINTS = sorted({line for line, _ in _EXPECTED})


def _request(line):
    method, _, path = line.partition(" ")
    return Request(method, path)


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 410, 422, 423])
def test_a_list_of_errors_is_intercoms(status):
    """T6: Intercom sends a list of errors with every 4xx, also an empty one."""
    assert not is_foreign(_CREATE, Response(status, _ERRORS))
    assert not is_foreign(_CREATE, Response(status, {"errors": []}))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [None, "upstream connect error", {}])
def test_what_is_retried_anyway_needs_no_list(status, body):
    """T1: whoever sends these statuses, the request is sent again."""
    assert not is_foreign(_CREATE, Response(status, body))


@pytest.mark.parametrize("status", [408, 425, 429, 500])
def test_a_page_with_these_statuses_may_be_intercoms(status):
    """T2, T4: whoever asks to wait is heard, and a message that brings a 500 again and again is poison."""
    assert not is_foreign(_CREATE, Response(status, _PAGE))


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("body", [_PAGE, "\ufeff\r\n <!DOCTYPE html>", "<?xml version='1.0'?><Error/>"])
def test_the_page_of_a_gateway_is_foreign(status, body):
    """T6: Intercom describes its errors in JSON; a page is a proxy's."""
    assert is_foreign(_CREATE, Response(status, body))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 511])
@pytest.mark.parametrize("body", [None, _PAGE, {}, _ERRORS])
def test_a_redirect_and_a_sign_in_are_foreign(status, body):
    """T6: Intercom redirects no request, and 511 is the status of a captive portal."""
    assert is_foreign(_CREATE, Response(status, body))


@pytest.mark.parametrize("body", [None, "", " \r\n", {}])
def test_an_empty_401_is_a_refusal(body):
    """T1, T6: without any content nobody can tell who refuses the credentials, and holding the messages loses none of them."""
    assert not is_foreign(_CREATE, Response(401, body))


@pytest.mark.parametrize(
    "body", [_PAGE, "Unauthorized", {"status": "ok"}, {"message": "No API key found"}, [], ["no"], 5, True]
)
def test_a_401_with_something_else_than_a_list_of_errors_is_foreign(body):
    """T6: a gateway that asks for its own key says nothing about Intercom's token."""
    assert is_foreign(_CREATE, Response(401, body))


# --- successes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "body"), _EXPECTED)
@pytest.mark.parametrize("status", [200, 201])
def test_what_intercom_sends_is_intercoms(line, body, status):
    """T6: the object that was written or asked for, or the list, is Intercom's answer; more fields change nothing."""
    assert not is_foreign(_request(line), Response(status, body))
    assert not is_foreign(_request(line), Response(status, {**body, "new_in_a_later_version": [1]}))


@pytest.mark.parametrize("line", _ENDPOINTS)
@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        _PAGE,
        "OK",
        [],
        [{"id": "c1"}],
        {},
        {"status": "ok"},
        {"ok": True, "data": "saved"},
        {"message": "Hello World", "code": 0},
        {"type": "error.list", "errors": []},
        {"type": "weather", "id": "c1"},
        5,
        True,
        "c1",
    ],
    ids=repr,
)
def test_a_success_without_what_intercom_sends_is_foreign(line, body):
    """T6: a stub, gateway or captive portal that says 200 to everything has written nothing."""
    assert is_foreign(_request(line), Response(200, body))


@pytest.mark.parametrize("line", _ENDPOINTS)
def test_no_content_is_foreign(line):
    """T6: Intercom answers each of these requests with a body."""
    assert is_foreign(_request(line), Response(204))


@pytest.mark.parametrize("value", [None, "", True, False, 1.5, [], {}])
def test_an_id_is_a_text_or_a_whole_number(value):
    """T6: what cannot be an id does not show that a contact was written."""
    assert is_foreign(_CREATE, Response(200, {"type": "contact", "id": value}))
    assert is_foreign(_CREATE, Response(200, {"id": value}))


@pytest.mark.parametrize(
    "kind", [{"type": "contact"}, {"type": "user"}, {"type": "lead"}, {"object": "contact"}, {}]
)
@pytest.mark.parametrize("contact_id", ["c1", "5f3c", 17, 0])
def test_versions_name_contacts_differently(kind, contact_id):
    """T6: older versions wrote other types, or none; the id decides."""
    assert not is_foreign(_CREATE, Response(200, {**kind, "id": contact_id}))


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("POST /contacts", _COMPANY),
        ("PUT /contacts/c1", _LIST),
        ("POST /companies", _CONTACT),
        ("POST /contacts/c1/companies", _CONTACT),
        ("POST /contacts/c1/tags", _CONTACT),
        ("POST /contacts/c1/subscriptions", _TAG),
        ("POST /data_attributes", _TAG),
        ("POST /contacts/search", _CONTACT),
        ("GET /me", _COMPANY),
    ],
)
def test_an_object_of_another_kind_is_foreign(line, body):
    """T6: an answer that was meant for another request, for example from a cache, is no answer to this one."""
    assert is_foreign(_request(line), Response(200, body))


def test_a_standard_attribute_has_no_id():
    """OpenAPI 2.16: only custom attributes have an id."""
    body = {"type": "data_attribute", "name": "email"}

    assert not is_foreign(Request("PUT", "/data_attributes/34"), Response(200, body))


@pytest.mark.parametrize("data", [None, {}, "none", 5])
def test_a_search_without_its_list_is_foreign(data):
    """M1, T6: without the list nobody knows whether the contact exists, and a new one would be a duplicate."""
    assert is_foreign(Request("POST", "/contacts/search"), Response(200, {"type": "list", "data": data}))


# --- events ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, "", " \n", {}, [], {"type": "event"}])
def test_an_event_is_accepted_with_202(body):
    """Contract, section 5: Intercom accepts an event with 202 and an empty body."""
    assert not is_foreign(_EVENT, Response(202, body))


@pytest.mark.parametrize("status", [200, 201, 203, 204])
@pytest.mark.parametrize("body", [None, "", {}, [], {"status": "ok"}, _PAGE, "OK", {"id": "1"}, _CONTACT])
def test_an_event_is_accepted_with_no_other_success(status, body):
    """T6: a success other than 202 is not Intercom's, unless it describes an event."""
    assert is_foreign(_EVENT, Response(status, body))
    assert not is_foreign(_EVENT, Response(status, {"type": "event"}))


@pytest.mark.parametrize("body", [_PAGE, "Accepted", '{"type":'])
def test_a_page_for_an_event_is_foreign(body):
    """T6: a page is never Intercom's, whatever its status."""
    assert is_foreign(_EVENT, Response(202, body))


@pytest.mark.parametrize("line", ["POST /contacts/bulk", "POST /events/summaries", "POST /contacts/c1/notes"])
def test_of_other_endpoints_only_a_page_is_foreign(line):
    """T6: nothing is assumed about endpoints that no flow uses."""
    assert not is_foreign(_request(line), Response(200, {"job": 5}))
    assert not is_foreign(_request(line), Response(200))
    assert is_foreign(_request(line), Response(200, _PAGE))


@pytest.mark.parametrize(
    ("response", "is_foreign"),
    [
        (Response(200, {"type": "admin", "app": {"id_code": "a"}}), False),
        (Response(200, {}), False),
        (Response(204), False),
        (Response(404), False),
        (Response(404, "no such page"), False),
        (Response(403, _ERRORS), False),
        (Response(500, _PAGE), False),
        (Response(503, {}), False),
        (Response(200, _PAGE), True),
        (Response(404, _PAGE), True),
        (Response(502, _PAGE), True),
        (Response(302), True),
        (Response(511, {}), True),
    ],
)
def test_the_answer_to_who_we_are(response, is_foreign):
    """Q7, T6: only a page, a redirect and a log-in are no answer to which workspace it is, because any other stand-in takes messages too."""
    assert is_foreign_to_identity(_request("GET /me"), response) is is_foreign
