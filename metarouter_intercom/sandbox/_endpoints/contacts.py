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
    check_string,
    check_text,
    nullable,
)
from .._workspace_state import Contact

# The fields that need nothing but their value to be checked.
_PLAIN_FIELDS: Mapping[str, Check] = {
    "name": nullable(check_string),
    "phone": nullable(check_string),
    "avatar": nullable(check_string),
    "signed_up_at": nullable(check_integer),
    "last_seen_at": nullable(check_integer),
    "unsubscribed_from_emails": nullable(check_boolean),
}
_SINCE: Mapping[str, Version] = {"email_verified": (2, 16), "language_override": PREVIEW}
_OTHER_FIELDS = frozenset({"role", "external_id", "email", "owner_id", "custom_attributes", *_SINCE})
_ROLES = ("user", "lead")


def create_contact(request: ApiRequest) -> JsonValue:
    """``POST /contacts``."""
    body = request.body
    role = _read_role(body) or "user"
    external_id = _read_external_id(body)
    email = _read_email(body)
    if role == "user" and external_id is None and not email:
        # Without a lead's role a contact needs an address or an id; `{"role": "user"}` alone is refused.
        text = "email or external_id must be present"
        raise malformed(text, rule="missing_field", code="parameter_not_found")
    fields = _read_fields(request, body)
    if role == "lead":
        if external_id is not None:
            request.record_violation("lead_external_id", "Intercom assigns the external id of a lead itself")
        external_id = request.state.new_uuid()
    else:
        _refuse_existing(request, external_id=external_id, email=email)
    custom: JsonObject = {}
    write_custom_attributes(request, "contact", custom)
    contact = Contact(
        id=request.state.new_id(),
        seq=request.state.next_seq(),
        role=role,
        external_id=external_id,
        email=email,
        created_at=request.timestamp,
        updated_at=request.timestamp,
        fields=fields,
        custom=custom,
    )
    request.state.add(contact)
    request.touch(contact)
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
    if external_id is None:
        external_id = contact.external_id
    email = _read_email(body) if "email" in body else contact.email
    is_same = (role, external_id, email) == (contact.role, contact.external_id, contact.email)
    if role == "user" and not is_same:
        _refuse_existing(request, external_id=external_id, email=email, updated=contact)
    write_custom_attributes(request, "contact", contact.custom)
    contact.role = role
    contact.external_id = external_id
    contact.email = email
    contact.fields.update(fields)
    contact.updated_at = request.timestamp
    request.state.index(contact)
    return view_contact(request, contact)


def show_contact(request: ApiRequest) -> JsonValue:
    """``GET /contacts/{id}``."""
    return view_contact(request, request.contact())


def find_by_external_id(request: ApiRequest) -> JsonValue:
    """``GET /contacts/find_by_external_id/{external_id}``: users only, but a merged lead points to its user."""
    external_id = request.ids[0]
    user = request.state.user_by_external_id(external_id)
    if user is not None and user.is_live:
        return view_contact(request, user)
    for contact in request.state.by_external_id(external_id):
        if contact.merged_into is not None:
            raise request.merged_error(contact)
    raise user_not_found()


# --- reading a body ---------------------------------------------------------------------------------------


def _read_fields(request: ApiRequest, body: JsonObject) -> JsonObject:
    fields: JsonObject = {}
    for name, value in body.items():
        check = _PLAIN_FIELDS.get(name)
        if check is not None:
            fields[name] = check(name, value)
        elif name not in _OTHER_FIELDS or request.version < _SINCE.get(name, (0, 0)):
            _handle_unknown(request, name)
    for name in ("signed_up_at", "last_seen_at"):
        request.record_time(name, fields.get(name))
    avatar = fields.get("avatar")
    if isinstance(avatar, str) and not avatar.startswith(("http://", "https://")):
        request.record_violation("not_a_url", "avatar must be the address of an image")
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
    if body.get("role") is None:
        return None
    role = check_string("role", body["role"])
    if role not in _ROLES:
        raise malformed("role must be user or lead", rule="unknown_role", field="role")
    return role


def _read_external_id(body: JsonObject) -> str | None:
    """Return the external id; null is ignored, as recordings show."""
    return None if body.get("external_id") is None else check_text("external_id", body["external_id"])


def _read_email(body: JsonObject) -> str | None:
    """Return the e-mail; null and an empty text are none, as recordings show."""
    if body.get("email") is None:
        return None
    email = check_string("email", body["email"])
    if email and ("@" not in email or email != email.strip()):
        raise malformed("email is not an e-mail address", rule="not_an_email", field="email")
    return email or None


# --- uniqueness -------------------------------------------------------------------------------------------


def _refuse_existing(
    request: ApiRequest,
    *,
    external_id: str | None,
    email: str | None,
    updated: Contact | None = None,
) -> None:
    """
    Raise when another user than *updated* has the external id or e-mail. Leads do not count.

    Archived and deleted users count for a new contact only: an update may take over their external id and e-mail. Two users may
    have the same e-mail when both have an external id and the external ids differ.
    """
    rivals = request.state.by_external_id(external_id) if external_id is not None else []
    for other in request.state.by_email(email) if email else []:
        ids_differ = external_id is not None and other.external_id is not None
        if not ids_differ or (updated is None and request.settings.unique_emails):
            rivals.append(other)
    rivals = [other for other in rivals if other.role == "user" and other is not updated]
    if updated is not None:
        rivals = [other for other in rivals if other.is_live]
    if rivals:
        # The live one is named, when there is one.
        rival = next((other for other in rivals if other.is_live), rivals[0])
        raise contact_exists(rival.id, archived=not rival.is_live)
