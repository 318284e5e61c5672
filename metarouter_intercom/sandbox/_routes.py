"""Which endpoint answers which method and path, and since which API version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from metarouter_intercom._types import JsonValue

from ._endpoints import attributes as _attributes
from ._endpoints import bulk as _bulk
from ._endpoints import companies as _companies
from ._endpoints import contacts as _contacts
from ._endpoints import events as _events
from ._endpoints import lifecycle as _lifecycle
from ._endpoints import search as _search
from ._endpoints import tags as _tags
from ._endpoints import teammates as _desk
from ._request import PREVIEW, Call, Version

Endpoint = Callable[[Call], JsonValue]


class Route(NamedTuple):
    """
    One endpoint.

    Attributes:
        answer: What answers it.
        status: Of its success.
        since: The first API version that has it.
    """

    answer: Endpoint
    status: int = 200
    since: Version = (2, 0)


ROUTES: Mapping[str, Route] = {
    "POST /contacts": Route(_contacts.create_contact),
    "GET /contacts": Route(_search.list_contacts),
    "GET /contacts/{}": Route(_contacts.show_contact),
    "PUT /contacts/{}": Route(_contacts.update_contact),
    "DELETE /contacts/{}": Route(_lifecycle.delete),
    "POST /contacts/search": Route(_search.search_contacts),
    "GET /contacts/find_by_external_id/{}": Route(_contacts.find_by_external_id, since=(2, 13)),
    "POST /contacts/merge": Route(_lifecycle.merge),
    "POST /contacts/{}/archive": Route(_lifecycle.archive),
    "POST /contacts/{}/unarchive": Route(_lifecycle.unarchive),
    "POST /contacts/{}/block": Route(_lifecycle.block, since=(2, 13)),
    "GET /contacts/{}/merge_history": Route(_lifecycle.merge_history, since=(2, 16)),
    "POST /contacts/{}/companies": Route(_companies.attach),
    "GET /contacts/{}/companies": Route(_companies.list_attached),
    "DELETE /contacts/{}/companies/{}": Route(_companies.detach),
    "GET /contacts/{}/tags": Route(_tags.list_contact_tags),
    "POST /contacts/{}/tags": Route(_tags.tag_contact),
    "DELETE /contacts/{}/tags/{}": Route(_tags.untag_contact),
    "GET /contacts/{}/notes": Route(_desk.list_contact_notes),
    "POST /contacts/{}/notes": Route(_desk.add_contact_note),
    "GET /contacts/{}/segments": Route(_desk.list_contact_segments),
    "GET /contacts/{}/subscriptions": Route(_desk.list_subscriptions),
    "POST /contacts/{}/subscriptions": Route(_desk.set_subscription),
    "DELETE /contacts/{}/subscriptions/{}": Route(_desk.remove_subscription),
    "POST /companies": Route(_companies.upsert_company),
    "GET /companies": Route(_companies.find_companies),
    "POST /companies/list": Route(_companies.list_companies),
    "GET /companies/scroll": Route(_companies.scroll_companies),
    "GET /companies/{}": Route(_companies.show_company),
    "PUT /companies/{}": Route(_companies.update_company),
    "DELETE /companies/{}": Route(_companies.delete_company),
    "GET /companies/{}/contacts": Route(_companies.list_people),
    "GET /companies/{}/segments": Route(_desk.list_company_segments),
    "GET /companies/{}/notes": Route(_desk.list_company_notes, since=(2, 15)),
    "POST /companies/{}/notes": Route(_desk.add_company_note),
    "POST /events": Route(_events.submit_event, status=202),
    "GET /events": Route(_events.list_events),
    "POST /events/summaries": Route(_events.set_summary),
    "GET /data_attributes": Route(_attributes.list_attributes),
    "POST /data_attributes": Route(_attributes.create_attribute),
    "PUT /data_attributes/{}": Route(_attributes.update_attribute),
    "GET /tags": Route(_tags.list_tags),
    "POST /tags": Route(_tags.write_tag),
    "GET /tags/{}": Route(_tags.show_tag),
    "DELETE /tags/{}": Route(_tags.delete_tag),
    "GET /subscription_types": Route(_desk.list_subscription_types),
    "GET /visitors": Route(_lifecycle.show_visitor),
    "PUT /visitors": Route(_lifecycle.update_visitor),
    "POST /visitors/convert": Route(_lifecycle.convert_visitor),
    "GET /admins": Route(_desk.list_admins),
    "GET /admins/{}": Route(_desk.show_admin),
    "GET /me": Route(_desk.show_me),
    "POST /contacts/bulk": Route(_bulk.create_contacts, status=202, since=PREVIEW),
    "PUT /contacts/bulk": Route(_bulk.update_contacts, status=202, since=PREVIEW),
    "POST /contacts/bulk/delete": Route(_bulk.delete_contacts, status=202, since=PREVIEW),
    "GET /contacts/bulk/{}": Route(_bulk.show_job, since=PREVIEW),
    "POST /companies/bulk": Route(_bulk.upsert_companies, status=202, since=PREVIEW),
    "PUT /companies/bulk": Route(_bulk.update_companies, status=202, since=PREVIEW),
    "POST /companies/bulk/delete": Route(_bulk.delete_companies, status=202, since=PREVIEW),
    "GET /companies/bulk/{}": Route(_bulk.show_job, since=PREVIEW),
}
# The 1.x resources: every 2.x version says that it does not have them.
OLD_ROOTS = frozenset({"users", "leads", "bulk"})
ROOTS = frozenset(route.split("/")[1] for route in ROUTES) | OLD_ROOTS


def match(method: str, path: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the route's name and the ids in *path* (without query), or None when nothing is there."""
    segments = path.split("/")[1:]
    for name, ids in _shapes(segments):
        route = f"{method} {name}"
        if route in ROUTES:
            return route, tuple(unquote(one) if "%" in one else one for one in ids)
    return None


def _shapes(segments: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    count = len(segments)
    if count == 1:
        return [(f"/{segments[0]}", ())]
    root, second = segments[0], segments[1]
    if count == 2:
        return [(f"/{root}/{second}", ()), (f"/{root}/{{}}", (second,))]
    third = segments[2]
    if count == 3:
        return [
            (f"/{root}/{second}/{third}", ()),
            (f"/{root}/{{}}/{third}", (second,)),
            (f"/{root}/{second}/{{}}", (third,)),
        ]
    if count == 4:
        return [(f"/{root}/{{}}/{third}/{{}}", (second, segments[3]))]
    return []
