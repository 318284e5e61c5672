"""The endpoints that make, read and change contacts: uniqueness, roles, fields. They know no companies, tags or events."""

from __future__ import annotations

from collections.abc import Mapping

from metarouter_intercom._types import JsonObject, JsonValue

from .._custom_attributes import write_custom_attributes
from .._errors import ApiError, bad_parameter, contact_exists, malformed, user_not_found
from .._request import PREVIEW, ApiRequest, Version
from .._response_bodies import view_contact
from .._validation import (
    Check,
    check_boolean,
    check_integer,
    check_seconds,
    check_string,
    check_text,
    check_url,
    nullable,
)
from .._workspace_state import Contact

# The fields that need nothing but their value to be checked.
_PLAIN_FIELDS: Mapping[str, Check] = {
    "name": nullable(check_string),
    "phone": nullable(check_string),
    "avatar": nullable(check_url),
    "signed_up_at": nullable(check_seconds),
    "last_seen_at": nullable(check_seconds),
    "unsubscribed_from_emails": nullable(check_boolean),
}
_SINCE: Mapping[str, Version] = {"email_verified": (2, 16), "language_override": PREVIEW}
_OTHER_FIELDS = frozenset({"role", "external_id", "email", "owner_id", "custom_attributes", *_SINCE})
_ROLES = ("user", "lead")
# A new contact needs at least one of these.
_IDENTIFYING_FIELDS = ("email", "external_id", "role")


def create_contact(request: ApiRequest) -> JsonValue:
    """``POST /contacts``."""
    body = request.body
    if not any(name in body for name in _IDENTIFYING_FIELDS):
        text = "email, external_id or role must be present"
        raise malformed(text, rule="missing_field", code="parameter_not_found")
    fields = _read_fields(request, body)
    role = _read_role(body) or "user"
    external_id = _read_external_id(body)
    email = _read_email(body)
    if role == "lead":
        if external_id is not None:
            request.record_violation("lead_external_id", "Intercom assigns the external id of a lead itself")
        external_id = request.state.new_uuid()
    else:
        _refuse_existing(request, external_id=external_id, email=email, creating=True)
    custom: JsonObject = {}
    write_custom_attributes(request, "contact", custom)
    contact = Contact(
        id=request.state.new_id(),
        seq=len(request.state.contacts) + 1,
        role=role,
        external_id=external_id,
        email=email,
        created_at=request.timestamp,
        updated_at=request.timestamp,
        fields=fields,
        custom=custom,
    )
    request.state.add(contact)
    remember_version(request, contact)
    return view_contact(request, contact)


def update_contact(request: ApiRequest) -> JsonValue:
    """``PUT /contacts/{id}``: by Intercom's id, never by the external id."""
    contact = request.contact(method="write")
    body = request.body
    fields = _read_fields(request, body)
    role = _read_role(body) or contact.role
    if contact.role == "user" and role == "lead":
        text = "Contact with user role can't be converted to a lead"
        raise ApiError(400, "client_error", text, rule="user_to_lead", violation=True)
    external_id = _read_external_id(body)
    if external_id is not None and role == "lead":
        request.record_violation("lead_external_id", "the external id of a lead cannot be changed")
        external_id = None
    email = _read_email(body) if "email" in body else contact.email
    if role == "user":
        _refuse_existing(
            request,
            external_id=contact.external_id if external_id is None else external_id,
            email=email,
            creating=False,
            updated=contact,
        )
    write_custom_attributes(request, "contact", contact.custom)
    request.state.unindex(contact)
    contact.role = role
    contact.external_id = contact.external_id if external_id is None else external_id
    contact.email = email
    contact.fields.update(fields)
    contact.updated_at = request.timestamp
    request.state.index(contact)
    remember_version(request, contact)
    return view_contact(request, contact)


def show_contact(request: ApiRequest) -> JsonValue:
    """``GET /contacts/{id}``."""
    return view_contact(request, request.contact())


