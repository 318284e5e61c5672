"""The endpoints of data events: accepting them, recognizing repeats, listing and counting them."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import ApiError, ambiguous_email, malformed, user_not_found
from .._request import PREVIEW, ApiRequest
from .._validation import (
    check_integer,
    check_object,
    check_string,
    check_text,
    read_query_number,
    require,
)
from .._workspace_state import Contact, Event

_FIELDS = ("event_name", "created_at", "id", "user_id", "email", "metadata")
_SUMMARY_FIELDS = ("event_name", "count", "first", "last")
# A metadata key may contain none of these.
_FORBIDDEN_IN_KEYS = frozenset("~`!@#%^&*'{}|\".$\0")
_OLD_METADATA_LIMIT = 20
_LISTED_SECONDS = 90 * 24 * 3600
_DEFAULT_PER_PAGE = 50


def submit_event(request: ApiRequest) -> JsonValue:
    """
    ``POST /events``: answers 202 without a body, also for a repeated event.

    An event repeats another one when the contact, the second and the name, in any case, are the same. The metadata may differ.
    """
    body = request.body
    request.record_unknown(body, _FIELDS)
    # Intercom writes these two signs of a name as hyphens.
    name = check_text("event_name", require(body, "event_name")).replace(".", "-").replace("$", "-")
    created_at = check_integer("created_at", require(body, "created_at"))
    request.record_time("created_at", created_at)
    metadata = _read_metadata(request, body)
    contact = _find_contact(request, body)
    folded_name = name.strip().lower()
    key = (contact.external_id or contact.id, folded_name, created_at)
    if key in request.state.event_keys:
        request.state.repeated_events += 1
        return None
    if folded_name not in request.state.event_names:
        if len(request.state.event_names) >= request.settings.event_name_limit:
            text = f"Cannot have more than {request.settings.event_name_limit} active event names"
            # The Messenger answers this; what the API answers, no source shows.
            raise ApiError(422, "422", text, rule="event_name_limit", assumed=True)
        request.state.event_names.add(folded_name)
    request.state.event_keys.add(key)
    contact.events.append(
        Event(id=request.state.new_id(), name=name, created_at=created_at, metadata=metadata)
    )
    return None


def _find_contact(request: ApiRequest, body: JsonObject) -> Contact:
    """Return the contact that *body* names by ``id``, else ``user_id``, else ``email``; a lead only by ``id``."""
    contact: Contact | None
    if body.get("id") is not None:
        contact = request.state.contacts.get(check_string("id", body["id"]))
    elif body.get("user_id") is not None:
        contact = request.state.user_by_external_id(check_string("user_id", body["user_id"]))
    elif body.get("email") is not None:
        return _user_by_email(request, check_string("email", body["email"]))
    else:
        text = "id, user_id or email must be present"
        raise malformed(text, rule="missing_field", code="parameter_not_found")
    if contact is None or not contact.is_live:
        raise user_not_found()
    return contact


def _user_by_email(request: ApiRequest, email: str) -> Contact:
    users = [
        contact for contact in request.state.by_email(email) if contact.role == "user" and contact.is_live
    ]
    if not users:
        raise user_not_found()
    if len(users) > 1:
        ambiguous_email()
    return users[0]


# --- metadata ---------------------------------------------------------------------------------------------


def _read_metadata(request: ApiRequest, body: JsonObject) -> JsonObject:
    if "metadata" not in body:
        return {}
    metadata = check_object("metadata", body["metadata"])
    limit = request.settings.metadata_limit if request.version >= (2, 7) else _OLD_METADATA_LIMIT
    if len(metadata) > limit:
        request.record_violation("too_many_metadata_keys", f"{len(metadata)} keys, {limit} are kept")
    kept = dict(list(metadata.items())[:limit])
    for key, value in kept.items():
        if not key or not _FORBIDDEN_IN_KEYS.isdisjoint(key):
            request.record_violation("bad_metadata_key", f"metadata key {key!r} is not allowed")
        _check_metadata(request, key, value)
    return kept


def _check_metadata(request: ApiRequest, key: str, value: JsonValue) -> None:
    """Record a value that breaks Intercom's rules. No source says that an event with it is refused."""
    limit = request.settings.text_limit
    if isinstance(value, str) and len(value) > limit:
        request.record_violation("too_long", f"metadata.{key} is longer than {limit}")
    is_nested = isinstance(value, list) or (
        isinstance(value, dict) and not (_is_link(value) or _is_money(value))
    )
    # In Preview metadata may have any type.
    if is_nested and request.version < PREVIEW:
        request.record_violation("nested_metadata", f"metadata.{key} must not be nested")


