"""Making, reading and changing contacts: uniqueness, roles, fields."""

from __future__ import annotations

from collections.abc import Mapping

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused, bad_parameter, contact_exists, malformed, user_not_found
from .._request import PREVIEW, Call, Version
from .._response_bodies import view_contact
from .._validation import (
    Check,
    a_boolean,
    a_string,
    a_url,
    an_integer,
    an_object,
    or_null,
    seconds,
    some_text,
)
from .._workspace_state import Contact
from .attributes import write_custom

_STANDARD: Mapping[str, Check] = {
    "name": or_null(a_string),
    "phone": or_null(a_string),
    "avatar": or_null(a_url),
    "signed_up_at": or_null(seconds),
    "last_seen_at": or_null(seconds),
    "unsubscribed_from_emails": or_null(a_boolean),
}
_SINCE: Mapping[str, Version] = {"email_verified": (2, 16), "language_override": PREVIEW}
_READ_APART = frozenset({"role", "external_id", "email", "owner_id", "custom_attributes", *_SINCE})
_ROLES = ("user", "lead")
# What a user is told apart by: one of these must come with a new contact.
_ENOUGH_TO_CREATE = ("email", "external_id", "role")


def create_contact(call: Call) -> JsonValue:
    """``POST /contacts``."""
    body = call.body
    if not any(name in body for name in _ENOUGH_TO_CREATE):
        text = "email, external_id or role must be present"
        raise malformed(text, rule="missing_field", code="parameter_not_found")
    fields = _read_fields(call, body)
    role = _read_role(body) or "user"
    external_id = _read_external_id(body)
    email = _read_email(body)
    if role == "lead":
        if external_id is not None:
            call.violate("lead_external_id", "Intercom assigns the external id of a lead itself")
        external_id = call.state.new_uuid()
    else:
        _refuse_existing(call, external_id=external_id, email=email, creating=True)
    custom: JsonObject = {}
    _write_custom(call, custom, body)
    made = Contact(
        id=call.state.new_id(),
        seq=len(call.state.contacts) + 1,
        role=role,
        external_id=external_id,
        email=email,
        created_at=call.second,
        updated_at=call.second,
        fields=fields,
        custom=custom,
    )
    call.state.add(made)
    remember_version(call, made)
    return view_contact(call, made)


def update_contact(call: Call) -> JsonValue:
    """``PUT /contacts/{id}``: Intercom's id, never the caller's own."""
    contact = call.contact(method="write")
    body = call.body
    fields = _read_fields(call, body)
    role = _read_role(body) or contact.role
    if contact.role == "user" and role == "lead":
        text = "Contact with user role can't be converted to a lead"
        raise Refused(400, "client_error", text, rule="user_to_lead", violation=True)
    external_id = _read_external_id(body)
    if external_id is not None and role == "lead":
        call.violate("lead_external_id", "the external id of a lead cannot be changed")
        external_id = None
    email = _read_email(body) if "email" in body else contact.email
    if role == "user":
        _refuse_existing(
            call,
            external_id=contact.external_id if external_id is None else external_id,
            email=email,
            creating=False,
            this=contact,
        )
    _write_custom(call, contact.custom, body)
    call.state.unindex(contact)
    contact.role = role
    contact.external_id = contact.external_id if external_id is None else external_id
    contact.email = email
    contact.fields.update(fields)
    contact.updated_at = call.second
    call.state.index(contact)
    remember_version(call, contact)
    return view_contact(call, contact)


def show_contact(call: Call) -> JsonValue:
    """``GET /contacts/{id}``."""
    return view_contact(call, call.contact())


def find_by_external_id(call: Call) -> JsonValue:
    """``GET /contacts/find_by_external_id/{external_id}``: users only."""
    found = call.state.user_by_external_id(call.ids[0])
    if found is None or not found.is_live:
        raise user_not_found()
    return view_contact(call, found)


