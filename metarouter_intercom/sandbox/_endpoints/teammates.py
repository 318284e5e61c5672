"""The endpoints of what teammates work with: admins, the token's owner, notes, subscriptions, segments."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import ApiError, company_not_found, malformed, resource_not_found
from .._request import ApiRequest
from .._response_bodies import numbered_page
from .._settings import Admin, SubscriptionType
from .._validation import check_id, check_string, check_text, read_query_number, refuse_unknown, require
from .._workspace_state import Company, Contact, Note

_WORKSPACE_CREATED_AT = 1_734_537_243
_NOTES_PER_PAGE = 50


# --- admins -----------------------------------------------------------------------------------------------


def show_me(request: ApiRequest) -> JsonValue:
    """``GET /me``: the admin that the token belongs to, and the workspace."""
    settings = request.settings
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


def list_admins(request: ApiRequest) -> JsonValue:
    """``GET /admins``."""
    return {"type": "admin.list", "admins": [_view_admin(admin) for admin in request.settings.admins]}


def show_admin(request: ApiRequest) -> JsonValue:
    """``GET /admins/{id}``."""
    for admin in request.settings.admins:
        if admin.id == request.ids[0]:
            return _view_admin(admin)
    raise ApiError(404, "admin_not_found", "Admin not found", rule="admin_not_found")


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


def add_contact_note(request: ApiRequest) -> JsonValue:
    """``POST /contacts/{id}/notes``."""
    contact = request.contact(method="write")
    return _view_note(request, _add_note(request, contact.notes), contact)


def list_contact_notes(request: ApiRequest) -> JsonValue:
    """``GET /contacts/{id}/notes``: the newest first."""
    return _list_notes(request, request.contact())


def add_company_note(request: ApiRequest) -> JsonValue:
    """``POST /companies/{id}/notes``."""
    company = request.company(request.ids[0])
    if company is None:
        raise company_not_found()
    return _view_note(request, _add_note(request, company.notes), company)


def list_company_notes(request: ApiRequest) -> JsonValue:
    """``GET /companies/{id}/notes``: the newest first."""
    company = request.company(request.ids[0])
    if company is None:
        raise company_not_found()
    return _list_notes(request, company)


def show_note(request: ApiRequest) -> JsonValue:
    """``GET /notes/{id}``: a note on a contact or a company."""
    owners: list[Contact | Company] = [*request.state.contacts.values(), *request.state.companies.values()]
    for owner in owners:
        for note in owner.notes:
            if note.id == request.ids[0]:
                return _view_note(request, note, owner)
    raise resource_not_found("note_not_found")


def _add_note(request: ApiRequest, notes: list[Note]) -> Note:
    request.record_unknown(request.body, ("body", "admin_id", "contact_id"))
    text = check_text("body", require(request.body, "body"))
    admin_id = None
    if request.body.get("admin_id") is not None:
        admin_id = check_id("admin_id", request.body["admin_id"])
        if all(admin.id != admin_id for admin in request.settings.admins):
            raise resource_not_found("admin_not_found")
    note = Note(
        id=str(request.state.new_number()), body=text, created_at=request.timestamp, admin_id=admin_id
    )
    notes.append(note)
    return note


def _list_notes(request: ApiRequest, owner: Contact | Company) -> JsonValue:
    return numbered_page(
        owner.notes[::-1],
        lambda note: _view_note(request, note, owner),
        page=read_query_number(request.query, "page", 1, most=10**9),
        per_page=read_query_number(request.query, "per_page", _NOTES_PER_PAGE, most=150),
    )


def _view_note(request: ApiRequest, note: Note, owner: Contact | Company) -> JsonObject:
    kind = "contact" if isinstance(owner, Contact) else "company"
    author = next((admin for admin in request.settings.admins if admin.id == note.admin_id), None)
    return {
        "type": "note",
        "id": note.id,
        "created_at": note.created_at,
        kind: {"type": kind, "id": owner.id},
        "author": None if author is None else _view_admin(author),
        "body": f"<p>{note.body}</p>",
    }


# --- subscriptions ----------------------------------------------------------------------------------------


def list_subscription_types(request: ApiRequest) -> JsonValue:
    """``GET /subscription_types``."""
    return {
        "type": "list",
        "data": [_view_subscription(kind) for kind in request.settings.subscription_types],
    }


def list_subscriptions(request: ApiRequest) -> JsonValue:
    """``GET /contacts/{id}/subscriptions``: only what the contact chose."""
    contact = request.contact()
    kinds = [kind for kind in request.settings.subscription_types if kind.id in contact.consents]
    return {"type": "list", "data": [_view_subscription(kind) for kind in kinds]}


def set_subscription(request: ApiRequest) -> JsonValue:
    """``POST /contacts/{id}/subscriptions``: opt in to or out of one subscription type."""
    contact = request.contact(method="write")
    refuse_unknown(request.body, ("id", "consent_type"))
    kind = _subscription(request, check_id("id", require(request.body, "id")))
    consent = check_string("consent_type", require(request.body, "consent_type"))
    if consent not in ("opt_in", "opt_out"):
        raise malformed("consent_type must be opt_in or opt_out", rule="bad_consent", field="consent_type")
    if consent != kind.consent_type:
        # Intercom does not document what it answers then, so the choice is stored, and the request is reported.
        request.record_violation(
            "foreign_consent_type", f"the type asks for {kind.consent_type}, not {consent}"
        )
    contact.consents[kind.id] = consent
    return _view_subscription(kind)


def remove_subscription(request: ApiRequest) -> JsonValue:
    """``DELETE /contacts/{id}/subscriptions/{type id}``: remove the contact's choice."""
    contact = request.contact(method="write")
    kind = _subscription(request, request.ids[1])
    contact.consents.pop(kind.id, None)
    return _view_subscription(kind)


def _subscription(request: ApiRequest, type_id: str) -> SubscriptionType:
    for kind in request.settings.subscription_types:
        if kind.id == type_id:
            return kind
    raise resource_not_found("subscription_not_found")


def _view_subscription(kind: SubscriptionType) -> JsonObject:
    names = {"en": kind.name, **kind.translations}
    translations: list[JsonValue] = [
        {"name": name, "description": name, "locale": locale} for locale, name in names.items()
    ]
    return {
        "type": "subscription",
        "id": kind.id,
        "state": kind.state,
        "consent_type": kind.consent_type,
        "default_translation": translations[0],
        "translations": translations,
        "content_types": ["sms_message" if kind.consent_type == "opt_in" else "email"],
    }


# --- segments ---------------------------------------------------------------------------------------------


def list_contact_segments(request: ApiRequest) -> JsonValue:
    """``GET /contacts/{id}/segments``: always empty, because the sandbox has no segments."""
    request.contact()
    return {"type": "list", "data": []}


def list_company_segments(request: ApiRequest) -> JsonValue:
    """``GET /companies/{id}/segments``: always empty, because the sandbox has no segments."""
    if request.company(request.ids[0]) is None:
        raise company_not_found()
    return {"type": "list", "data": []}
