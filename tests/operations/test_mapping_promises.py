"""What the mapping promises of every message: properties that no table of cases can show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given

from metarouter_intercom import Settings
from metarouter_intercom._intercom.dry_run import preview
from metarouter_intercom._intercom.payloads import company_body, contact_body, event_body
from metarouter_intercom.messages._codec import read_message
from metarouter_intercom.operations import (
    DefaultTranslator,
    SubmitEvent,
    UpsertCompany,
    UpsertContact,
    translate,
)

from .._support.promises import MESSAGES, promised

_NOW = 1795000000.5
_SCHEMA = Path(__file__).parents[3] / "shared" / "intercom-api" / "openapi" / "intercom-2.16.strict.json"
_CHOICES = {"anonymous": "lead", "page_events": "Viewed {name} Page", "screen_events": "Saw {name}"}
_SETTINGS = Settings(api_key="k", **_CHOICES)
_WITHOUT_FAST_PATH = Settings(api_key="k", nested_overrides={"no such trait": "flatten"}, **_CHOICES)


def _read(wire):
    """Return the message in *wire*, which gets an event and a group id if it has none."""
    return read_message({"event": "x", "groupId": "c1", **wire}, now=_NOW)


@given(MESSAGES)
@promised
def test_translation_is_deterministic(wire):
    """The same message has the same translation by any translator, the first time and later."""
    message = _read({**wire, "messageId": "m"})

    fresh = DefaultTranslator(_SETTINGS)(message)

    assert repr(translate(message, _SETTINGS)) == repr(fresh)
    assert repr(translate(message, _SETTINGS)) == repr(fresh)


@given(MESSAGES)
@promised
def test_bodies_keep_the_limits(wire):
    """Whatever comes in, attributes are scalars with texts of at most 255 characters, metadata has at most ten keys, and numbers are finite."""
    message = _read(wire)
    operations = translate(message, _SETTINGS).operations

    attributes = [
        value
        for operation in operations
        if isinstance(operation, UpsertContact | UpsertCompany)
        for value in operation.attributes.values()
    ]
    events = [operation for operation in operations if isinstance(operation, SubmitEvent)]

    assert all(value is None or isinstance(value, str | int | float) for value in attributes)
    assert all(len(value) <= 255 for value in attributes if isinstance(value, str))
    assert all(len(event.metadata) <= 10 for event in events)
    assert all(json.dumps(body, allow_nan=False) for operation in operations for body in _bodies(operation))


@given(MESSAGES)
@promised
def test_bodies_pass_a_strict_reading_of_intercom_s_schema(wire):
    """Every body, and every request that the flows would send, is valid by Intercom's own description."""
    check = _schema_check()
    message = _read(wire)
    operations = translate(message, _SETTINGS).operations

    faults = [
        fault
        for operation in operations
        for body in _bodies(operation)
        for fault in check(*_place(operation), body)
    ] + [
        fault
        for request in preview(message, _SETTINGS).requests
        for fault in check(request.method, request.path, request.body)
    ]

    assert faults == []


@given(MESSAGES)
@promised
def test_nothing_disappears_without_a_note(wire):
    """Each value of a message changes its translation, or a note says that it was not used."""
    wire = {**wire, "userId": "u1", "event": "Order Completed", "integrations": {"Intercom": True}}
    place = "traits" if wire["type"].lower() in ("identify", "group") else "properties"
    # One more value, so that the traits are never empty: the traits of the context would replace empty ones (I0).
    facts = {"kept": 1, **(wire.get(place) or {})}
    message = _read({**wire, place: facts})
    whole = translate(message, _WITHOUT_FAST_PATH)
    if whole.skipped is not None or not hasattr(message, place):
        return

    lost = [
        path
        for path in list(_leaves(facts, place))[:8]
        if not any(_covers(note.path, path) for note in whole.notes)
        and not _says_nothing(facts, path)
        and translate(_read({**wire, place: _without(facts, path[1:])}), _WITHOUT_FAST_PATH).operations
        == whole.operations
    ]

    assert lost == []