def remember_version(call: Call, contact: Contact) -> None:
    """Keep what a lagging search will find at this moment; nothing to do where searches do not lag."""
    if call.settings.search_lag <= 0:
        return
    seen: JsonObject = {
        **contact.fields,
        "role": contact.role,
        "external_id": contact.external_id,
        "email": contact.email,
        "custom": dict(contact.custom),
    }
    visible = [since for since, _ in contact.versions if since <= call.now - call.settings.search_lag]
    contact.versions = [old for old in contact.versions if not visible or old[0] >= visible[-1]]
    contact.versions.append((call.now, seen))


# --- reading a body ---------------------------------------------------------------------------------------


def _read_fields(call: Call, body: JsonObject) -> JsonObject:
    fields: JsonObject = {}
    for name, value in body.items():
        check = _STANDARD.get(name)
        if check is not None:
            fields[name] = check(name, value)
        elif name not in _READ_APART or call.version < _SINCE.get(name, (0, 0)):
            _meet_unknown(call, name)
    if fields.get("unsubscribed_from_emails", False) is None:
        fields["unsubscribed_from_emails"] = False
    if "owner_id" in body:
        fields["owner_id"] = _read_owner(call, body["owner_id"])
    if call.version >= _SINCE["email_verified"] and body.get("email_verified") is not None:
        if "email" not in body:
            text = "email_verified can only be set together with email"
            raise malformed(text, rule="email_verified_alone", field="email_verified")
        fields["email_verified"] = a_boolean("email_verified", body["email_verified"])
    if call.version >= PREVIEW and "language_override" in body:
        fields["language_override"] = or_null(a_string)("language_override", body["language_override"])
    return fields


def _meet_unknown(call: Call, name: str) -> None:
    if call.settings.unknown_fields == "refuse":
        raise bad_parameter(name)
    call.violate("unknown_field", name)


def _read_owner(call: Call, value: JsonValue) -> str | None:
    if value is None:
        return None
    owner = a_string("owner_id", value) if call.version >= (2, 16) else str(an_integer("owner_id", value))
    if all(admin.id != owner for admin in call.settings.admins):
        text = "The owner specified is not a member of the workspace"
        raise Refused(400, "parameter_invalid", text, rule="unknown_owner")
    return owner


def _read_role(body: JsonObject) -> str | None:
    if "role" not in body:
        return None
    role = a_string("role", body["role"])
    if role not in _ROLES:
        raise malformed("role must be user or lead", rule="unknown_role", field="role")
    return role


def _read_external_id(body: JsonObject) -> str | None:
    return some_text("external_id", body["external_id"]) if "external_id" in body else None


def _read_email(body: JsonObject) -> str | None:
    if "email" not in body:
        return None
    email = a_string("email", body["email"])
    if email and ("@" not in email or email != email.strip()):
        raise malformed("email is not an e-mail address", rule="not_an_email", field="email")
    return email


def _write_custom(call: Call, stored: JsonObject, body: JsonObject) -> None:
    given = body.get("custom_attributes")
    if given is not None:
        write_custom(call, "contact", stored, an_object("custom_attributes", given))


# --- uniqueness -------------------------------------------------------------------------------------------


def _refuse_existing(
    call: Call, *, external_id: str | None, email: str | None, creating: bool, this: Contact | None = None
) -> None:
    """
    Refuse a user that is there already; archived and deleted ones count, leads do not.

    Two users may share an e-mail as long as both have an external id and these differ.
    """
    if external_id is not None:
        same = call.state.user_by_external_id(external_id)
        if same is not None and same is not this:
            raise contact_exists(same.id, archived=not same.is_live)
    if not email:
        return
    for other in call.state.by_email(email):
        if other is this or other.role != "user":
            continue
        differ = external_id is not None and other.external_id is not None
        if not differ or (creating and call.settings.unique_emails):
            raise contact_exists(other.id, archived=not other.is_live)
