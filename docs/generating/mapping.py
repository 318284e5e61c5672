"""The mapping as tables: the names that the code knows, each with an example that went through the translator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metarouter_intercom import Settings
from metarouter_intercom.operations import (
    AttachCompany,
    DetachCompany,
    MergeContact,
    Operation,
    SetSubscription,
    SubmitEvent,
    TagCompany,
    TagContact,
    Translation,
    UpsertCompany,
    UpsertContact,
)

from .package import (
    COMPANY_TRAITS,
    CONTACT_TRAITS,
    CONTEXT_FACTS,
    EVENT_PROPERTIES,
    PAGE_FACTS,
    PLAIN,
    company_body,
    contact_body,
    event_body,
    read_message,
    translate,
)
from .words import as_json, code, table

_NOW = 1_777_629_600.0
_OTHER = "…"
# Name -> an example, and the rules for it. The program stops if the code knows a name that is not here, or the other way round.
_CONTACT: dict[str, tuple[Any, str]] = {
    "email": ("ada@example.com", "I2"),
    "name": ("Ada Example", "I3"),
    "phone": ("+49 30 901820", "I4"),
    "phones": (["+49 30 901820"], "I4"),
    "avatar": ("https://example.com/ada.png", "I4"),
    "photoUrl": ("https://example.com/ada.png", "I4"),
    "avatarUrl": ("https://example.com/ada.png", "I4"),
    "createdAt": ("2026-03-01T12:00:00Z", "I5, R4"),
    "created": (1772366400000, "I5, R4"),
    "signedUpAt": ("2026-03-01", "I5, R4"),
    "lastRequestAt": ("2026-03-01T12:00:00Z", "I6, R4"),
    "lastSeenAt": ("2026-03-01T12:00:00Z", "I6, R4"),
    "unsubscribedFromEmails": (False, "I7"),
    "ownerId": (991267459, "I8"),
    "role": ("user", "I9"),
    "custom_attributes": ({"tier": "gold"}, "I10"),
    "company": ({"id": "c-7", "name": "Example Shipping"}, "I12, C2"),
    "companies": ([{"id": "c-7"}, {"id": "c-8", "remove": True}], "I12, C2"),
    "id": ("u-1", "I10"),
    "userId": ("u-1", "I10"),
    "user_hash": ("5f1d…", "R7"),
    "intercom_user_jwt": ("eyJh…", "R7"),
}
_COMPANY: dict[str, tuple[Any, str]] = {
    "id": ("c-7", "C1"),
    "companyId": ("c-7", "C1"),
    "groupId": ("c-7", "C1"),
    "name": ("Example Shipping", "C2"),
    "plan": ("pro", "C2"),
    "industry": ("Logistics", "C2"),
    "website": ("https://example.com", "C2"),
    "size": (40, "C2, R9"),
    "employees": ("40", "C2, R9"),
    "employeeCount": (40, "C2, R9"),
    "monthlySpend": ("129.90", "C2"),
    "remoteCreatedAt": ("1775-10-13", "C2, R4"),
    "createdAt": ("2024-02-29", "C2, R4"),
    "created": (1709164800, "C2, R4"),
    "tags": (["early", "beta"], "C3"),
    "remove": (True, "C5, I12"),
    "custom_attributes": ({"tier": "gold"}, "I10, C3"),
    "user_hash": ("5f1d…", "R7"),
    "intercom_user_jwt": ("eyJh…", "R7"),
}
_EVENT: dict[str, tuple[dict[str, Any], str]] = {
    "revenue": ({"revenue": "$1,025.00"}, "E4"),
    "total": ({"total": 19.99}, "E4"),
    "currency": ({"revenue": 5000, "currency": "jpy"}, "E4"),
    "price": ({"revenue": 20, "price": "premium"}, "E4"),
    "email": ({"email": "ada@example.com"}, "E2"),
    "user_hash": ({"user_hash": "5f1d…"}, "R7"),
    "intercom_user_jwt": ({"intercom_user_jwt": "eyJh…"}, "R7"),
}
_OPTIONS: dict[str, tuple[Any, str]] = {
    "contact_id": ("64f0c2", "R7, R8"),
    "id": ("64f0c2", "R7, R8"),
    "unsubscribedFromEmails": (True, "I7"),
    "unsubscribed": (True, "I7"),
    "owner_id": ("991267459", "I8"),
    "role": ("lead", "I9"),
    "tags": (["vip", "beta"], "I13"),
    "subscriptions": ({"Newsletters": False}, "I14"),
    "language_override": ("de", "R7"),
    "user_hash": ("5f1d…", "R7, V1"),
    "intercom_user_jwt": ("eyJh…", "R7, V1"),
}
_MESSAGES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    ("identify", {"userId": "u-1", "traits": {"plan": "pro"}}, {}, "I0 to I12"),
    ("identify with a company", {"userId": "u-1", "traits": {"company": {"id": "c-7"}}}, {}, "I12"),
    (
        "identify with tags and subscriptions",
        {
            "userId": "u-1",
            "integrations": {"Intercom": {"tags": ["vip"], "subscriptions": {"Newsletters": False}}},
        },
        {},
        "I13, I14",
    ),
    (
        "identify with a trait of tags",
        {"userId": "u-1", "traits": {"segments": ["vip"]}},
        {"tags_trait": "segments"},
        "I13",
    ),
    ("identify, e-mail only", {"traits": {"email": "ada@example.com"}}, {}, "I2"),
    ("identify, anonymous", {"anonymousId": "a-1"}, {}, "R8"),
    ("identify, anonymous", {"anonymousId": "a-1"}, {"anonymous": "lead"}, "R8"),
    ("group", {"userId": "u-1", "groupId": "c-7", "traits": {"plan": "pro"}}, {}, "C1 to C4"),
    (
        "group, untrusted",
        {"userId": "u-1", "groupId": "c-7", "traits": {"plan": "pro"}},
        {"require_identity": True},
        "V4",
    ),
    ("group, nobody", {"groupId": "c-7"}, {}, "C4"),
    ("group, remove", {"userId": "u-1", "groupId": "c-7", "traits": {"remove": True}}, {}, "C5"),
    ("track", {"userId": "u-1", "event": "Signed Up"}, {}, "E1 to E8"),
    ("page", {"userId": "u-1", "name": "Pricing"}, {}, "E9"),
    ("page", {"userId": "u-1", "name": "Pricing"}, {"page_events": "Viewed {name} Page"}, "E9"),
    ("screen", {"userId": "u-1", "name": "Home"}, {}, "E9"),
    (
        "track, refreshing its contact",
        {"userId": "u-1", "event": "Paid"},
        {"events_update_last_seen": True},
        "E11",
    ),
    ("alias", {"previousId": "a-1", "userId": "u-1"}, {}, "L1"),
    ("alias", {"previousId": "a-1", "userId": "u-1"}, {"anonymous": "lead"}, "L1"),
    (
        "track, a person to leave out",
        {"userId": "test-1", "event": "x"},
        {"ignore_user_ids": ["test-*"]},
        "R11",
    ),
    (
        "any, not for Intercom",
        {"userId": "u-1", "event": "x", "integrations": {"All": False}, "type": "track"},
        {},
        "R6",
    ),
)
_DATES: tuple[tuple[str, Any], ...] = (
    ("ISO 8601", "2026-03-01T12:00:00Z"),
    ("ISO 8601 with an offset", "2026-03-01T13:00:00.123+01:00"),
    ("day, month or year alone", "2026-03-01"),
    ("one-digit month, day or hour", "2026-3-1 9:05"),
    ("slashes, year first", "2026/03/01 12:00:00"),
    ("BigQuery, Ruby", "2026-03-01 12:00:00 UTC"),
    ("Go", "2026-03-01 12:00:00.123 +0000 UTC m=+0.1"),
    ("Java with an offset", "2026-03-01T13:00:00+01:00[Europe/Paris]"),
    ("Java with a zone alone, read with the system's time zones", "2026-03-01T12:00:00[UTC]"),
    ("JavaScript", "Sun Mar 01 2026 13:00:00 GMT+0100 (Central European Standard Time)"),
    ("RFC 2822", "Sun, 01 Mar 2026 12:00:00 GMT"),
    ("asctime", "Sun Mar  1 12:00:00 2026"),
    ("compact, as text or number", "20260301"),
    ("compact with a time", "20260301T120000Z"),
    ("compact with a time, as a number", 20260301120000),
    ("MongoDB", {"$date": "2026-03-01T12:00:00Z"}),
    ("MongoDB, in milliseconds", {"$date": {"$numberLong": "1772366400123"}}),
    ("Unix seconds", 1772366400),
    ("Unix milliseconds, from 10^11", 1772366400123),
    ("microseconds, from 10^14", 1772366400123456),
    ("nanoseconds, from 10^17", 1772366400123456789),
    ("zero time of Go and .NET", "0001-01-01T00:00:00Z"),
    ("day or month first", "03/01/2026"),
    ("abbreviation of a time zone", "2026-03-01 12:00:00 IST"),
)
_VALUES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("text", {"plan": "pro"}, "A1"),
    ("number", {"seats": 12.5}, "A1"),
    ("boolean", {"beta": True}, "A1, E7"),
    ("null", {"beta": None}, "A1, E7"),
    ("NaN or infinity", {"score": float("nan")}, "A1"),
    ("text over 255 characters", {"bio": "x" * 300}, "A3, E7"),
    ("link over 255 characters", {"report": "https://example.com/" + "x" * 300}, "A3, E7"),
    ("date as ISO text", {"birthday": "1990-05-17"}, "A4, E7"),
    ("date whose name says so", {"trial_ends_at": "2026-06-01T00:00:00Z"}, "A4, E7"),
    ("number whose name says that it is a date", {"trial_ends_at": 1780272000123}, "A4, E7"),
    ("object", {"address": {"city": "Bremen", "geo": {"lat": 53.1}}}, "A5, E6"),
    ("list of scalars", {"tags": ["early", "beta"]}, "A5, E6"),
    ("list of objects", {"pets": [{"name": "Rex"}]}, "A5, E6"),
    ("list of objects over 255 characters", {"cart": [{"text": "x" * 300}]}, "A5, E6"),
    ("whole number beyond 2^53", {"account": 2**53 + 1}, "A8"),
    ("empty object or list", {"nothing": {}}, "A5"),
    ("rich link", {"report": {"url": "https://example.com/r/1", "value": "Weekly"}}, "A5, E5"),
    ("rich link with a number", {"order": {"url": "https://example.com/o/7", "value": 7}}, "A5, E5"),
    ("price", {"fee": {"amount": 1999, "currency": "EUR"}}, "A5, E5"),
    ("odd name", {"a.b$c": 1}, "A2"),
    ("name in any script", {"नाम": 1}, "A2"),
    ("two names, one after cleaning", {"a.b": 1, "a_b": 2}, "A2"),
)


def messages() -> str:
    """Return what each kind of message means."""
    rows = []
    for kind, call, choices, rule in _MESSAGES:
        found = _translated({"type": kind.split(",")[0].split()[0], **call}, **choices)
        shown = {name: value for name, value in call.items() if name != "type"}
        settings = ", ".join(code(f"{name}={value!r}") for name, value in choices.items())
        rows.append([kind, as_json(shown), settings, _operations(found), rule])
    return table(["message", "example", "setting", "operations", "rules"], rows)


def options() -> str:
    """Return what each option for Intercom does."""
    bare = _translated({"type": "identify", "userId": "u-1"})
    rows = []
    for name, (value, rule) in _OPTIONS.items():
        call = {"type": "identify", "userId": "u-1", "integrations": {"Intercom": {name: value}}}
        rows.append([code(name), as_json(value), _difference(_translated(call), bare), rule])
    return table(["option", "example", "in Intercom", "rules"], rows)


def contact_traits() -> str:
    """Return what each standard trait of an identify becomes."""
    _compare("contact traits", CONTACT_TRAITS.exact.values(), _CONTACT)
    bare = _translated({"type": "identify", "userId": "u-1"})
    rows = []
    for name, (value, rule) in _CONTACT.items():
        found = _translated({"type": "identify", "userId": "u-1", "traits": {name: value}})
        rows.append([code(name), as_json(value), _difference(found, bare), rule])
    both = {"firstName": "Ada", "lastName": "Example"}
    found = _translated({"type": "identify", "userId": "u-1", "traits": both})
    rows.append(["`firstName`, `lastName`", as_json(both), _difference(found, bare), "I3, I10"])
    return table(["trait", "example", "in Intercom", "rules"], rows)


def company_traits() -> str:
    """Return what each standard trait of a company becomes."""
    _compare("company traits", COMPANY_TRAITS.exact.values(), _COMPANY)
    rows = []
    for name, (value, rule) in _COMPANY.items():
        company = {name: value} if value == "c-7" else {"id": "c-7", name: value}
        found = _translated({"type": "identify", "userId": "u-1", "traits": {"company": company}})
        rows.append([code(name), as_json(value), _of_company(found, named=value == "c-7"), rule])
    return table(["trait", "example", "in Intercom", "rules"], rows)


def dates() -> str:
    """Return which second each way to write a date is."""
    bare = _translated({"type": "identify", "userId": "u-1"})
    rows = []
    for kind, value in _DATES:
        found = _translated({"type": "identify", "userId": "u-1", "traits": {"createdAt": value}})
        rows.append([kind, as_json(value), _difference(found, bare)])
    return table(["written by", "`createdAt`", "in Intercom"], rows)


def event_properties() -> str:
    """Return what the properties become that are not plain metadata."""
    _compare("event properties", EVENT_PROPERTIES.exact.values(), _EVENT)
    rows = []
    for name, (properties, rule) in _EVENT.items():
        found = _event(properties)
        rows.append([code(name), as_json(properties), found, rule])
    return table(["property", "example", "metadata in Intercom", "rules"], rows)


def context_facts() -> str:
    """Return what is read from the context."""
    rows = [
        [code(f"context.{group}.{key}"), f"custom attribute {code(name)}", "`collect_context=True`", "I11"]
        for name, group, key in CONTEXT_FACTS
    ]
    rows += [
        [code(f"context.page.{key}"), f"metadata {code(key)}", "`page_events`, `screen_events`", "E9"]
        for key in PAGE_FACTS
    ]
    return table(["fact", "in Intercom", "with the setting", "rules"], rows)


def other_values() -> str:
    """Return what every other trait and property becomes, by the kind of its value."""
    bare = _translated({"type": "identify", "userId": "u-1"})
    rows = []
    for kind, facts, rule in _VALUES:
        found = _translated({"type": "identify", "userId": "u-1", "traits": facts})
        rows.append([kind, as_json(facts), _difference(found, bare), _event(facts), rule])
    return table(["value", "example", "as a trait", "as a property of a track", "rules"], rows)


# --- translating and showing ------------------------------------------------------------------------------------


def _translated(call: Mapping[str, Any], **choices: Any) -> Translation:
    return translate(read_message(call, now=_NOW), Settings(api_key="not-needed", **choices))


def _compare(what: str, known: Any, described: Mapping[str, object]) -> None:
    names, rows = {PLAIN[name] for name in known}, {PLAIN[name] for name in described}
    missing, left_over = names - rows, rows - names
    if missing or left_over:
        raise SystemExit(f"{what}: not described {sorted(missing)}, not in the code {sorted(left_over)}")


def _first(found: Translation, kind: type[Any]) -> Any:
    return next((one for one in found.operations if isinstance(one, kind)), None)


def _operations(found: Translation) -> str:
    if found.skipped is not None:
        return f"skipped: {code(found.skipped)}"
    return ", ".join(code(type(operation).__name__) for operation in found.operations) + _notes(found)


def _difference(found: Translation, bare: Translation) -> str:
    """Return what *found* writes that *bare* does not."""
    before, after = _body(bare), _body(found)
    parts = [
        f"{code(name)} {as_json(value)}"
        for name, value in after.items()
        if name != "custom_attributes" and before.get(name, _OTHER) != value
    ]
    attributes = after.get("custom_attributes", {})
    parts += [f"custom attribute {code(name)} {as_json(value)}" for name, value in attributes.items()]
    upsert = _first(found, UpsertContact)
    if upsert is not None and upsert.who.contact_id is not None:
        parts.append(f"the contact with the id {code(upsert.who.contact_id)} is written")
    parts += _links(found)
    return ("; ".join(parts) or "nothing") + _notes(found)


def _body(found: Translation) -> dict[str, Any]:
    upsert = _first(found, UpsertContact)
    return {} if upsert is None else contact_body(upsert, api_version="2.16")


def _links(found: Translation) -> list[str]:
    parts = []
    for operation in found.operations:
        text = _link(operation)
        if text is not None:
            parts.append(text)
    return parts


def _link(operation: Operation) -> str | None:
    if isinstance(operation, UpsertCompany):
        return f"company {as_json(company_body(operation))}"
    if isinstance(operation, AttachCompany):
        return f"attached to {code(operation.company_id)}"
    if isinstance(operation, DetachCompany):
        return f"detached from {code(operation.company_id)}"
    if isinstance(operation, TagCompany | TagContact):
        return f"tag {code(operation.name)}"
    if isinstance(operation, SetSubscription):
        return f"{'opted in to' if operation.is_wanted else 'opted out of'} {code(operation.subscription)}"
    return f"lead merged into {code(operation.user.key)}" if isinstance(operation, MergeContact) else None


def _of_company(found: Translation, *, named: bool) -> str:
    upsert = _first(found, UpsertCompany)
    if upsert is None:
        return "; ".join(_links(found)) + _notes(found)
    body = company_body(upsert)
    parts = [
        f"{code(name)} {as_json(value)}" for name, value in body.items() if named or name != "company_id"
    ]
    parts += [f"tag {code(one.name)}" for one in found.operations if isinstance(one, TagCompany)]
    return ("; ".join(parts) or "nothing") + _notes(found)


def _event(properties: Mapping[str, Any]) -> str:
    found = _translated(
        {"type": "track", "userId": "u-1", "event": "Order Completed", "properties": properties}
    )
    event = _first(found, SubmitEvent)
    metadata = event_body(event).get("metadata", {})
    parts = [f"{code(name)} {as_json(value)}" for name, value in metadata.items()]
    return ("; ".join(parts) or "nothing") + _notes(found)


def _notes(found: Translation) -> str:
    notes = dict.fromkeys(f"note {note.rule}: {note.reason}" for note in found.notes)
    return f" ({'; '.join(notes)})" if notes else ""
