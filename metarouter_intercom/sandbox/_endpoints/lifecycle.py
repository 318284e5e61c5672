"""The endpoints that archive, restore, delete, block and merge contacts, and those of visitors. They know no search and no pages."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import ApiError, contact_exists, malformed, resource_not_found, user_not_found
from .._request import ApiRequest
from .._response_bodies import make_cursor, read_cursor, view_contact
from .._validation import check_boolean, check_list, check_object, check_string, read_query_number, require
from .._workspace_state import Contact

_MERGE_FIELDS = ("from", "into", "skip_duplicate_validation")
_VISITOR_FIELDS = ("id", "user_id", "name", "custom_attributes")
_WRONG_ROLES = "Merging can only be performed on a lead into a user"
_NOT_DUPLICATES = (
    "Contacts can only be merged when they are duplicates (matching email or phone). "
    "Pass skip_duplicate_validation=true to override this check."
)
_MERGES_PER_PAGE = 50
_MOST_MERGES_PER_PAGE = 150


def archive(request: ApiRequest) -> JsonValue:
    """``POST /contacts/{id}/archive``: a second time changes nothing."""
    contact = _known_contact(request)
    contact.archived = True
    return _reference(contact, archived=True)


def unarchive(request: ApiRequest) -> JsonValue:
    """``POST /contacts/{id}/unarchive``: a permanently deleted contact cannot be restored."""
    contact = request.state.contacts.get(request.ids[0])
    if contact is None or contact.merged_into is not None:
        raise user_not_found()
    if contact.deleted:
        if request.settings.restore_deleted_status == 500:
            raise ApiError(500, "server_error", "Server Error", rule="contact_deleted")
        text = "User has been marked for permanent deletion and is not restorable."
        raise ApiError(400, "bad_request", text, rule="contact_deleted")
    if contact.archived and contact.role == "user" and contact.external_id is not None:
        user = request.state.user_by_external_id(contact.external_id)
        if user is not None and user.is_live:
            # An update may have given the archived user's external id to another one; no source says what follows.
            request.record_violation(
                "restored_twin", f"user {user.id} has the external id {contact.external_id}"
            )
    contact.archived = False
    request.touch(contact)
    return _reference(contact, archived=False)


def delete(request: ApiRequest) -> JsonValue:
    """``DELETE /contacts/{id}``: permanent. For seven days no new user can have the same external id or e-mail."""
    contact = request.state.contacts.get(request.ids[0])
    if contact is None or contact.deleted:
        raise user_not_found()
    if contact.merged_into is not None:
        raise request.merged_error(contact)
    request.state.mark_deleted(contact, request.now)
    _leave_companies(request, contact)
    request.touch(contact)
    return _reference(contact, deleted=True)


def block(request: ApiRequest) -> JsonValue:
    """``POST /contacts/{id}/block``: also archives the contact."""
    contact = _known_contact(request)
    contact.blocked = contact.archived = True
    return _reference(contact, blocked=True)


def merge(request: ApiRequest) -> JsonValue:
    """``POST /contacts/merge``: merge a lead into a user. Only the lead's id remains known."""
    request.record_unknown(request.body, _MERGE_FIELDS)
    lead = _live_contact(request, "from")
    user = _live_contact(request, "into")
    if not _may_merge(lead, user):
        raise ApiError(400, "invalid_merge", _WRONG_ROLES, rule="invalid_merge", violation=True)
    if request.version >= (2, 16) and not _skips_duplicate_check(request) and not _are_duplicates(lead, user):
        raise ApiError(400, "invalid_merge", _NOT_DUPLICATES, rule="not_duplicates")
    _merge(request, lead, user)
    request.touch(lead)
    request.touch(user)
    return view_contact(request, user)


