"""The endpoints of bulk jobs, in API version Preview only: a job reports one state and no result of a single item."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import ApiError
from .._request import ApiRequest
from .._validation import check_id, check_object, require
from .companies import delete_company, update_company, upsert_company
from .contacts import create_contact, update_contact
from .lifecycle import delete

_MOST_ITEMS = 100
_CREATE_FIELDS = frozenset(
    {
        "external_id",
        "email",
        "name",
        "role",
        "phone",
        "avatar",
        "language_override",
        "custom_attributes",
        "signed_up_at",
        "last_seen_at",
        "owner_id",
        "unsubscribed_from_emails",
    }
)
_UPDATE_FIELDS = _CREATE_FIELDS - {"signed_up_at", "last_seen_at", "role"}

Endpoint = Callable[[ApiRequest], JsonValue]
WriteItem = Callable[[ApiRequest, JsonObject], object]


def create_contacts(request: ApiRequest) -> JsonValue:
    """``POST /contacts/bulk``: create contacts; one that exists already fails."""
    return _run(request, "contacts", _create_contact, identified=False)


def update_contacts(request: ApiRequest) -> JsonValue:
    """``PUT /contacts/bulk``: by Intercom's id."""
    return _run(request, "contacts", _update_contact, identified=True)


def delete_contacts(request: ApiRequest) -> JsonValue:
    """``POST /contacts/bulk/delete``."""
    return _run(request, "contacts", _delete_contact, identified=True)


def upsert_companies(request: ApiRequest) -> JsonValue:
    """``POST /companies/bulk``: by ``company_id``."""
    return _run(request, "companies", _upsert_company, identified=False)


def update_companies(request: ApiRequest) -> JsonValue:
    """``PUT /companies/bulk``: by Intercom's id."""
    return _run(request, "companies", _update_company, identified=True)


def delete_companies(request: ApiRequest) -> JsonValue:
    """``POST /companies/bulk/delete``."""
    return _run(request, "companies", _delete_company, identified=True)


def show_job(request: ApiRequest) -> JsonValue:
    """``GET /{contacts,companies}/bulk/{id}``."""
    job = request.state.jobs.get(request.ids[0])
    if job is None:
        raise ApiError(404, "job_not_found", "Job not found", rule="job_not_found", assumed=True)
    return dict(job)


def _run(request: ApiRequest, kind: str, write: WriteItem, *, identified: bool) -> JsonObject:
    request.record_unknown(request.body, (kind, "job"))
    items = _read_items(request, kind, identified=identified)
    failed = 0
    for item in items:
        try:
            write(request, item)
        except ApiError:
            failed += 1
    finished = _make_job(request, kind, len(items), failed=failed)
    request.state.jobs[str(finished["id"])] = finished
    # The response to the request itself always shows a running job.
    running: JsonObject = {**finished, "state": "running", "completed_at": None}
    task = check_object("task", finished["tasks"][0] if isinstance(finished["tasks"], list) else {})
    running["tasks"] = [{**task, "state": "pending", "started_at": None, "completed_at": None}]
    return running


def _read_items(request: ApiRequest, kind: str, *, identified: bool) -> list[JsonObject]:
    single = "contact" if kind == "contacts" else "company"
    entries = request.body.get(kind)
    if entries is None:
        raise _unprocessable("field_not_found", f"{kind} field must be supplied")
    if not isinstance(entries, list):
        raise _unprocessable("type_mismatch", f"{kind} must be an array")
    if len(entries) > _MOST_ITEMS:
        raise _unprocessable("parameter_invalid", f"maximum number of {kind} per request is {_MOST_ITEMS}")
    items: list[JsonObject] = []
    for item in entries:
        if not isinstance(item, dict):
            raise _unprocessable("type_mismatch", f"each {single} must be an object")
        if identified and not isinstance(item.get("id"), str):
            raise _unprocessable("field_not_found", f"{kind} must be identified by id")
        items.append(item)
    return items