def _is_link(value: JsonObject) -> bool:
    return value.keys() == {"url", "value"} and all(isinstance(part, str) for part in value.values())


def _is_money(value: JsonObject) -> bool:
    if value.keys() != {"amount", "currency"}:
        return False
    amount = value["amount"]
    return isinstance(amount, int) and not isinstance(amount, bool) and isinstance(value["currency"], str)


# --- reading ----------------------------------------------------------------------------------------------


def list_events(request: ApiRequest) -> JsonValue:
    """``GET /events``: the events of one contact in the last 90 days, newest first; with ``summary`` the counts by name."""
    query = request.query
    if query.get("type") != "user":
        raise malformed("type must be user", rule="missing_field", field="type")
    contact = _queried_contact(request)
    if query.get("summary") == "true":
        return _summarize(request, contact)
    recent = [event for event in contact.events if event.created_at >= request.now - _LISTED_SECONDS]
    recent.sort(key=lambda event: event.created_at, reverse=True)
    per_page = read_query_number(query, "per_page", _DEFAULT_PER_PAGE, most=_DEFAULT_PER_PAGE)
    page = read_query_number(query, "page", 1, most=10**9)
    shown = recent[(page - 1) * per_page : page * per_page]
    more = page * per_page < len(recent)
    next_url = f"https://api.intercom.io/events?type=user&intercom_user_id={contact.id}&page={page + 1}"
    return {
        "type": "event.list",
        "events": [_view_event(contact, event) for event in shown],
        "pages": {"next": f"{next_url}&per_page={per_page}" if more else None},
    }


def _queried_contact(request: ApiRequest) -> Contact:
    query = request.query
    return _find_contact(
        request,
        {
            "id": query.get("intercom_user_id"),
            "user_id": query.get("user_id"),
            "email": query.get("email"),
        },
    )


def _view_event(contact: Contact, event: Event) -> JsonObject:
    return {
        "type": "event",
        "id": event.id,
        "event_name": event.name,
        "created_at": event.created_at,
        "user_id": contact.external_id,
        "intercom_user_id": contact.id,
        "email": contact.email or "",
        "metadata": dict(event.metadata),
    }


def _summarize(request: ApiRequest, contact: Contact) -> JsonObject:
    times_by_name: dict[str, list[int]] = {}
    for event in contact.events:
        times_by_name.setdefault(event.name, []).append(event.created_at)
    items: list[JsonValue] = [
        {"name": name, "first": str(min(times)), "last": str(max(times)), "count": len(times)}
        for name, times in times_by_name.items()
        if name not in contact.summaries
    ]
    items += [dict(summary) for summary in contact.summaries.values()]
    return {
        "type": "event.summary",
        "events": items,
        "pages": {"next": None},
        "email": contact.email or "",
        "intercom_user_id": contact.id,
        "user_id": contact.external_id or "",
    }


def set_summary(request: ApiRequest) -> JsonValue:
    """``POST /events/summaries``: set the count of one event name of one user."""
    request.record_unknown(request.body, ("user_id", "event_summaries"))
    contact = _find_contact(request, {"user_id": require(request.body, "user_id")})
    summary = check_object("event_summaries", require(request.body, "event_summaries"))
    request.record_unknown(summary, _SUMMARY_FIELDS)
    name = check_text("event_name", require(summary, "event_name"))
    contact.summaries[name] = {
        "name": name,
        "first": str(check_integer("first", require(summary, "first"))),
        "last": str(check_integer("last", require(summary, "last"))),
        "count": check_integer("count", require(summary, "count")),
    }
    for edge in ("first", "last"):
        request.record_time(edge, summary[edge])
    return None