@given(MESSAGES)
@promised
def test_a_setting_that_names_no_trait_changes_nothing(wire):
    """A5: a setting for a trait that no message has changes no translation, although it leaves all traits to the full path."""
    message = _read(wire)

    assert repr(translate(message, _WITHOUT_FAST_PATH)) == repr(translate(message, _SETTINGS))


@given(MESSAGES)
@promised
def test_no_proof_of_identity_is_written(wire):
    """R7: a value with the name of a proof of identity is in no operation."""
    message = _read(
        {**wire, "traits": {**(wire.get("traits") or {}), "x": {"user_hash": "never"}, "userHash": "never"}}
    )

    written = repr(translate(message, _SETTINGS).operations)

    assert "never" not in written


def _leaves(value, *path):
    """Yield the path of each scalar and of each empty object or list."""
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from _leaves(member, *path, key)
    elif isinstance(value, list) and value:
        for at, member in enumerate(value):
            yield from _leaves(member, *path, at)
    elif len(path) > 1:
        yield path


def _without(value, path):
    """Return *value* without the value at *path*."""
    if isinstance(value, dict):
        return {
            key: member if key != path[0] else _without(member, path[1:])
            for key, member in value.items()
            if key != path[0] or len(path) > 1
        }
    return [
        member if at != path[0] else _without(member, path[1:])
        for at, member in enumerate(value)
        if at != path[0] or len(path) > 1
    ]


def _covers(noted, path):
    """Tell whether a note at *noted* is about the value at *path*: about itself, an object that contains it, or one of its members."""
    place = ".".join(str(part) for part in path)
    return noted == place or place.startswith(f"{noted}.") or noted.startswith(f"{place}.")


def _says_nothing(facts, path):
    """Tell whether leaving the value at *path* out changes nothing: null in a list, not removed, the own id or role, a repeated tag."""
    holder = facts
    for part in path[1:-1]:
        holder = holder[part]
    value = holder[path[-1]]
    plain = re.sub(r"[\s_\-.]+", "", str(path[-1])).lower()
    return (
        (value is None and isinstance(holder, list))
        or (value is False and plain == "remove")
        or value == []
        or plain in ("id", "userid", "companyid", "groupid", "role")
        or (isinstance(path[-1], int) and re.sub(r"[\s_\-.]+", "", str(path[-2])).lower() == "tags")
        or (value is None and plain in ("revenue", "total", "currency"))
    )


def _bodies(operation):
    if isinstance(operation, UpsertContact):
        yield contact_body(operation, api_version="2.16")
    elif isinstance(operation, UpsertCompany):
        yield company_body(operation)
    elif isinstance(operation, SubmitEvent) and operation.who.anonymous_id is None:
        yield event_body(operation)


def _place(operation):
    """Return method and path of the request that has the body of *operation*."""
    if isinstance(operation, UpsertContact):
        known = operation.who.contact_id
        return ("POST", "/contacts") if known is None else ("PUT", f"/contacts/{quote(known, safe='')}")
    return "POST", "/companies" if isinstance(operation, UpsertCompany) else "/events"


def _schema_check():
    if not _SCHEMA.exists():
        pytest.skip("Intercom's strict description is not beside the project")
    import jsonschema

    if not _validators:
        schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
        for name, operation in schema["operations"].items():
            method, path = name.split()
            parts = [re.escape(part) if part[:1] != "{" else "[^/]+" for part in path.split("/")]
            root = {**(operation["request"] or {}), "$defs": schema["$defs"]}
            _validators.append((method, re.compile("/".join(parts)), jsonschema.Draft202012Validator(root)))

    def check(method, path, body):
        """Return the faults of a request."""
        bare = path.partition("?")[0]
        known = [check for verb, pattern, check in _validators if verb == method and pattern.fullmatch(bare)]
        if not known:
            return [f"{method} {path} is not described"]
        return [] if body is None else [f"{error.message} in {body}" for error in known[0].iter_errors(body)]

    return check


_validators = []