def _unprocessable(code: str, message: str) -> ApiError:
    return ApiError(422, code, message, rule="bad_bulk", violation=True)


def _make_job(request: ApiRequest, kind: str, count: int, *, failed: int) -> JsonObject:
    number = request.state.new_number()
    job_id = f"job_v2_{number}"
    state = "completed_with_errors" if failed else "completed"
    times: JsonObject = {"created_at": request.timestamp, "completed_at": request.timestamp}
    task: JsonObject = {"id": f"task_v2_{number}", "item_count": count, "state": state, **times}
    return {
        "id": job_id,
        "type": f"{kind}.bulk.job",
        "state": state,
        **times,
        "updated_at": request.timestamp,
        "tasks": [{**task, "started_at": request.timestamp}],
        "url": f"https://api.intercom.io/{kind}/bulk/{job_id}",
    }


# --- items ------------------------------------------------------------------------------------------------


def _ask_endpoint(
    request: ApiRequest, endpoint: Endpoint, body: JsonObject, *, record_id: str | None = None
) -> JsonObject:
    """Let the endpoint for a single record handle *body*; the violations of an item are not recorded."""
    ids = () if record_id is None else (record_id,)
    response = endpoint(attrs.evolve(request, body=body, ids=ids, violations=[]))
    return check_object("answer", response)


def _create_contact(request: ApiRequest, item: JsonObject) -> None:
    body = {name: value for name, value in item.items() if name in _CREATE_FIELDS}
    contact = _ask_endpoint(request, create_contact, body)
    _relate(request, str(contact["id"]), item)


def _update_contact(request: ApiRequest, item: JsonObject) -> None:
    body = {name: value for name, value in item.items() if name in _UPDATE_FIELDS}
    contact = _ask_endpoint(request, update_contact, body, record_id=str(item["id"]))
    _relate(request, str(contact["id"]), item)


def _delete_contact(request: ApiRequest, item: JsonObject) -> None:
    _ask_endpoint(request, delete, {}, record_id=str(item["id"]))


def _upsert_company(request: ApiRequest, item: JsonObject) -> None:
    _ask_endpoint(request, upsert_company, item)


def _update_company(request: ApiRequest, item: JsonObject) -> None:
    body = {name: value for name, value in item.items() if name not in ("id", "company_id")}
    _ask_endpoint(request, update_company, body, record_id=str(item["id"]))


def _delete_company(request: ApiRequest, item: JsonObject) -> None:
    _ask_endpoint(request, delete_company, {}, record_id=str(item["id"]))


def _relate(request: ApiRequest, contact_id: str, item: JsonObject) -> None:
    """Attach companies, which are made when they do not exist, and tags; unknown tags are skipped."""
    contact = request.state.contacts[contact_id]
    companies = item.get("companies", [])
    for entry in companies if isinstance(companies, list) else ():
        fields = check_object("companies", entry)
        own_id = check_id("company_id", require(fields, "company_id"))
        company = request.state.company_by_own_id(own_id)
        if fields.get("remove") is True:
            if company is not None:
                request.state.detach(contact, company)
            continue
        if company is None:
            body = {name: value for name, value in fields.items() if name in ("company_id", "name")}
            made = _ask_endpoint(request, upsert_company, body)
            company = request.state.companies[str(made["id"])]
        request.state.attach(contact, company, request.timestamp)
    _change_tags(request, contact.tags, item)


def _change_tags(request: ApiRequest, tags: dict[str, int], item: JsonObject) -> None:
    changes = item.get("tags")
    if not isinstance(changes, dict):
        return
    for action, entries in changes.items():
        for entry in entries if isinstance(entries, list) else ():
            tag_id = check_id("id", require(check_object("tags", entry), "id"))
            if action == "add" and tag_id in request.state.tags:
                tags.setdefault(tag_id, request.timestamp)
            elif action == "remove":
                tags.pop(tag_id, None)
