"""The JSON of contacts, companies, tags and numbered pages in responses. Pure: each call returns new values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from metarouter_intercom._types import JsonObject, JsonValue

from ._request import ApiRequest
from ._settings import WorkspaceSettings
from ._workspace_state import Company, Contact, Tag

Item = TypeVar("Item")

# A contact lists this many of its tags, notes and companies; the list's URL leads to all of them.
_LISTED = 10

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
}


def view_contact(request: ApiRequest, contact: Contact) -> JsonObject:
    """Return the contact as the API shows it. The owner's id is text since 2.16, a number before."""
    shown: JsonObject = {
        "type": "contact",
        "id": contact.id,
        "workspace_id": request.settings.app_id,
        "external_id": contact.external_id,
        "role": contact.role,
        # The published schema does not allow null here, and Intercom shows a cleared e-mail as an empty text.
        "email": contact.email or "",
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
    shown["location"] = {"type": "location", "country": None, "region": None, "city": None}
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
        "custom_attributes": dict(company.custom),
    }
    for name in ("size", "website", "industry", "remote_created_at"):
        if name in fields:
            shown[name] = fields[name]
    if company.last_request_at is not None:
        shown["last_request_at"] = company.last_request_at
    return shown


def view_tag(tag: Tag) -> JsonObject:
    """Return the tag as the API shows it."""
    return {"type": "tag", "id": tag.id, "name": tag.name}


def view_applied_tag(request: ApiRequest, tag_id: str, applied_at: int) -> JsonObject:
    """Return the tag with when it was put on a contact and by which admin."""
    shown = view_tag(request.state.tags[tag_id])
    shown["applied_at"] = applied_at
    shown["applied_by"] = {"type": "admin", "id": request.settings.admins[0].id}
    return shown


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
