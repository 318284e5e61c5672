"""The endpoints of tags: making and deleting them, putting them on contacts and companies and taking them off."""

from __future__ import annotations

from collections.abc import Sequence

from metarouter_intercom._types import JsonValue

from .._errors import ApiError, company_not_found, malformed, resource_not_found, user_not_found
from .._request import ApiRequest
from .._response_bodies import view_applied_tag, view_tag
from .._validation import check_boolean, check_id, check_list, check_object, refuse_unknown, require
from .._workspace_state import Company, Contact, Tag


def list_tags(request: ApiRequest) -> JsonValue:
    """``GET /tags``."""
    return {"type": "list", "data": [view_tag(tag) for tag in request.state.tags.values()]}


def show_tag(request: ApiRequest) -> JsonValue:
    """``GET /tags/{id}``."""
    return view_tag(_tag(request, request.ids[0]))


def write_tag(request: ApiRequest) -> JsonValue:
    """
    ``POST /tags``: make or rename a tag, or put it on many contacts or companies, or take it off companies.

    Since 2.16 the response lists the contacts or companies that do not exist; before, one missing one refused the request.
    """
    body = request.body
    name = body.get("name")
    if not isinstance(name, str) or not name.strip() or ("users" in body and "companies" in body):
        raise malformed("invalid tag parameters", rule="bad_tag", assumed=False)
    if "users" in body:
        return _tag_users(request, name)
    if "companies" in body:
        return _tag_companies(request, name)
    request.record_unknown(body, ("name", "id"))
    if body.get("id") is None:
        return view_tag(_tag_by_name(request, name))
    tag = _tag(request, check_id("id", body["id"]))
    tag.name = name
    return view_tag(tag)


def _tag_users(request: ApiRequest, name: str) -> JsonValue:
    request.record_unknown(request.body, ("name", "users"))
    contacts: list[tuple[str, Contact | None]] = []
    for entry in check_list("users", request.body["users"]):
        user = check_object("users", entry)
        request.record_unknown(user, ("id",))
        contact_id = check_id("id", require(user, "id"))
        contact = request.state.contacts.get(contact_id)
        if contact is not None and not contact.is_live:
            contact = None
        if contact is None and request.version < (2, 16):
            raise user_not_found()
        contacts.append((contact_id, contact))
    tag = _tag_by_name(request, name)
    for _, contact in contacts:
        if contact is not None:
            contact.tags.setdefault(tag.id, request.timestamp)
            request.touch(contact)
    results = [(contact_id, contact is not None) for contact_id, contact in contacts]
    return _view_results(request, tag, users=results)


def _tag_companies(request: ApiRequest, name: str) -> JsonValue:
    request.record_unknown(request.body, ("name", "companies"))
    companies: list[tuple[str, Company | None, bool]] = []
    for entry in check_list("companies", request.body["companies"]):
        fields = check_object("companies", entry)
        request.record_unknown(fields, ("id", "company_id", "untag"))
        company: Company | None
        if fields.get("id") is not None:
            company_id = check_id("id", fields["id"])
            company = request.state.companies.get(company_id)
        else:
            company_id = check_id("company_id", require(fields, "company_id"))
            company = request.state.company_by_own_id(company_id)
        if company is None and request.version < (2, 16):
            raise company_not_found()
        companies.append((company_id, company, check_boolean("untag", fields.get("untag", False))))
    tag = _tag_by_name(request, name)
    for _, company, untag in companies:
        if company is not None and untag:
            company.tags.pop(tag.id, None)
        elif company is not None:
            company.tags.setdefault(tag.id, request.timestamp)
    results = [(company_id, company is not None and not untag) for company_id, company, untag in companies]
    return _view_results(request, tag, companies=results)


def _view_results(
    request: ApiRequest,
    tag: Tag,
    *,
    users: Sequence[tuple[str, bool]] = (),
    companies: Sequence[tuple[str, bool]] = (),
) -> JsonValue:
    """Return the tag and, since 2.16, which of the contacts and companies in the request have it now."""
    shown = view_tag(tag)
    if request.version >= (2, 16):
        for kind, results in (("users", users), ("companies", companies)):
            shown[kind] = [{"id": record_id, "tagged": tagged} for record_id, tagged in results]
    return shown


def delete_tag(request: ApiRequest) -> JsonValue:
    """``DELETE /tags/{id}``: answers 200 without a body."""
    tag = _tag(request, request.ids[0])
    if tag.name in request.settings.in_use:
        text = f"Unable to delete Tag with dependent objects. Segments: {tag.name}."
        raise ApiError(400, "tag_has_dependent_objects", text, rule="tag_in_use")
    del request.state.tags[tag.id]
    for contact in request.state.contacts.values():
        if contact.tags.pop(tag.id, None) is not None:
            request.touch(contact)
    for company in request.state.companies.values():
        company.tags.pop(tag.id, None)
    return None


def list_contact_tags(request: ApiRequest) -> JsonValue:
    """``GET /contacts/{id}/tags``."""
    contact = request.contact()
    shown: list[JsonValue] = [
        view_applied_tag(request, tag_id, applied_at) for tag_id, applied_at in contact.tags.items()
    ]
    return {"type": "list", "data": shown}


def tag_contact(request: ApiRequest) -> JsonValue:
    """``POST /contacts/{id}/tags``: by the tag's id; a second time changes nothing."""
    contact = request.contact(method="write")
    refuse_unknown(request.body, ("id",))
    tag = _tag(request, check_id("id", require(request.body, "id")))
    applied_at = contact.tags.setdefault(tag.id, request.timestamp)
    return view_applied_tag(request, tag.id, applied_at)


def untag_contact(request: ApiRequest) -> JsonValue:
    """``DELETE /contacts/{id}/tags/{tag id}``."""
    contact = request.contact(method="write")
    tag = _tag(request, request.ids[1])
    applied_at = contact.tags.pop(tag.id, None)
    if applied_at is None:
        raise resource_not_found("tag_not_found")
    return view_applied_tag(request, tag.id, applied_at)


def _tag(request: ApiRequest, tag_id: str) -> Tag:
    tag = request.state.tags.get(tag_id)
    if tag is None:
        raise resource_not_found("tag_not_found")
    return tag


def _tag_by_name(request: ApiRequest, name: str) -> Tag:
    """Return the tag with that name; make it when there is none."""
    tag = request.state.tag_by_name(name)
    if tag is None:
        tag = Tag(id=str(request.state.new_number()), name=name)
        request.state.tags[tag.id] = tag
    return tag