def find_by_external_id(request: ApiRequest) -> JsonValue:
    """``GET /contacts/find_by_external_id/{external_id}``: users only."""
    user = request.state.user_by_external_id(request.ids[0])
    if user is None or not user.is_live:
        raise user_not_found()
    return view_contact(request, user)


def remember_version(request: ApiRequest, contact: Contact) -> None:
    """Store what a delayed search will see of the contact as it is now; does nothing when searches are not delayed."""
    if request.settings.search_lag <= 0:
        return
    fields: JsonObject = {
        **contact.fields,
        "role": contact.role,
        "external_id": contact.external_id,
        "email": contact.email,
        "custom": dict(contact.custom),
    }
    visible = [since for since, _ in contact.versions if since <= request.now - request.settings.search_lag]
    contact.versions = [version for version in contact.versions if not visible or version[0] >= visible[-1]]
    contact.versions.append((request.now, fields))


# --- reading a body ---------------------------------------------------------------------------------------


def _read_fields(request: ApiRequest, body: JsonObject) -> JsonObject:
    fields: JsonObject = {}
    for name, value in body.items():
        check = _PLAIN_FIELDS.get(name)
        if check is not None:
            fields[name] = check(name, value)
        elif name not in _OTHER_FIELDS or request.version < _SINCE.get(name, (0, 0)):
            _handle_unknown(request, name)
    if fields.get("unsubscribed_from_emails", False) is None:
        fields["unsubscribed_from_emails"] = False
    if "owner_id" in body:
        fields["owner_id"] = _read_owner(request, body["owner_id"])
    if request.version >= _SINCE["email_verified"] and body.get("email_verified") is not None:
        if "email" not in body:
            text = "email_verified can only be set together with email"
            raise malformed(text, rule="email_verified_alone", field="email_verified")
        fields["email_verified"] = check_boolean("email_verified", body["email_verified"])
    if request.version >= PREVIEW and "language_override" in body:
        fields["language_override"] = nullable(check_string)("language_override", body["language_override"])
    return fields


def _handle_unknown(request: ApiRequest, name: str) -> None:
    if request.settings.unknown_fields == "refuse":
        raise bad_parameter(name)
    request.record_violation("unknown_field", name)


def _read_owner(request: ApiRequest, value: JsonValue) -> str | None:
    if value is None:
        return None
    owner = (
        check_string("owner_id", value)
        if request.version >= (2, 16)
        else str(check_integer("owner_id", value))
    )
    if all(admin.id != owner for admin in request.settings.admins):
        text = "The owner specified is not a member of the workspace"
        raise ApiError(400, "parameter_invalid", text, rule="unknown_owner")
    return owner


def _read_role(body: JsonObject) -> str | None:
    if "role" not in body:
        return None
    role = check_string("role", body["role"])
    if role not in _ROLES:
        raise malformed("role must be user or lead", rule="unknown_role", field="role")
    return role


def _read_external_id(body: JsonObject) -> str | None:
    return check_text("external_id", body["external_id"]) if "external_id" in body else None


def _read_email(body: JsonObject) -> str | None:
    if "email" not in body:
        return None
    email = check_string("email", body["email"])
    if email and ("@" not in email or email != email.strip()):
        raise malformed("email is not an e-mail address", rule="not_an_email", field="email")
    return email


# --- uniqueness -------------------------------------------------------------------------------------------


def _refuse_existing(
    request: ApiRequest,
    *,
    external_id: str | None,
    email: str | None,
    creating: bool,
    updated: Contact | None = None,
) -> None:
    """
    Raise when another user than *updated* has the external id or e-mail. Archived and deleted users count, leads do not.

    Two users may have the same e-mail when both have an external id and the external ids differ.
    """
    if external_id is not None:
        user = request.state.user_by_external_id(external_id)
        if user is not None and user is not updated:
            raise contact_exists(user.id, archived=not user.is_live)
    if not email:
        return
    for other in request.state.by_email(email):
        if other is updated or other.role != "user":
            continue
        ids_differ = external_id is not None and other.external_id is not None
        if not ids_differ or (creating and request.settings.unique_emails):
            raise contact_exists(other.id, archived=not other.is_live)
