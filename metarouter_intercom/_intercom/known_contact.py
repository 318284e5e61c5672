"""Requests about a contact that is known: what they change is recorded, and a contact that is gone is followed (rules M1, M2, O3); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .response_parsing import canonical_id, error_of, error_text, is_success

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import ContactId, JsonValue
    from ..operations import Who
    from ..plugins import Request, Response
    from .context import Steps, World


def send_choice(
    request: Request, contact_id: ContactId, value: Mapping[str, JsonValue], world: World
) -> Steps[Response]:
    """
    Send a request that sets *value* of the contact, and record it.

    Of several choices about one subject only the last is sent. So an answer that does not come must leave nothing known: an earlier choice
    may have reached Intercom, and the last one must then be sent although the record says that it is there already.
    """
    with world.cache.recorded_write("contact", contact_id, world.now) as record:
        response = yield request
        if is_success(response):
            record.values = value
        elif response.status < 500:
            record.values = {}
    return response


def is_about_contact(response: Response) -> bool:
    """Tell whether a 404 or 410 says that the contact is missing, and not the tag or subscription type in the same request."""
    if response.status == 410:
        return True
    text = error_text(response).lower()
    return error_of(response)["code"] != "tag_not_found" and ("user" in text or "contact" in text)


def who_after_missing(response: Response, who: Who, contact_id: ContactId, world: World) -> Who | None:
    """Forget the id that *response* proves wrong; return whom to look up next, None for nobody."""
    cache = world.cache
    cache.forget_contact(who.key, contact_id)
    merged_into = canonical_id(response) if response.status == 410 else None
    if who.contact_id is None:
        if merged_into is not None:
            cache.follow_merge(who.key, merged_into)
        return who
    if merged_into is not None:
        return attrs.evolve(who, contact_id=merged_into)
    has_other_id = any(value is not None for value in (who.external_id, who.email, who.anonymous_id))
    return attrs.evolve(who, contact_id=None) if has_other_id else None
