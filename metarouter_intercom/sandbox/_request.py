"""One request on its way through the model: what every endpoint reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import attrs

from metarouter_intercom._types import JsonObject, JsonValue

from ._errors import Refused, user_not_found
from ._settings import WorkspaceSettings
from ._workspace_state import Company, Contact, State

Version = tuple[int, int]
FIRST_VERSION: Version = (2, 0)
PREVIEW: Version = (99, 0)
KNOWN_VERSIONS: Mapping[str, Version] = {
    **{f"1.{minor}": (1, minor) for minor in range(5)},
    **{f"2.{minor}": (2, minor) for minor in range(17)},
    "Preview": PREVIEW,
    "Unstable": PREVIEW,
}


class Violation(NamedTuple):
    """
    Something no well-behaved client sends.

    Attributes:
        rule: Which rule was broken.
        detail: What broke it.
        method: Of the request.
        path: Of the request, with its query.
        body: Of the request; its text when it was not JSON.
        number: Of the request, counted from 1.
    """

    rule: str
    detail: str
    method: str
    path: str
    body: JsonValue
    number: int = 0


class Exchange(NamedTuple):
    """
    One request with its answer.

    Attributes:
        number: Counted from 1.
        at: When it was answered.
        method: Of the request.
        path: Of the request, with its query.
        version: The API version it named; empty when it named none.
        body: Of the request.
        status: Of the answer.
        answer: The answer's body.
        rule: The rule that refused it, or None.
        request_id: The answer's request id.
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


@attrs.define(eq=False, slots=True)
class Call:
    """A request as the endpoints see it, with the workspace it is made to."""

    state: State
    settings: WorkspaceSettings
    version: Version
    now: float
    ids: tuple[str, ...]
    query: Mapping[str, str]
    body: JsonObject
    found: list[tuple[str, str]] = attrs.field(factory=list)

    @property
    def second(self) -> int:
        """The moment in whole seconds, as Intercom's own instants are."""
        return int(self.now)

    def violate(self, rule: str, detail: str) -> None:
        """Remember a violation that the API lets pass."""
        self.found.append((rule, detail))

    def contact(self, *, method: Literal["read", "write"] = "read") -> Contact:
        """Return the live contact that the path names."""
        wanted = self.ids[0]
        contact = self.state.contacts.get(wanted)
        if contact is None:
            if method == "write" and self.state.user_by_external_id(wanted) is not None:
                self.violate("external_id_in_path", "the path wants Intercom's own id of the contact")
            raise user_not_found()
        if contact.merged_into is not None:
            raise self.merged(contact)
        if not contact.is_live:
            raise user_not_found()
        return contact

    def merged(self, contact: Contact) -> Refused:
        """Tell that *contact* is now a part of another one; only since 2.16 Intercom says which."""
        if self.version < (2, 16):
            return user_not_found()
        # Only leads are merged away, and only into users: one step leads to the end.
        canonical = self.state.contacts[str(contact.merged_into)]
        if not canonical.is_live:
            return user_not_found()
        return Refused(
            410,
            "contact_merged",
            "This contact has been merged. See the 'Link' header for the canonical contact.",
            rule="contact_merged",
            headers={"link": f'</contacts/{canonical.id}>; rel="canonical"'},
        )

    def company(self, company_id: str) -> Company | None:
        """Return the company with Intercom's id."""
        return self.state.companies.get(company_id)
