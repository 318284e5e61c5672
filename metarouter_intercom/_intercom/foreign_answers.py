"""Tells Intercom's answers from those of a proxy or another server between us and Intercom (rule T6); pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from .response_parsing import id_of, is_success, object_of
from .responses import RETRYABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._types import JsonObject
    from ..plugins import Request, Response

_OF_GATEWAYS = (502, 503, 504)
# The second segments of a path that are no id.
_WORDS = frozenset({"search", "merge", "find_by_external_id", "bulk", "list", "scroll"})


def is_foreign(request: Request, response: Response) -> bool:
    """
    Tell whether *response* cannot be Intercom's answer to *request*, so that it says nothing about the message.

    Intercom sends a list of errors with every 4xx. A 401 without any content still counts as refused credentials: it says nothing of
    who sent it, and holding the messages loses none of them. A redirect, a 511 and the page of a gateway are a proxy's; a page with a 500 may be
    what a message does to Intercom (rule T2). A success has the written object with its id, or the list that was asked for. Nothing
    else of it is compared, because other versions of the API name and add fields.
    """
    status, body = response.status, response.body
    if is_success(response):
        return not _is_expected(request, response)
    if status == 401 and (body is None or body == {} or (isinstance(body, str) and not body.strip())):
        return False
    if status < 400 or status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED:
        return True
    if status >= 500:
        return status in _OF_GATEWAYS and _is_page(body)
    if status in RETRYABLE:
        return False
    return not (isinstance(body, dict) and isinstance(body.get("errors"), list))


def is_foreign_to_identity(_request: Request, response: Response) -> bool:
    """
    Tell whether somebody else answered the question which workspace the key opens.

    Whatever JSON says counts as an answer, and so does nothing: a stand-in for Intercom that does not know this endpoint takes messages
    all the same.
    """
    status = response.status
    if 300 <= status < 400 or status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED:
        return True
    return _is_page(response.body) and (status < 500 or status in _OF_GATEWAYS)


def _is_expected(request: Request, response: Response) -> bool:
    """Tell whether a success has what Intercom sends for *request*."""
    endpoint = _endpoint(request)
    if endpoint == "POST events":
        # Intercom answers 202 without a body. Should a later version describe the event, JSON counts too, or another success with it.
        if response.status == 202:
            return not _is_text(response.body)
        return object_of(response).get("type") == "event"
    check = _CHECKS.get(endpoint)
    if check is None:
        return not _is_text(response.body)
    return isinstance(response.body, dict) and check(response.body)


def _endpoint(request: Request) -> str:
    """Return method and path without the query, with ``*`` for each id."""
    path = request.path
    _, root, *rest = (path if "?" not in path else path[: path.index("?")]).split("/")
    if not rest:
        return f"{request.method} {root}"
    if rest[0] not in _WORDS:
        rest[0] = "*"
    elif len(rest) == 2:
        rest[1] = "*"
    if len(rest) == 3:
        rest[2] = "*"
    return f"{request.method} {root}/{'/'.join(rest)}"


def _is_page(body: object) -> bool:
    return isinstance(body, str) and body.lstrip("\ufeff \t\r\n").startswith("<")


def _is_text(body: object) -> bool:
    return isinstance(body, str) and bool(body.strip())


# --- what Intercom sends ----------------------------------------------------------------------------------------


def _has_id(*types: str) -> Callable[[JsonObject], bool]:
    """Return the check for an object with an id whose type, if it says one, is one of *types*."""

    def check(body: JsonObject) -> bool:
        # The API of 2021 wrote `object` instead of `type` in some answers (recorded).
        kind = body.get("type", body.get("object"))
        return (kind is None or kind in types) and id_of(body) is not None

    return check


def _is_list(body: JsonObject) -> bool:
    return isinstance(body.get("data"), list)


_is_contact = _has_id("contact", "user", "lead")
_is_company = _has_id("company")
_is_tag = _has_id("tag")
_is_subscription = _has_id("subscription", "subscription_type")


def _is_company_or_list(body: JsonObject) -> bool:
    return _is_company(body) or _is_list(body) or isinstance(body.get("companies"), list)


def _is_attribute(body: JsonObject) -> bool:
    # Attributes that Intercom defines itself have no id, so the type is enough.
    return body.get("type") == "data_attribute" or _has_id("data_attribute")(body)


def _is_admin(body: JsonObject) -> bool:
    return body.get("type") == "admin" or isinstance(body.get("app"), dict)


# Endpoint -> what the object in its answer must be like. For all others only a page is foreign.
_CHECKS: dict[str, Callable[[JsonObject], bool]] = {
    "GET me": _is_admin,
    "POST contacts": _is_contact,
    "GET contacts": _is_list,
    "GET contacts/*": _is_contact,
    "PUT contacts/*": _is_contact,
    "DELETE contacts/*": _is_contact,
    "GET contacts/find_by_external_id/*": _is_contact,
    "POST contacts/search": _is_list,
    "POST contacts/merge": _is_contact,
    "POST contacts/*/archive": _is_contact,
    "POST contacts/*/unarchive": _is_contact,
    "GET contacts/*/companies": _is_company_or_list,
    "POST contacts/*/companies": _is_company,
    "DELETE contacts/*/companies/*": _is_company,
    "GET contacts/*/tags": _is_list,
    "POST contacts/*/tags": _is_tag,
    "DELETE contacts/*/tags/*": _is_tag,
    "GET contacts/*/subscriptions": _is_list,
    "POST contacts/*/subscriptions": _is_subscription,
    "DELETE contacts/*/subscriptions/*": _is_subscription,
    "GET companies": _is_company_or_list,
    "POST companies": _is_company,
    "GET companies/*": _is_company,
    "PUT companies/*": _is_company,
    "DELETE companies/*": _is_company,
    "GET data_attributes": _is_list,
    "POST data_attributes": _is_attribute,
    "PUT data_attributes/*": _is_attribute,
    "GET tags": _is_list,
    "POST tags": _is_tag,
    "GET subscription_types": _is_list,
}
