"""Data events: accepting, recognising repeats, listing, counting."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused, ambiguous_email, malformed, user_not_found
from .._request import Call
from .._validation import (
    a_string,
    an_integer,
    an_object,
    refuse_unknown,
    required,
    seconds,
    some_text,
    whole_number,
)
from .._workspace_state import Contact, Event

_FIELDS = ("event_name", "created_at", "id", "user_id", "email", "metadata")
_SUMMARY_FIELDS = ("event_name", "count", "first", "last")
# Neither a metadata key nor an attribute's may hold one of these.
_FORBIDDEN_IN_KEYS = frozenset("~`!@#%^&*'{}|\".$\0")
_OLD_METADATA_LIMIT = 20
_LISTED_FOR = 90 * 24 * 3600
_DEFAULT_PER_PAGE = 50


def submit_event(call: Call) -> JsonValue:
    """
    ``POST /events``: 202 without a body, for a repeated event as well.

    The same contact, name (whatever its case) and second make a repeat; metadata plays no part in it.
    """
    body = call.body
    refuse_unknown(body, _FIELDS)
    name = some_text("event_name", required(body, "event_name"))
    created_at = seconds("created_at", required(body, "created_at"))
    metadata = _read_metadata(call, body)
    contact = _find_contact(call, body)
    plain = name.strip().lower().replace(".", "-").replace("$", "-")
    key = (contact.external_id or contact.id, plain, created_at)
    if key in call.state.event_keys:
        call.state.repeated_events += 1
        return None
    if plain not in call.state.event_names:
        if len(call.state.event_names) >= call.settings.event_name_limit:
            text = f"Cannot have more than {call.settings.event_name_limit} active event names"
            raise Refused(422, "422", text, rule="event_name_limit")
        call.state.event_names.add(plain)
    call.state.event_keys.add(key)
    contact.events.append(Event(id=call.state.new_id(), name=name, created_at=created_at, metadata=metadata))
    return None


def _find_contact(call: Call, body: JsonObject) -> Contact:
    """Return the contact by ``id``, else ``user_id``, else ``email``; leads have only their ``id``."""
    found: Contact | None
    if body.get("id") is not None:
        found = call.state.contacts.get(a_string("id", body["id"]))
    elif body.get("user_id") is not None:
        found = call.state.user_by_external_id(a_string("user_id", body["user_id"]))
    elif body.get("email") is not None:
        return _user_by_email(call, a_string("email", body["email"]))
    else:
        text = "id, user_id or email must be present"
        raise malformed(text, rule="missing_field", code="parameter_not_found")
    if found is None or not found.is_live:
        raise user_not_found()
    return found


def _user_by_email(call: Call, email: str) -> Contact:
    users = [one for one in call.state.by_email(email) if one.role == "user" and one.is_live]
    if not users:
        raise user_not_found()
    if len(users) > 1:
        ambiguous_email()
    return users[0]


# --- metadata ---------------------------------------------------------------------------------------------


def _read_metadata(call: Call, body: JsonObject) -> JsonObject:
    if "metadata" not in body:
        return {}
    metadata = an_object("metadata", body["metadata"])
    limit = call.settings.metadata_limit if call.version >= (2, 7) else _OLD_METADATA_LIMIT
    if len(metadata) > limit:
        call.violate("too_many_metadata_keys", f"{len(metadata)} keys, {limit} are kept")
    kept = dict(list(metadata.items())[:limit])
    for key, value in kept.items():
        if not key or not _FORBIDDEN_IN_KEYS.isdisjoint(key):
            raise malformed(f"metadata key {key!r} is not allowed", rule="bad_metadata_key", field="metadata")
        _check_metadata(call, key, value)
    return kept


def _check_metadata(call: Call, key: str, value: JsonValue) -> None:
    place = f"metadata.{key}"
    if isinstance(value, str) and len(value) > call.settings.text_limit:
        limit = call.settings.text_limit
        raise malformed(f"{place} is longer than {limit}", rule="too_long", field=place)
    if isinstance(value, list) or (isinstance(value, dict) and not (_is_link(value) or _is_money(value))):
        raise malformed(f"{place} must not be nested", rule="nested_metadata", field=place)


def _is_link(value: JsonObject) -> bool:
    return value.keys() == {"url", "value"} and all(isinstance(part, str) for part in value.values())


def _is_money(value: JsonObject) -> bool:
    if value.keys() != {"amount", "currency"}:
        return False
    amount = value["amount"]
    return isinstance(amount, int) and not isinstance(amount, bool) and isinstance(value["currency"], str)


# --- reading ----------------------------------------------------------------------------------------------


def list_events(call: Call) -> JsonValue:
    """``GET /events``: the last 90 days of one contact, newest first, or with ``summary`` the counts by name."""
    query = call.query
    if query.get("type") != "user":
        raise malformed("type must be user", rule="missing_field", field="type")
    contact = _queried_contact(call)
    if query.get("summary") == "true":
        return _summarize(call, contact)
    recent = [event for event in contact.events if event.created_at >= call.now - _LISTED_FOR]
    recent.sort(key=lambda event: event.created_at, reverse=True)
    per_page = whole_number(query, "per_page", _DEFAULT_PER_PAGE, most=_DEFAULT_PER_PAGE)
    page = whole_number(query, "page", 1, most=10**9)
    shown = recent[(page - 1) * per_page : page * per_page]
    more = page * per_page < len(recent)
    following = f"https://api.intercom.io/events?type=user&intercom_user_id={contact.id}&page={page + 1}"
    return {
        "type": "event.list",
        "events": [_view_event(contact, event) for event in shown],
        "pages": {"next": f"{following}&per_page={per_page}" if more else None},
    }


def _queried_contact(call: Call) -> Contact:
    query = call.query
    return _find_contact(
        call,
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


def _summarize(call: Call, contact: Contact) -> JsonObject:
    counted: dict[str, list[int]] = {}
    for event in contact.events:
        counted.setdefault(event.name, []).append(event.created_at)
    items: list[JsonValue] = [
        {"name": name, "first": str(min(moments)), "last": str(max(moments)), "count": len(moments)}
        for name, moments in counted.items()
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


def set_summary(call: Call) -> JsonValue:
    """``POST /events/summaries``: set the counter of one event name of one user."""
    refuse_unknown(call.body, ("user_id", "event_summaries"))
    contact = _find_contact(call, {"user_id": required(call.body, "user_id")})
    given = an_object("event_summaries", required(call.body, "event_summaries"))
    refuse_unknown(given, _SUMMARY_FIELDS)
    name = some_text("event_name", required(given, "event_name"))
    contact.summaries[name] = {
        "name": name,
        "first": str(seconds("first", required(given, "first"))),
        "last": str(seconds("last", required(given, "last"))),
        "count": an_integer("count", required(given, "count")),
    }
    return None
