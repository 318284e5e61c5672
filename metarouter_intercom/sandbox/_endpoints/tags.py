"""Tags: making them, putting them on contacts and companies, taking them off."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused, company_not_found, malformed, resource_not_found, user_not_found
from .._request import Call
from .._response_bodies import view_applied_tag, view_tag
from .._validation import a_boolean, a_list, an_id, an_object, refuse_unknown, required
from .._workspace_state import Company, Contact, Tag


def list_tags(call: Call) -> JsonValue:
    """``GET /tags``."""
    return {"type": "list", "data": [view_tag(tag) for tag in call.state.tags.values()]}


def show_tag(call: Call) -> JsonValue:
    """``GET /tags/{id}``."""
    return view_tag(_tag(call, call.ids[0]))


def write_tag(call: Call) -> JsonValue:
    """
    ``POST /tags``: make or rename a tag, or put it on (off) many contacts or companies.

    Since 2.16 what is not there is left out and told in the answer; before, one missing entity refused the whole.
    """
    body = call.body
    name = body.get("name")
    if not isinstance(name, str) or not name.strip() or ("users" in body and "companies" in body):
        raise malformed("invalid tag parameters", rule="bad_tag")
    if "users" in body:
        return _tag_users(call, name)
    if "companies" in body:
        return _tag_companies(call, name)
    refuse_unknown(body, ("name", "id"))
    if body.get("id") is None:
        return view_tag(_named(call, name))
    tag = _tag(call, an_id("id", body["id"]))
    tag.name = name
    return view_tag(tag)


def _tag_users(call: Call, name: str) -> JsonValue:
    refuse_unknown(call.body, ("name", "users"))
    listed: list[tuple[str, Contact | None]] = []
    for entry in a_list("users", call.body["users"]):
        user = an_object("users", entry)
        refuse_unknown(user, ("id",))
        wanted = an_id("id", required(user, "id"))
        found = call.state.contacts.get(wanted)
        if found is not None and not found.is_live:
            found = None
        if found is None and call.version < (2, 16):
            raise user_not_found()
        listed.append((wanted, found))
    tag = _named(call, name)
    for _, contact in listed:
        if contact is not None:
            contact.tags.setdefault(tag.id, call.second)
    return _with_results(call, tag, "users", [(wanted, one is not None) for wanted, one in listed])


def _tag_companies(call: Call, name: str) -> JsonValue:
    refuse_unknown(call.body, ("name", "companies"))
    listed: list[tuple[str, Company | None, bool]] = []
    for entry in a_list("companies", call.body["companies"]):
        given = an_object("companies", entry)
        refuse_unknown(given, ("id", "company_id", "untag"))
        found: Company | None
        if given.get("id") is not None:
            wanted = an_id("id", given["id"])
            found = call.state.companies.get(wanted)
        else:
            wanted = an_id("company_id", required(given, "company_id"))
            found = call.state.company_by_own_id(wanted)
        if found is None and call.version < (2, 16):
            raise company_not_found()
        listed.append((wanted, found, a_boolean("untag", given.get("untag", False))))
    tag = _named(call, name)
    for _, company, untag in listed:
        if company is not None and untag:
            company.tags.pop(tag.id, None)
        elif company is not None:
            company.tags.setdefault(tag.id, call.second)
    results = [(wanted, one is not None and not untag) for wanted, one, untag in listed]
    return _with_results(call, tag, "companies", results)


def _with_results(call: Call, tag: Tag, kind: str, results: list[tuple[str, bool]]) -> JsonValue:
    shown = view_tag(tag)
    if call.version >= (2, 16):
        empty: JsonObject = {"users": [], "companies": []}
        shown.update(empty)
        shown[kind] = [{"id": wanted, "tagged": tagged} for wanted, tagged in results]
    return shown


def delete_tag(call: Call) -> JsonValue:
    """``DELETE /tags/{id}``: 200 without a body."""
    tag = _tag(call, call.ids[0])
    if tag.name in call.settings.in_use:
        text = f"Unable to delete Tag with dependent objects. Segments: {tag.name}."
        raise Refused(400, "tag_has_dependent_objects", text, rule="tag_in_use")
    del call.state.tags[tag.id]
    for contact in call.state.contacts.values():
        contact.tags.pop(tag.id, None)
    for company in call.state.companies.values():
        company.tags.pop(tag.id, None)
    return None


def list_contact_tags(call: Call) -> JsonValue:
    """``GET /contacts/{id}/tags``."""
    contact = call.contact()
    shown: list[JsonValue] = [
        view_applied_tag(call.state, call.settings, tag_id, at) for tag_id, at in contact.tags.items()
    ]
    return {"type": "list", "data": shown}


def tag_contact(call: Call) -> JsonValue:
    """``POST /contacts/{id}/tags``: by the tag's id; once more changes nothing."""
    contact = call.contact(method="write")
    refuse_unknown(call.body, ("id",))
    tag = _tag(call, an_id("id", required(call.body, "id")))
    applied_at = contact.tags.setdefault(tag.id, call.second)
    return view_applied_tag(call.state, call.settings, tag.id, applied_at)


def untag_contact(call: Call) -> JsonValue:
    """``DELETE /contacts/{id}/tags/{tag id}``."""
    contact = call.contact(method="write")
    tag = _tag(call, call.ids[1])
    applied_at = contact.tags.pop(tag.id, None)
    if applied_at is None:
        raise resource_not_found("tag_not_found")
    return view_applied_tag(call.state, call.settings, tag.id, applied_at)


def _tag(call: Call, tag_id: str) -> Tag:
    tag = call.state.tags.get(tag_id)
    if tag is None:
        raise resource_not_found("tag_not_found")
    return tag


def _named(call: Call, name: str) -> Tag:
    tag = call.state.tag_by_name(name)
    if tag is None:
        tag = Tag(id=str(call.state.new_number()), name=name)
        call.state.tags[tag.id] = tag
    return tag
