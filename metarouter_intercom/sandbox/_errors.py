"""Every way in which the sandbox refuses: status, code and text as documented, and the rule's name for the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from metarouter_intercom._types import JsonObject


class Refused(Exception):
    """
    The answer to a request is an error.

    Attributes:
        rule: What the log calls the refusal.
        violation: A well-behaved client never meets it: its request was malformed, not just unlucky.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str | None,
        *,
        rule: str,
        field: str | None = None,
        violation: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.rule = rule
        self.field = field
        self.violation = violation
        self.headers = headers or {}


def error_body(refusal: Refused, *, request_id: str) -> JsonObject:
    """Build Intercom's error envelope."""
    error: JsonObject = {"code": refusal.code, "message": refusal.message}
    if refusal.field is not None:
        error["field"] = refusal.field
    return {"type": "error.list", "request_id": request_id, "errors": [error]}


# Answers that stand for a state of the service, by status: for faults and for the rate limit.
SERVICE_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("client_error", "Bad Request"),
    401: ("unauthorized", "Access Token Invalid"),
    403: ("api_plan_restricted", "Active subscription needed."),
    404: ("not_found", "Resource Not Found"),
    408: ("request_timeout", "Request timed out"),
    409: ("conflict", "Resource Conflict"),
    422: ("parameter_invalid", "Unprocessable Entity"),
    429: ("rate_limit_exceeded", "The rate limit for the App has been exceeded"),
    500: ("server_error", "Server Error"),
    502: ("server_error", "Bad Gateway"),
    503: ("service_unavailable", "Sorry, the API service is temporarily unavailable"),
    504: ("server_timeout", "Server timed out when making request"),
}


def malformed(
    message: str, *, rule: str, code: str = "parameter_invalid", field: str | None = None
) -> Refused:
    """Refuse a request that a well-behaved client would not have made."""
    return Refused(400, code, message, rule=rule, field=field, violation=True)


def bad_parameter(name: str) -> Refused:
    """Refuse a field that the endpoint does not know."""
    return malformed(f"bad '{name}' parameter", rule="unknown_field", code="bad_request", field=name)


def unavailable() -> Refused:
    """Refuse a resource that the named API version does not have."""
    return Refused(
        400,
        "intercom_version_invalid",
        "Requested resource is not available in current API version.",
        rule="not_in_version",
        violation=True,
    )


def user_not_found() -> Refused:
    """Tell that there is no such contact."""
    return Refused(404, "not_found", "User Not Found", rule="contact_not_found")


def company_not_found() -> Refused:
    """Tell that there is no such company."""
    return Refused(404, "company_not_found", "Company Not Found", rule="company_not_found")


def resource_not_found(rule: str) -> Refused:
    """Tell that there is no such tag, subscription type or admin."""
    return Refused(404, "not_found", "Resource Not Found", rule=rule)


def contact_exists(contact_id: str, *, archived: bool) -> Refused:
    """Tell the creator of a contact that it is there already; its id stands in the text alone."""
    subject = "An archived contact" if archived else "A contact"
    text = f"{subject} matching those details already exists with id={contact_id}"
    return Refused(409, "conflict", text, rule="contact_exists")


def ambiguous_email() -> NoReturn:
    """Refuse to choose between several users."""
    text = "Multiple existing users match this email address - must be more specific using user_id"
    raise Refused(409, "conflict", text, rule="ambiguous_email")
