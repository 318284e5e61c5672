"""Which endpoint answers which method and path, and since which API version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from metarouter_intercom._types import JsonValue

from ._endpoints import (
    attributes,
    bulk,
    companies,
    contacts,
    events,
    lifecycle,
    search,
    segments,
    tags,
    teammates,
)
from ._request import PREVIEW, ApiRequest, Version

Endpoint = Callable[[ApiRequest], JsonValue]


class Route(NamedTuple):
    """
    One endpoint.

    Attributes:
        endpoint: The function that answers the request.
        status: The status of a success.
        since: The first API version that has the endpoint.
        reads: Whether the endpoint only reads, as each GET does.
    """

    endpoint: Endpoint
    status: int = 200
    since: Version = (2, 0)
    reads: bool = False


# What 1.x has too, where people are users and leads instead of contacts. The sandbox answers it in the shapes of 2.x.
_OLDEST: Version = (1, 0)

ROUTES: Mapping[str, Route] = {
    "POST /contacts": Route(contacts.create_contact),
    "GET /contacts": Route(search.list_contacts),
    "GET /contacts/{}": Route(contacts.show_contact),
    "PUT /contacts/{}": Route(contacts.update_contact),
    "DELETE /contacts/{}": Route(lifecycle.delete),
    "POST /contacts/search": Route(search.search_contacts, reads=True),
    "GET /contacts/find_by_external_id/{}": Route(contacts.find_by_external_id, since=(2, 13)),
    "POST /contacts/merge": Route(lifecycle.merge),
    "POST /contacts/merge/preview": Route(lifecycle.preview_merge, since=PREVIEW, reads=True),
    "POST /contacts/{}/archive": Route(lifecycle.archive),
    "POST /contacts/{}/unarchive": Route(lifecycle.unarchive),
    "POST /contacts/{}/block": Route(lifecycle.block, since=(2, 13)),
    "GET /contacts/{}/merge_history": Route(lifecycle.merge_history, since=(2, 16)),
    "POST /contacts/{}/companies": Route(companies.attach),
    "GET /contacts/{}/companies": Route(companies.list_attached),
    "DELETE /contacts/{}/companies/{}": Route(companies.detach),
    "GET /contacts/{}/tags": Route(tags.list_contact_tags),
    "POST /contacts/{}/tags": Route(tags.tag_contact),
    "DELETE /contacts/{}/tags/{}": Route(tags.untag_contact),
    "GET /contacts/{}/notes": Route(teammates.list_contact_notes),
    "POST /contacts/{}/notes": Route(teammates.add_contact_note),
    "GET /contacts/{}/segments": Route(teammates.list_contact_segments),
    "GET /contacts/{}/subscriptions": Route(teammates.list_subscriptions),
    "POST /contacts/{}/subscriptions": Route(teammates.set_subscription),
    "DELETE /contacts/{}/subscriptions/{}": Route(teammates.remove_subscription),
    "POST /companies": Route(companies.upsert_company, since=_OLDEST),
    "GET /companies": Route(companies.find_companies, since=_OLDEST),
    "POST /companies/list": Route(companies.list_companies, since=_OLDEST, reads=True),
    "GET /companies/scroll": Route(companies.scroll_companies, since=_OLDEST),
    "GET /companies/{}": Route(companies.show_company, since=_OLDEST),
    "PUT /companies/{}": Route(companies.update_company),
    "DELETE /companies/{}": Route(companies.delete_company),
    "GET /companies/{}/contacts": Route(companies.list_people),
    "GET /companies/{}/segments": Route(teammates.list_company_segments),
    "GET /companies/{}/notes": Route(teammates.list_company_notes, since=(2, 15)),
    "POST /companies/{}/notes": Route(teammates.add_company_note),
    "POST /events": Route(events.submit_event, status=202, since=_OLDEST),
    "GET /events": Route(events.list_events, since=_OLDEST),
    "POST /events/summaries": Route(events.set_summary),
    "GET /data_attributes": Route(attributes.list_attributes),
    "POST /data_attributes": Route(attributes.create_attribute),
    "PUT /data_attributes/{}": Route(attributes.update_attribute),
    "GET /tags": Route(tags.list_tags, since=_OLDEST),
    "POST /tags": Route(tags.write_tag, since=_OLDEST),
    "GET /tags/{}": Route(tags.show_tag),
    "DELETE /tags/{}": Route(tags.delete_tag),
    "GET /segments": Route(segments.list_segments, since=_OLDEST),
    "GET /segments/{}": Route(segments.show_segment, since=_OLDEST),
    "GET /notes/{}": Route(teammates.show_note),
    "GET /subscription_types": Route(teammates.list_subscription_types),
    "GET /visitors": Route(lifecycle.show_visitor),
    "PUT /visitors": Route(lifecycle.update_visitor),
    "POST /visitors/convert": Route(lifecycle.convert_visitor),
    "GET /admins": Route(teammates.list_admins, since=_OLDEST),
    "GET /admins/{}": Route(teammates.show_admin, since=_OLDEST),
    "GET /me": Route(teammates.show_me, since=_OLDEST),
    "POST /contacts/bulk": Route(bulk.create_contacts, status=202, since=PREVIEW),
    "PUT /contacts/bulk": Route(bulk.update_contacts, status=202, since=PREVIEW),
    "POST /contacts/bulk/delete": Route(bulk.delete_contacts, status=202, since=PREVIEW),
    "GET /contacts/bulk/{}": Route(bulk.show_job, since=PREVIEW),
    "POST /companies/bulk": Route(bulk.upsert_companies, status=202, since=PREVIEW),
    "PUT /companies/bulk": Route(bulk.update_companies, status=202, since=PREVIEW),
    "POST /companies/bulk/delete": Route(bulk.delete_companies, status=202, since=PREVIEW),
    "GET /companies/bulk/{}": Route(bulk.show_job, since=PREVIEW),
}
# The resources of 1.x. Every 2.x version answers that it does not have them.
OLD_ROOTS = frozenset({"users", "leads", "bulk"})
ROOTS = frozenset(route.split("/")[1] for route in ROUTES) | OLD_ROOTS


def match_route(method: str, path: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the name of the route for *path* (without query) and the ids in it; None when there is no route."""
    segments = path.split("/")[1:]
    for pattern, ids in _patterns(segments):
        name = f"{method} {pattern}"
        if name in ROUTES:
            return name, tuple(unquote(text) if "%" in text else text for text in ids)
    return None


def _patterns(segments: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return every pattern that *segments* may match, with the ids that it takes out; a literal segment comes first."""
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
