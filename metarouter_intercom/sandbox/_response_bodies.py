"""The JSON of contacts, companies, tags and numbered pages in responses. Pure: each call returns new values."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from metarouter_intercom._types import JsonObject, JsonValue

from ._errors import malformed
from ._request import ApiRequest
from ._settings import WorkspaceSettings
from ._workspace_state import Company, Contact, Tag

Item = TypeVar("Item")

# A contact lists this many of its tags, notes and companies; the list's URL leads to all of them.
_LISTED = 10

_UTM_FIELDS = ("utm_campaign", "utm_content", "utm_medium", "utm_source", "utm_term")
# What a contact shows for standard fields that were never written.
_DEFAULTS: JsonObject = {
    "phone": None,
    "name": None,
    "avatar": None,
    "owner_id": None,
    "has_hard_bounced": False,
    "marked_email_as_spam": False,
    "unsubscribed_from_emails": False,
    "signed_up_at": None,
    "last_seen_at": None,
    "last_replied_at": None,
    "last_contacted_at": None,
    "last_email_opened_at": None,
    "last_email_clicked_at": None,
    "language_override": None,
    "browser": None,
    "browser_version": None,
    "browser_language": None,
    "os": None,
    "android_app_name": None,
    "android_app_version": None,
    "android_device": None,
    "android_os_version": None,
    "android_sdk_version": None,
    "android_last_seen_at": None,
    "ios_app_name": None,
    "ios_app_version": None,
    "ios_device": None,
    "ios_os_version": None,
    "ios_sdk_version": None,
    "ios_last_seen_at": None,
    **dict.fromkeys(_UTM_FIELDS),
    "referrer": None,
    "enabled_push_messaging": None,
}
_LOCATION_PARTS = ("country", "region", "city", "country_code", "continent_code")


def view_contact(request: ApiRequest, contact: Contact, *, listed: bool = False) -> JsonObject:
    """
    Return the contact as the API shows it. The owner's id is text since 2.16, a number before.

    Args:
        request: Whose version decides what is shown.
        contact: The contact.
        listed: Whether a search or a list shows it. Without an e-mail these show null, the other endpoints an empty text.
    """
    shown: JsonObject = {
        "type": "contact",
        "id": contact.id,
        "workspace_id": request.settings.app_id,
        "external_id": contact.external_id,
        "role": contact.role,
        "email": contact.email or (None if listed else ""),
        **_DEFAULTS,
        **contact.fields,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "custom_attributes": dict(contact.custom),
    }
    owner, avatar = shown["owner_id"], shown["avatar"]
    if isinstance(owner, str) and request.version < (2, 16):
        shown["owner_id"] = int(owner)
    if avatar is not None:
        shown["avatar"] = {"type": "avatar", "image_url": avatar}
    shown.pop("email_verified", None)
    shown["social_profiles"] = {"type": "list", "data": []}
    shown["location"] = {"type": "location", **dict.fromkeys(_LOCATION_PARTS)}
    if request.version >= (2, 16) and request.query.get("include_merge_history") == "true":
        shown["merge_history"] = list(contact.merges)
    _show_related(request.settings, contact, shown)
    return shown


def _show_related(settings: WorkspaceSettings, contact: Contact, shown: JsonObject) -> None:
    url = f"/contacts/{contact.id}"
    notes = [note.id for note in contact.notes]
    shown["tags"] = _references("tag", contact.tags, list_url=f"{url}/tags", item_url="/tags")
    shown["notes"] = _references("note", notes, list_url=f"{url}/notes", item_url="/notes")
    shown["companies"] = _references(
        "company", contact.companies, list_url=f"{url}/companies", item_url="/companies"
    )
    for name, consent in (
        ("opted_out_subscription_types", "opt_out"),
        ("opted_in_subscription_types", "opt_in"),
    ):
        types = [type_id for type_id, choice in contact.consents.items() if choice == consent]
        shown[name] = _references(
            "subscription", types, list_url=f"{url}/subscriptions", item_url="/subscription_types"
        )


def _references(kind: str, ids: Iterable[str], *, list_url: str, item_url: str) -> JsonObject:
    all_ids = list(ids)
    return {
        "type": "list",
        "data": [
            {"id": item_id, "type": kind, "url": f"{item_url}/{item_id}"} for item_id in all_ids[:_LISTED]
        ],
        "url": list_url,
        "total_count": len(all_ids),
        "has_more": len(all_ids) > _LISTED,
    }


def view_company(request: ApiRequest, company: Company) -> JsonObject:
    """Return the company as the API shows it."""
    fields = company.fields
    plan = fields.get("plan")
    tags: list[JsonValue] = [view_tag(request.state.tags[tag_id]) for tag_id in company.tags]
    shown: JsonObject = {
        "type": "company",
        "id": company.id,
        "company_id": company.company_id,
        "app_id": request.settings.app_id,
        "name": fields.get("name", ""),
        "created_at": company.created_at,
        "updated_at": company.updated_at,
        "monthly_spend": fields.get("monthly_spend", 0),
        "session_count": 0,
        "user_count": len(company.people),
        "tags": {"type": "tag.list", "tags": tags},
        "segments": {"type": "segment.list", "segments": []},
        "plan": {} if plan is None else {"type": "plan", "id": str(plan), "name": plan},
        "remote_created_at": fields.get("remote_created_at", company.created_at),
        "custom_attributes": dict(company.custom),
    }
    for name in ("size", "website", "industry"):
        if name in fields:
            shown[name] = fields[name]
    if company.last_request_at is not None:
        shown["last_request_at"] = company.last_request_at
    return shown


def new_visitor(visitor_id: str, *, app_id: str, now: int) -> JsonObject:
    """Return a visitor as the API shows it, without the ids, the e-mail and the name that the workspace gives it."""
    times: JsonObject = dict.fromkeys(("created_at", "remote_created_at", "signed_up_at", "updated_at"), now)
    unset: JsonObject = dict.fromkeys(
        ("phone", "pseudonym", "last_request_at", "owner_id", "referrer", "do_not_track", *_UTM_FIELDS)
    )
    flags = ("unsubscribed_from_emails", "marked_email_as_spam", "has_hard_bounced")
    return {
        "type": "visitor",
        "id": visitor_id,
        "anonymous": True,
        "app_id": app_id,
        "avatar": {"type": "avatar", "image_url": None},
        "companies": {"type": "company.list", "companies": []},
        "location_data": {},
        "session_count": 0,
        "social_profiles": {"type": "social_profile.list", "social_profiles": []},
        "tags": {"type": "tag.list", "tags": []},
        "segments": {"type": "segment.list", "segments": []},
        "custom_attributes": {},
        **times,
        **unset,
        **dict.fromkeys(flags, False),
    }


def view_tag(tag: Tag) -> JsonObject:
    """Return the tag as the API shows it."""
    return {"type": "tag", "id": tag.id, "name": tag.name}


def view_applied_tag(request: ApiRequest, tag_id: str, applied_at: int) -> JsonObject:
    """Return the tag with when it was put on a contact and by which admin."""
    shown = view_tag(request.state.tags[tag_id])
    shown["applied_at"] = applied_at
    shown["applied_by"] = {"type": "admin", "id": request.settings.admins[0].id}
    return shown


def make_cursor(position: int) -> str:
    """Return the text by which a client asks for the page that begins at *position*."""
    return base64.urlsafe_b64encode(f"[{position}]".encode()).decode()


def read_cursor(text: str) -> int:
    """Return the position that ``make_cursor`` wrote; raises ``ApiError`` for any other text."""
    try:
        position = base64.urlsafe_b64decode(text.encode()).decode().strip("[]")
        return abs(int(position))
    except (binascii.Error, ValueError) as error:
        raise malformed("starting_after is not a cursor", rule="bad_page", field="starting_after") from error


def numbered_page(
    items: Sequence[Item], show: Callable[[Item], JsonValue], *, page: int, per_page: int
) -> JsonObject:
    """Return page number *page* (from 1) of *items*."""
    begin = (page - 1) * per_page
    pages = -(-len(items) // per_page)
    return {
        "type": "list",
        "data": [show(item) for item in items[begin : begin + per_page]],
        "pages": {"type": "pages", "next": None, "page": page, "per_page": per_page, "total_pages": pages},
        "total_count": len(items),
    }
