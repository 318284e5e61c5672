"""What teammates see and do: notes, subscriptions, segments, admins, and who the token belongs to."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused, company_not_found, malformed, resource_not_found
from .._request import Call
from .._response_bodies import numbered_page
from .._settings import Admin, SubscriptionType
from .._validation import a_string, an_id, refuse_unknown, required, some_text, whole_number
from .._workspace_state import Note

_WORKSPACE_CREATED_AT = 1_734_537_243
_NOTES_PER_PAGE = 50


# --- admins -----------------------------------------------------------------------------------------------


def show_me(call: Call) -> JsonValue:
    """``GET /me``: the check of a token, with the workspace it opens."""
    settings = call.settings
    shown = _view_admin(settings.admins[0])
    shown["email_verified"] = True
    shown["avatar"] = {"type": "avatar", "image_url": None}
    shown["app"] = {
        "type": "app",
        "id_code": settings.app_id,
        "name": settings.name,
        "created_at": _WORKSPACE_CREATED_AT,
        "secure": False,
        "identity_verification": False,
        "timezone": settings.timezone,
        "region": settings.region,
    }
    return shown


def list_admins(call: Call) -> JsonValue:
    """``GET /admins``: who may own contacts."""
    return {"type": "admin.list", "admins": [_view_admin(admin) for admin in call.settings.admins]}


def show_admin(call: Call) -> JsonValue:
    """``GET /admins/{id}``."""
    for admin in call.settings.admins:
        if admin.id == call.ids[0]:
            return _view_admin(admin)
    raise Refused(404, "admin_not_found", "Admin not found", rule="admin_not_found")


def _view_admin(admin: Admin) -> JsonObject:
    return {
        "type": "admin",
        "id": admin.id,
        "name": admin.name,
        "email": admin.email,
        "away_mode_enabled": False,
        "away_mode_reassign": False,
        "has_inbox_seat": True,
        "team_ids": [],
    }


# --- notes ------------------------------------------------------------------------------------------------


def add_contact_note(call: Call) -> JsonValue:
    """``POST /contacts/{id}/notes``."""
    contact = call.contact(method="write")
    return _view_note(call, _add_note(call, contact.notes), "contact", contact.id)


def list_contact_notes(call: Call) -> JsonValue:
    """``GET /contacts/{id}/notes``: the latest first."""
    contact = call.contact()
    return _list_notes(call, contact.notes, "contact", contact.id)


def add_company_note(call: Call) -> JsonValue:
    """``POST /companies/{id}/notes``."""
    company = call.company(call.ids[0])
    if company is None:
        raise company_not_found()
    return _view_note(call, _add_note(call, company.notes), "company", company.id)


def list_company_notes(call: Call) -> JsonValue:
    """``GET /companies/{id}/notes``: the latest first."""
    company = call.company(call.ids[0])
    if company is None:
        raise company_not_found()
    return _list_notes(call, company.notes, "company", company.id)


def _add_note(call: Call, notes: list[Note]) -> Note:
    refuse_unknown(call.body, ("body", "admin_id", "contact_id"))
    text = some_text("body", required(call.body, "body"))
    admin_id = None
    if call.body.get("admin_id") is not None:
        admin_id = an_id("admin_id", call.body["admin_id"])
        if all(admin.id != admin_id for admin in call.settings.admins):
            raise resource_not_found("admin_not_found")
    note = Note(id=str(call.state.new_number()), body=text, created_at=call.second, admin_id=admin_id)
    notes.append(note)
    return note


def _list_notes(call: Call, notes: list[Note], kind: str, owner: str) -> JsonValue:
    return numbered_page(
        notes[::-1],
        lambda note: _view_note(call, note, kind, owner),
        page=whole_number(call.query, "page", 1, most=10**9),
        per_page=whole_number(call.query, "per_page", _NOTES_PER_PAGE, most=150),
    )


def _view_note(call: Call, note: Note, kind: str, owner: str) -> JsonObject:
    author = next((admin for admin in call.settings.admins if admin.id == note.admin_id), None)
    return {
        "type": "note",
        "id": note.id,
        "created_at": note.created_at,
        kind: {"type": kind, "id": owner},
        "author": None if author is None else _view_admin(author),
        "body": f"<p>{note.body}</p>",
    }


# --- subscriptions ----------------------------------------------------------------------------------------


def list_subscription_types(call: Call) -> JsonValue:
    """``GET /subscription_types``."""
    return {"type": "list", "data": [_view_subscription(kind) for kind in call.settings.subscription_types]}


def list_subscriptions(call: Call) -> JsonValue:
    """``GET /contacts/{id}/subscriptions``: the contact's explicit choices only."""
    contact = call.contact()
    kinds = [kind for kind in call.settings.subscription_types if kind.id in contact.consents]
    return {"type": "list", "data": [_view_subscription(kind) for kind in kinds]}


def set_subscription(call: Call) -> JsonValue:
    """``POST /contacts/{id}/subscriptions``: opt in or out of one kind of messages."""
    contact = call.contact(method="write")
    refuse_unknown(call.body, ("id", "consent_type"))
    kind = _subscription(call, an_id("id", required(call.body, "id")))
    consent = a_string("consent_type", required(call.body, "consent_type"))
    if consent not in ("opt_in", "opt_out"):
        raise malformed("consent_type must be opt_in or opt_out", rule="bad_consent", field="consent_type")
    contact.consents[kind.id] = consent
    return _view_subscription(kind)


def remove_subscription(call: Call) -> JsonValue:
    """``DELETE /contacts/{id}/subscriptions/{type id}``: forget the contact's choice."""
    contact = call.contact(method="write")
    kind = _subscription(call, call.ids[1])
    contact.consents.pop(kind.id, None)
    return _view_subscription(kind)


def _subscription(call: Call, wanted: str) -> SubscriptionType:
    for kind in call.settings.subscription_types:
        if kind.id == wanted:
            return kind
    raise resource_not_found("subscription_not_found")


def _view_subscription(kind: SubscriptionType) -> JsonObject:
    words: JsonObject = {"name": kind.name, "description": kind.name, "locale": "en"}
    return {
        "type": "subscription",
        "id": kind.id,
        "state": "live",
        "consent_type": kind.consent_type,
        "default_translation": words,
        "translations": [dict(words)],
        "content_types": ["sms_message" if kind.consent_type == "opt_in" else "email"],
    }


# --- segments ---------------------------------------------------------------------------------------------


def list_contact_segments(call: Call) -> JsonValue:
    """``GET /contacts/{id}/segments``: the sandbox has none."""
    call.contact()
    return {"type": "list", "data": []}


def list_company_segments(call: Call) -> JsonValue:
    """``GET /companies/{id}/segments``: the sandbox has none."""
    if call.company(call.ids[0]) is None:
        raise company_not_found()
    return {"type": "list", "data": []}