def preview_merge(request: ApiRequest) -> JsonValue:
    """
    ``POST /contacts/merge/preview``: whether a merge is allowed, and what it would change; it changes nothing.

    The documents show the codes of the reasons and the names of the counts. The names inside an attribute change are assumed.
    """
    request.record_unknown(request.body, (*_MERGE_FIELDS, "custom_attribute_names"))
    lead = _live_contact(request, "from")
    user = _live_contact(request, "into")
    reasons: list[JsonValue] = []
    if not _may_merge(lead, user):
        reasons.append({"code": "invalid_merge_role_pair", "message": _WRONG_ROLES})
    elif not _skips_duplicate_check(request) and not _are_duplicates(lead, user):
        reasons.append({"code": "no_shared_identifier", "message": _NOT_DUPLICATES})
    if reasons:
        return {"allowed": False, "reasons": reasons}
    counts: JsonObject = {name: {"from": 0, "into": 0} for name in ("conversations", "tickets")}
    counts["notes"] = {"from": len(lead.notes), "into": len(user.notes)}
    counts["tags"] = {"from": len(lead.tags), "into": len(user.tags)}
    changes = _attribute_changes(request, lead, user)
    return {"allowed": True, "summary": {"attribute_changes": changes, "reassignments": counts}}


def merge_history(request: ApiRequest) -> JsonValue:
    """``GET /contacts/{id}/merge_history``: the oldest merge first unless ``order=desc``, a page at a time."""
    contact = request.state.contacts.get(request.ids[0])
    if contact is None or not contact.is_live:
        raise ApiError(404, "not_found", "Contact not found", rule="contact_not_found")
    merges = list(contact.merges)
    if request.query.get("order") == "desc":
        merges.reverse()
    per_page = read_query_number(request.query, "per_page", _MERGES_PER_PAGE, most=_MOST_MERGES_PER_PAGE)
    begin = 0 if request.query.get("cursor") is None else read_cursor(request.query["cursor"])
    end = begin + per_page
    has_more = end < len(merges)
    shown: list[JsonValue] = [*merges[begin:end]]
    return {
        "type": "list",
        "data": shown,
        "next_cursor": make_cursor(end) if has_more else None,
        "has_more": has_more,
    }


def _reference(contact: Contact, **more: JsonValue) -> JsonObject:
    return {"type": "contact", "id": contact.id, "external_id": contact.external_id, **more}


def _known_contact(request: ApiRequest) -> Contact:
    """Return the contact that the path names, also an archived one."""
    contact = request.state.contacts.get(request.ids[0])
    if contact is None or not contact.archived or contact.deleted or contact.merged_into is not None:
        return request.contact()
    request.touch(contact)
    return contact


def _may_merge(lead: Contact, user: Contact) -> bool:
    return lead.role == "lead" and user.role == "user"


def _skips_duplicate_check(request: ApiRequest) -> bool:
    return check_boolean("skip_duplicate_validation", request.body.get("skip_duplicate_validation", False))


def _attribute_changes(request: ApiRequest, lead: Contact, user: Contact) -> list[JsonValue]:
    """Return what the merge adds to *user*; of the custom attributes only those that the request names."""
    names = check_list("custom_attribute_names", request.body.get("custom_attribute_names", []))
    added: JsonObject = {"email": lead.email} if lead.email and not user.email else {}
    for name, value in lead.fields.items():
        if value is not None and user.fields.get(name) is None:
            added[name] = value
    for name, value in lead.custom.items():
        if name in names and value is not None and user.custom.get(name) is None:
            added[f"custom_attributes.{name}"] = value
    return [{"name": name, "value": value} for name, value in added.items()]


def _live_contact(request: ApiRequest, field: str) -> Contact:
    contact = request.state.contacts.get(check_string(field, require(request.body, field)))
    if contact is None or not contact.is_live:
        raise user_not_found()
    return contact


def _are_duplicates(lead: Contact, user: Contact) -> bool:
    if lead.email and user.email and lead.email.lower() == user.email.lower():
        return True
    phone = lead.fields.get("phone")
    return phone is not None and phone == user.fields.get("phone")


