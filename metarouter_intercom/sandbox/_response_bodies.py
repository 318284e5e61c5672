"""How contacts and companies look in answers. Pure; every call makes fresh values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from metarouter_intercom._types import JsonObject, JsonValue

from ._request import Call
from ._settings import WorkspaceSettings
from ._workspace_state import Company, Contact, State, Tag

Item = TypeVar("Item")

# A contact's answer names this many of its tags, notes and companies; the rest is behind the list's address.
_LISTED = 10

_NEVER_SET: JsonObject = {
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


def view_contact(call: Call, contact: Contact) -> JsonObject:
    """Return the contact as the API shows it; the owner's id is text only since 2.16."""
    shown: JsonObject = {
        "type": "contact",
        "id": contact.id,
        "workspace_id": call.settings.app_id,
        "external_id": contact.external_id,
        "role": contact.role,
        # The published schema has no null here, and a cleared e-mail reads back as an empty text.
        "email": contact.email or "",
        **_NEVER_SET,
        **contact.fields,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "custom_attributes": dict(contact.custom),
    }
    owner, avatar = shown["owner_id"], shown["avatar"]
    if isinstance(owner, str) and call.version < (2, 16):
        shown["owner_id"] = int(owner)
    if avatar is not None:
        shown["avatar"] = {"type": "avatar", "image_url": avatar}
    shown.pop("email_verified", None)
    shown["social_profiles"] = {"type": "list", "data": []}
    shown["location"] = {"type": "location", "country": None, "region": None, "city": None}
    _show_related(call.settings, contact, shown)
    return shown


def _show_related(settings: WorkspaceSettings, contact: Contact, shown: JsonObject) -> None:
    place = f"/contacts/{contact.id}"
    notes = [note.id for note in contact.notes]
    shown["tags"] = _references("tag", contact.tags, f"{place}/tags", "/tags")
    shown["notes"] = _references("note", notes, f"{place}/notes", "/notes")
    shown["companies"] = _references("company", contact.companies, f"{place}/companies", "/companies")
    for name, consent in (
        ("opted_out_subscription_types", "opt_out"),
        ("opted_in_subscription_types", "opt_in"),
    ):
        chosen = (
            [kind for kind, choice in contact.consents.items() if choice == consent]
            if contact.consents
            else []
        )
        shown[name] = _references("subscription", chosen, f"{place}/subscriptions", "/subscription_types")


def _references(kind: str, ids: Iterable[str], url: str, place: str) -> JsonObject:
    listed = list(ids)
    return {
        "type": "list",
        "data": [{"id": one, "type": kind, "url": f"{place}/{one}"} for one in listed[:_LISTED]],
        "url": url,
        "total_count": len(listed),
        "has_more": len(listed) > _LISTED,
    }


def view_company(call: Call, company: Company) -> JsonObject:
    """Return the company as the API shows it."""
    fields = company.fields
    plan = fields.get("plan")
    tags: list[JsonValue] = [view_tag(call.state.tags[tag_id]) for tag_id in company.tags]
    shown: JsonObject = {
        "type": "company",
        "id": company.id,
        "company_id": company.company_id,
        "app_id": call.settings.app_id,
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


def view_applied_tag(state: State, settings: WorkspaceSettings, tag_id: str, applied_at: int) -> JsonObject:
    """Return the tag with when and by whom it was put on a contact."""
    shown = view_tag(state.tags[tag_id])
    shown["applied_at"] = applied_at
    shown["applied_by"] = {"type": "admin", "id": settings.admins[0].id}
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
