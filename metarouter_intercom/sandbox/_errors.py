"""
Every error that the sandbox answers with. It knows no endpoint.

Status, code and text are Intercom's where a document or a recording of the real API shows them. An error that is *assumed* is the
sandbox's own guess: that something is refused, or how the refusal reads. ``docs/reference/sandbox.md`` lists each rule with its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from metarouter_intercom._types import JsonObject


class ApiError(Exception):
    """
    The response to a request is an error.

    Attributes:
        status: The HTTP status.
        code: Intercom's error code.
        message: Intercom's error text.
        rule: The sandbox's name for the broken rule, for the request log.
        field: The field that is at fault; None when the error names none.
        violation: Whether the request itself is malformed. A correct client never sends such a request.
        headers: Response headers to add; names in lower case.
        assumed: Whether no source shows this error's status, code or text.
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
        assumed: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.rule = rule
        self.field = field
        self.violation = violation
        self.headers = headers or {}
        self.assumed = assumed


def error_body(error: ApiError, *, request_id: str) -> JsonObject:
    """Build Intercom's ``error.list`` body."""
    entry: JsonObject = {"code": error.code, "message": error.message}
    if error.field is not None:
        entry["field"] = error.field
    return {"type": "error.list", "request_id": request_id, "errors": [entry]}


# Code and text by status, for errors that do not depend on the request: faults and the rate limit.
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
    message: str,
    *,
    rule: str,
    code: str = "parameter_invalid",
    field: str | None = None,
    assumed: bool = True,
) -> ApiError:
    """Return a 400 for a request that a correct client does not send. Its text is assumed unless the caller knows a source."""
    return ApiError(400, code, message, rule=rule, field=field, violation=True, assumed=assumed)


def bad_parameter(name: str) -> ApiError:
    """Return a 400 for a field that the endpoint of companies does not know."""
    return malformed(f"bad '{name}' parameter", rule="unknown_field", code="bad_request", assumed=False)


def not_in_version() -> ApiError:
    """Return a 400 for an API version that does not exist, or that does not have the endpoint."""
    return ApiError(
        400,
        "intercom_version_invalid",
        "Requested resource is not available in current API version.",
        rule="not_in_version",
        violation=True,
    )


def user_not_found() -> ApiError:
    """Return a 404 for a contact."""
    return ApiError(404, "not_found", "User Not Found", rule="contact_not_found")


def company_not_found() -> ApiError:
    """Return a 404 for a company."""
    return ApiError(404, "company_not_found", "Company Not Found", rule="company_not_found")


def resource_not_found(rule: str) -> ApiError:
    """Return a 404 for a tag, a subscription type or an admin."""
    return ApiError(404, "not_found", "Resource Not Found", rule=rule)


def contact_exists(contact_id: str, *, archived: bool) -> ApiError:
    """Return a 409 for a contact that exists already. Intercom puts its id only in the text."""
    subject = "An archived contact" if archived else "A contact"
    text = f"{subject} matching those details already exists with id={contact_id}"
    return ApiError(409, "conflict", text, rule="contact_exists")


def ambiguous_email() -> NoReturn:
    """Raise a 409 because several users have the same e-mail."""
    text = "Multiple existing users match this email address - must be more specific using user_id"
    raise ApiError(409, "conflict", text, rule="ambiguous_email")
