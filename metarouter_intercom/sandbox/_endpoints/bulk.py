"""The bulk jobs of API version Preview: accepted at once, told only as a whole, never item by item."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused
from .._request import Call
from .._validation import an_id, an_object, refuse_unknown, required
from .companies import delete_company, update_company, upsert_company
from .contacts import create_contact, update_contact
from .lifecycle import delete

_MOST_ITEMS = 100
_CREATED = (
    "external_id email name role phone avatar language_override custom_attributes signed_up_at last_seen_at"
)
_CREATED_FIELDS = frozenset((*_CREATED.split(), "owner_id", "unsubscribed_from_emails"))
_UPDATED_FIELDS = _CREATED_FIELDS - {"signed_up_at", "last_seen_at", "role"}

Item = Callable[[Call, JsonObject], object]


def create_contacts(call: Call) -> JsonValue:
    """``POST /contacts/bulk``: strict creation; whoever is there already is rejected."""
    return _run(call, "contacts", _create_contact, identified=False)


def update_contacts(call: Call) -> JsonValue:
    """``PUT /contacts/bulk``: by Intercom's id."""
    return _run(call, "contacts", _update_contact, identified=True)


def delete_contacts(call: Call) -> JsonValue:
    """``POST /contacts/bulk/delete``."""
    return _run(call, "contacts", lambda one, item: _delegate(one, delete, item, {}), identified=True)


def upsert_companies(call: Call) -> JsonValue:
    """``POST /companies/bulk``: by ``company_id``."""
    return _run(call, "companies", _upsert_company, identified=False)


def update_companies(call: Call) -> JsonValue:
    """``PUT /companies/bulk``: by Intercom's id."""
    return _run(call, "companies", _update_company, identified=True)


def delete_companies(call: Call) -> JsonValue:
    """``POST /companies/bulk/delete``."""
    return _run(
        call, "companies", lambda one, item: _delegate(one, delete_company, item, {}), identified=True
    )


def show_job(call: Call) -> JsonValue:
    """``GET /{contacts,companies}/bulk/{id}``."""
    job = call.state.jobs.get(call.ids[0])
    if job is None:
        raise Refused(404, "job_not_found", "Job not found", rule="job_not_found")
    return dict(job)


def _run(call: Call, kind: str, write: Item, *, identified: bool) -> JsonObject:
    refuse_unknown(call.body, (kind, "job"))
    items = _read_items(call, kind, identified=identified)
    failed = 0
    for item in items:
        try:
            write(call, item)
        except Refused:
            failed += 1
    finished = _make_job(call, kind, len(items), failed=failed)
    call.state.jobs[str(finished["id"])] = finished
    # The answer to the request itself never tells the outcome.
    running: JsonObject = {**finished, "state": "running", "completed_at": None}
    task = an_object("task", finished["tasks"][0] if isinstance(finished["tasks"], list) else {})
    running["tasks"] = [{**task, "state": "pending", "started_at": None, "completed_at": None}]
    return running


def _read_items(call: Call, kind: str, *, identified: bool) -> list[JsonObject]:
    single = "contact" if kind == "contacts" else "company"
    given = call.body.get(kind)
    if given is None:
        raise _unprocessable("field_not_found", f"{kind} field must be supplied")
    if not isinstance(given, list):
        raise _unprocessable("type_mismatch", f"{kind} must be an array")
    if len(given) > _MOST_ITEMS:
        raise _unprocessable("parameter_invalid", f"maximum number of {kind} per request is {_MOST_ITEMS}")
    items: list[JsonObject] = []
    for item in given:
        if not isinstance(item, dict):
            raise _unprocessable("type_mismatch", f"each {single} must be an object")
        if identified and not isinstance(item.get("id"), str):
            raise _unprocessable("field_not_found", f"{kind} must be identified by id")
        items.append(item)
    return items


def _unprocessable(code: str, message: str) -> Refused:
    return Refused(422, code, message, rule="bad_bulk", violation=True)


def _make_job(call: Call, kind: str, count: int, *, failed: int) -> JsonObject:
    number = call.state.new_number()
    job_id = f"job_v2_{number}"
    state = "completed_with_errors" if failed else "completed"
    moments: JsonObject = {"created_at": call.second, "completed_at": call.second}
    task: JsonObject = {"id": f"task_v2_{number}", "item_count": count, "state": state, **moments}
    return {
        "id": job_id,
        "type": f"{kind}.bulk.job",
        "state": state,
        **moments,
        "updated_at": call.second,
        "tasks": [{**task, "started_at": call.second}],
        "url": f"https://api.intercom.io/{kind}/bulk/{job_id}",
    }


# --- items ------------------------------------------------------------------------------------------------


def _delegate(
    call: Call, endpoint: Callable[[Call], JsonValue], item: JsonObject, body: JsonObject
) -> JsonObject:
    """Let the endpoint for a single record write *body*; its violations are the item's own affair."""
    ids = (str(item["id"]),) if "id" in item else ()
    shown = endpoint(attrs.evolve(call, body=body, ids=ids, found=[]))
    return an_object("answer", shown)


def _create_contact(call: Call, item: JsonObject) -> None:
    body = {name: value for name, value in item.items() if name in _CREATED_FIELDS}
    shown = _delegate(call, create_contact, {}, body)
    _relate(call, str(shown["id"]), item)


def _update_contact(call: Call, item: JsonObject) -> None:
    body = {name: value for name, value in item.items() if name in _UPDATED_FIELDS}
    shown = _delegate(call, update_contact, item, body)
    _relate(call, str(shown["id"]), item)


def _upsert_company(call: Call, item: JsonObject) -> None:
    _delegate(call, upsert_company, {}, item)


def _update_company(call: Call, item: JsonObject) -> None:
    body = {name: value for name, value in item.items() if name not in ("id", "company_id")}
    _delegate(call, update_company, item, body)


def _relate(call: Call, contact_id: str, item: JsonObject) -> None:
    """Attach companies (made when they are not there) and tags; unknown tags are passed over."""
    contact = call.state.contacts[contact_id]
    companies = item.get("companies", [])
    for entry in companies if isinstance(companies, list) else ():
        given = an_object("companies", entry)
        own_id = an_id("company_id", required(given, "company_id"))
        company = call.state.company_by_own_id(own_id)
        if given.get("remove") is True:
            if company is not None:
                call.state.detach(contact, company)
            continue
        if company is None:
            body = {name: value for name, value in given.items() if name in ("company_id", "name")}
            company = call.state.companies[str(_delegate(call, upsert_company, {}, body)["id"])]
        call.state.attach(contact, company, call.second)
    _retag(call, contact.tags, item)


def _retag(call: Call, tags: dict[str, int], item: JsonObject) -> None:
    wanted = item.get("tags")
    if not isinstance(wanted, dict):
        return
    for action, entries in wanted.items():
        for entry in entries if isinstance(entries, list) else ():
            tag_id = an_id("id", required(an_object("tags", entry), "id"))
            if action == "add" and tag_id in call.state.tags:
                tags.setdefault(tag_id, call.second)
            elif action == "remove":
                tags.pop(tag_id, None)
