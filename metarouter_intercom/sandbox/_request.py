"""One API request as the endpoints read it, and the public records of requests. It knows no endpoint and no HTTP."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

import attrs

from metarouter_intercom._types import JsonObject, JsonValue

from ._errors import ApiError, user_not_found
from ._settings import WorkspaceSettings
from ._validation import LATEST_SECOND
from ._workspace_state import Company, Contact, WorkspaceState

Version = tuple[int, int]
# The first version with contacts; what 1.x has answers in the shapes of 2.x here.
FIRST_VERSION: Version = (2, 0)
PREVIEW: Version = (99, 0)
KNOWN_VERSIONS: Mapping[str, Version] = {
    **{f"1.{minor}": (1, minor) for minor in range(5)},
    **{f"2.{minor}": (2, minor) for minor in range(18)},
    "Preview": PREVIEW,
    "Unstable": PREVIEW,
}


class Violation(NamedTuple):
    """
    Something that a correct client does not send.

    Attributes:
        rule: The name of the broken rule.
        detail: What broke the rule.
        method: The request's method.
        path: The request's path with its query.
        body: The request's body; the raw text when it was not JSON.
        number: The request's number, counted from 1.
    """

    rule: str
    detail: str
    method: str
    path: str
    body: JsonValue
    number: int = 0


class Exchange(NamedTuple):
    """
    One request with its response.

    Attributes:
        number: The request's number, counted from 1.
        at: When the request arrived, in Unix seconds.
        method: The request's method.
        path: The request's path with its query.
        version: The API version that the request named; empty when it named none.
        body: The request's body; the raw text when it was not JSON.
        status: The response's status.
        answer: The response's body.
        rule: The name of the rule that refused the request; None when it succeeded.
        request_id: The response's ``X-Request-Id``.
        assumed: Whether the response is an error whose status, code or text no source shows (see the table of rules).
    """

    number: int
    at: float
    method: str
    path: str
    version: str
    body: JsonValue
    status: int
    answer: JsonValue
    rule: str | None
    request_id: str
    assumed: bool = False


@attrs.define(eq=False, slots=True)
class ApiRequest:
    """
    A request with the workspace that answers it.

    Attributes:
        app: The app that the request's token belongs to.
        now: When the request arrived, in Unix seconds.
        ids: The ids in the path, in order, percent-decoded.
        query: The query's parameters; of a repeated one the last value.
        violations: The rules that the request broke although the API accepts it, as (rule, detail).
        touched: The contacts that the request names or makes, by Intercom's id. After a write, delayed searches learn of them.
    """

    state: WorkspaceState
    settings: WorkspaceSettings
    version: Version
    now: float
    ids: tuple[str, ...]
    query: Mapping[str, str]
    body: JsonObject
    app: str = ""
    violations: list[tuple[str, str]] = attrs.field(factory=list)
    touched: dict[str, Contact] = attrs.field(factory=dict)

    @property
    def timestamp(self) -> int:
        """``now`` in whole seconds, as Intercom writes its own times."""
        return int(self.now)

    def record_violation(self, rule: str, detail: str) -> None:
        """Record a broken rule although the API accepts the request."""
        self.violations.append((rule, detail))

    def record_unknown(self, body: JsonObject, known: Collection[str]) -> None:
        """Record each field of *body* that is not in *known*. The endpoint ignores it: no source says that Intercom refuses it."""
        for name in body:
            if name not in known:
                self.record_violation("unknown_field", name)

    def record_time(self, name: str, value: JsonValue) -> None:
        """Record a time that is no time in seconds; no source says what Intercom answers to milliseconds."""
        if isinstance(value, int | float) and abs(value) > LATEST_SECOND:
            self.record_violation("not_seconds", f"{name} must be a time in seconds")

    def touch(self, contact: Contact) -> None:
        """Note that the request is about *contact*."""
        self.touched[contact.id] = contact

    def contact(self, *, method: Literal["read", "write"] = "read") -> Contact:
        """
        Return the live contact that the path names.

        Raises:
            ApiError: There is no such contact, or it is archived, deleted or merged.
        """
        contact_id = self.ids[0]
        contact = self.state.contacts.get(contact_id)
        if contact is None:
            if method == "write" and self.state.user_by_external_id(contact_id) is not None:
                self.record_violation(
                    "external_id_in_path", "the path wants Intercom's own id of the contact"
                )
            raise user_not_found()
        if contact.merged_into is not None:
            raise self.merged_error(contact)
        if not contact.is_live:
            raise user_not_found()
        self.touch(contact)
        return contact

    def merged_error(self, contact: Contact) -> ApiError:
        """Return the error for a contact that was merged. Since 2.16 it names the contact that it was merged into."""
        if self.version < (2, 16):
            return user_not_found()
        # Only a lead can be merged, and only into a user, so the target was never merged itself.
        canonical = self.state.contacts.get(str(contact.merged_into))
        if canonical is None or not canonical.is_live:
            return user_not_found()
        return ApiError(
            410,
            "contact_merged",
            "This contact has been merged. See the 'Link' header for the canonical contact.",
            rule="contact_merged",
            headers={"link": f'</contacts/{canonical.id}>; rel="canonical"'},
        )

    def company(self, company_id: str) -> Company | None:
        """Return the company with that Intercom id."""
        return self.state.companies.get(company_id)
