"""What becomes of a contact: archived, restored, deleted, blocked, merged, converted from a visitor."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused, contact_exists, malformed, resource_not_found, user_not_found
from .._request import Call
from .._response_bodies import view_contact
from .._validation import a_boolean, a_string, an_object, refuse_unknown, required
from .._workspace_state import Contact
from .contacts import remember_version

_MERGE_FIELDS = ("from", "into", "skip_duplicate_validation")
_VISITOR_FIELDS = ("id", "user_id", "name", "custom_attributes")


def archive(call: Call) -> JsonValue:
    """``POST /contacts/{id}/archive``."""
    contact = call.contact()
    contact.archived = True
    return _reference(contact, archived=True)


def unarchive(call: Call) -> JsonValue:
    """``POST /contacts/{id}/unarchive``: a permanently deleted contact never comes back."""
    contact = call.state.contacts.get(call.ids[0])
    if contact is None or contact.merged_into is not None:
        raise user_not_found()
    if contact.deleted:
        if call.settings.restore_deleted_status == 500:
            raise Refused(500, "server_error", "Server Error", rule="contact_deleted")
        text = "User has been marked for permanent deletion and is not restorable."
        raise Refused(400, "bad_request", text, rule="contact_deleted")
    contact.archived = False
    return _reference(contact, archived=False)


def delete(call: Call) -> JsonValue:
    """``DELETE /contacts/{id}``: for good; external id and e-mail of a user stay taken for ever."""
    contact = call.state.contacts.get(call.ids[0])
    if contact is None or contact.deleted:
        raise user_not_found()
    if contact.merged_into is not None:
        raise call.merged(contact)
    contact.deleted = True
    _leave_companies(call, contact)
    contact.events.clear()
    return _reference(contact, deleted=True)


def block(call: Call) -> JsonValue:
    """``POST /contacts/{id}/block``: blocked contacts are archived as well."""
    contact = call.contact()
    contact.blocked = contact.archived = True
    return _reference(contact, blocked=True)


def merge(call: Call) -> JsonValue:
    """``POST /contacts/merge``: a lead goes into a user and leaves only its id behind."""
    refuse_unknown(call.body, _MERGE_FIELDS)
    lead = _named(call, "from")
    user = _named(call, "into")
    if lead.role != "lead" or user.role != "user":
        text = "Only a lead can be merged, and only into a user"
        raise Refused(400, "invalid_merge", text, rule="invalid_merge", violation=True)
    skip = a_boolean("skip_duplicate_validation", call.body.get("skip_duplicate_validation", False))
    if call.version >= (2, 16) and not skip and not _are_duplicates(lead, user):
        text = (
            "Contacts can only be merged when they are duplicates (matching email or phone). "
            "Pass skip_duplicate_validation=true to override this check."
        )
        raise Refused(400, "invalid_merge", text, rule="not_duplicates")
    _fold(call, lead, user)
    remember_version(call, user)
    return view_contact(call, user)


def merge_history(call: Call) -> JsonValue:
    """``GET /contacts/{id}/merge_history``."""
    contact = call.contact()
    return {"type": "list", "data": list(contact.merges), "next_cursor": None, "has_more": False}


def _reference(contact: Contact, **more: JsonValue) -> JsonObject:
    return {"type": "contact", "id": contact.id, "external_id": contact.external_id, **more}


def _named(call: Call, field: str) -> Contact:
    found = call.state.contacts.get(a_string(field, required(call.body, field)))
    if found is None or not found.is_live:
        raise user_not_found()
    return found


def _are_duplicates(lead: Contact, user: Contact) -> bool:
    if lead.email and user.email and lead.email.lower() == user.email.lower():
        return True
    phone = lead.fields.get("phone")
    return phone is not None and phone == user.fields.get("phone")


def _fold(call: Call, lead: Contact, user: Contact) -> None:
    state = call.state
    state.unindex(lead)
    state.unindex(user)
    user.email = user.email or lead.email
    state.index(user)
    user.fields = {**lead.fields, **{name: value for name, value in user.fields.items() if value is not None}}
    user.custom = {**lead.custom, **user.custom}
    user.tags = {**lead.tags, **user.tags}
    user.consents = {**lead.consents, **user.consents}
    user.notes += lead.notes
    user.events += lead.events
    for company_id in list(lead.companies):
        state.attach(user, state.companies[company_id], call.second)
    _leave_companies(call, lead)
    lead.events, lead.notes = [], []
    lead.merged_into = user.id
    user.updated_at = call.second
    user.merges.append(
        {
            "type": "merge_history",
            "source_contact_id": lead.id,
            "source_contact_role": lead.role,
            "merged_at": call.second,
        }
    )


def _leave_companies(call: Call, contact: Contact) -> None:
    for company_id in list(contact.companies):
        call.state.detach(contact, call.state.companies[company_id])


# --- visitors ---------------------------------------------------------------------------------------------


def show_visitor(call: Call) -> JsonValue:
    """``GET /visitors?user_id=``."""
    return _visitor(call, {"user_id": call.query.get("user_id")})


def update_visitor(call: Call) -> JsonValue:
    """``PUT /visitors``."""
    refuse_unknown(call.body, _VISITOR_FIELDS)
    visitor = _visitor(call, call.body)
    for name in ("name", "custom_attributes"):
        if name in call.body:
            visitor[name] = call.body[name]
    call.state.visitors[str(visitor["id"])] = visitor
    return visitor


def convert_visitor(call: Call) -> JsonValue:
    """``POST /visitors/convert``: an anonymous visitor becomes a user or a lead, or a part of a known user."""
    refuse_unknown(call.body, ("type", "user", "visitor"))
    role = a_string("type", required(call.body, "type"))
    if role not in ("user", "lead"):
        raise malformed("type must be user or lead", rule="unknown_role", field="type")
    target = an_object("user", required(call.body, "user"))
    visitor = _visitor(call, an_object("visitor", required(call.body, "visitor")))
    contact = _known(call, target) or _from_visitor(call, role, target)
    del call.state.visitors[str(visitor["id"])]
    contact.updated_at = call.second
    return view_contact(call, contact)


def _visitor(call: Call, named: JsonObject) -> JsonObject:
    for visitor in call.state.visitors.values():
        for name in ("id", "user_id", "email"):
            if named.get(name) is not None and visitor.get(name) == named[name]:
                return dict(visitor)
    raise Refused(404, "not_found", "Visitor Not Found", rule="visitor_not_found")


def _known(call: Call, named: JsonObject) -> Contact | None:
    if isinstance(named.get("id"), str):
        found = call.state.contacts.get(str(named["id"]))
        if found is None or not found.is_live:
            raise resource_not_found("contact_not_found")
        return found
    if isinstance(named.get("user_id"), str):
        found = call.state.user_by_external_id(str(named["user_id"]))
        if found is not None and not found.is_live:
            raise contact_exists(found.id, archived=True)
        return found
    return next((one for one in call.state.by_email(str(named.get("email", ""))) if one.is_live), None)


def _from_visitor(call: Call, role: str, named: JsonObject) -> Contact:
    email, user_id = named.get("email"), named.get("user_id")
    contact = Contact(
        id=call.state.new_id(),
        seq=len(call.state.contacts) + 1,
        role=role,
        external_id=str(user_id) if role == "user" and user_id is not None else call.state.new_uuid(),
        email=None if email is None else a_string("email", email),
        created_at=call.second,
        updated_at=call.second,
    )
    call.state.add(contact)
    return contact