def _merge(request: ApiRequest, lead: Contact, user: Contact) -> None:
    """Add to *user* what *lead* has; where both have a value, the user's stays."""
    state = request.state
    user.email = user.email or lead.email
    state.index(user)
    user.fields = {**lead.fields, **_without_null(user.fields)}
    user.custom = {**lead.custom, **_without_null(user.custom)}
    user.tags = {**lead.tags, **user.tags}
    user.consents = {**lead.consents, **user.consents}
    user.notes += lead.notes
    user.events += lead.events
    for company_id in list(lead.companies):
        state.attach(user, state.companies[company_id], request.timestamp)
    _leave_companies(request, lead)
    lead.events, lead.notes = [], []
    lead.merged_into = user.id
    user.updated_at = request.timestamp
    user.merges.append(
        {
            "type": "merge_history",
            "source_contact_id": lead.id,
            "source_contact_role": lead.role,
            "merged_at": request.timestamp,
        }
    )


def _without_null(values: JsonObject) -> JsonObject:
    return {name: value for name, value in values.items() if value is not None}


def _leave_companies(request: ApiRequest, contact: Contact) -> None:
    for company_id in list(contact.companies):
        request.state.detach(contact, request.state.companies[company_id])


# --- visitors ---------------------------------------------------------------------------------------------


def show_visitor(request: ApiRequest) -> JsonValue:
    """``GET /visitors?user_id=``."""
    return _visitor(request, {"user_id": request.query.get("user_id")})


def update_visitor(request: ApiRequest) -> JsonValue:
    """``PUT /visitors``."""
    request.record_unknown(request.body, _VISITOR_FIELDS)
    visitor = _visitor(request, request.body)
    for name in ("name", "custom_attributes"):
        if name in request.body:
            visitor[name] = request.body[name]
    request.state.visitors[str(visitor["id"])] = visitor
    return visitor


def convert_visitor(request: ApiRequest) -> JsonValue:
    """``POST /visitors/convert``: make a visitor a new user or lead, or merge it into a user that exists."""
    request.record_unknown(request.body, ("type", "user", "visitor"))
    role = check_string("type", require(request.body, "type"))
    if role not in ("user", "lead"):
        raise malformed("type must be user or lead", rule="unknown_role", field="type")
    target = check_object("user", require(request.body, "user"))
    visitor = _visitor(request, check_object("visitor", require(request.body, "visitor")))
    contact = _existing_contact(request, target) or _new_contact(request, role, target)
    del request.state.visitors[str(visitor["id"])]
    contact.updated_at = request.timestamp
    request.touch(contact)
    return view_contact(request, contact)


def _visitor(request: ApiRequest, ids: JsonObject) -> JsonObject:
    for visitor in request.state.visitors.values():
        for name in ("id", "user_id", "email"):
            if ids.get(name) is not None and visitor.get(name) == ids[name]:
                return dict(visitor)
    raise ApiError(404, "not_found", "Visitor Not Found", rule="visitor_not_found")


def _existing_contact(request: ApiRequest, user: JsonObject) -> Contact | None:
    if isinstance(user.get("id"), str):
        contact = request.state.contacts.get(str(user["id"]))
        if contact is None or not contact.is_live:
            raise resource_not_found("contact_not_found")
        return contact
    if isinstance(user.get("user_id"), str):
        contact = request.state.user_by_external_id(str(user["user_id"]))
        if contact is not None and not contact.is_live:
            raise contact_exists(contact.id, archived=True)
        return contact
    same_email = request.state.by_email(str(user.get("email", "")))
    return next((contact for contact in same_email if contact.is_live), None)


def _new_contact(request: ApiRequest, role: str, user: JsonObject) -> Contact:
    email, user_id = user.get("email"), user.get("user_id")
    contact = Contact(
        id=request.state.new_id(),
        seq=request.state.next_seq(),
        role=role,
        external_id=str(user_id) if role == "user" and user_id is not None else request.state.new_uuid(),
        email=None if email is None else check_string("email", email),
        created_at=request.timestamp,
        updated_at=request.timestamp,
    )
    request.state.add(contact)
    return contact
