"""Prints people, companies and histories as Intercom's API tells them; reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import NamedTuple
from urllib.parse import quote

from .._types import JsonObject, JsonValue
from ..operations._money import minor_units
from ..plugins import Request, Transport
from .formatting import echo, number_of

_FIELDS = ("phone", "signed_up_at", "unsubscribed_from_emails")
_COMPANY_FIELDS = ("industry", "size", "monthly_spend")


class Person(NamedTuple):
    """A contact with what belongs to it, as the API shows them."""

    contact: JsonObject
    companies: list[JsonObject]
    events: list[JsonObject]


def find_people(transport: Transport, names: Sequence[str]) -> list[Person]:
    """Ask for the contacts with those external ids or e-mails, and for what belongs to them."""
    contacts = {contact["id"]: contact for name in names for contact in _contacts(transport, name)}
    return [
        Person(
            contact,
            _list(transport, Request("GET", f"/contacts/{number}/companies"), "data"),
            _list(transport, Request("GET", f"/events?type=user&intercom_user_id={number}"), "events"),
        )
        for number, contact in contacts.items()
    ]


def _contacts(transport: Transport, name: str) -> list[JsonObject]:
    answer = transport.send(Request("GET", f"/contacts/find_by_external_id/{quote(name, safe='')}"))
    if answer.status == 200 and isinstance(answer.body, dict):
        return [answer.body]
    if "@" not in name:
        return []
    query: JsonObject = {"field": "email", "operator": "=", "value": name}
    return _list(transport, Request("POST", "/contacts/search", {"query": query}), "data")


def _list(transport: Transport, request: Request, name: str) -> list[JsonObject]:
    body = transport.send(request).body
    found = body.get(name) if isinstance(body, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def show_people(people: Sequence[Person]) -> None:
    """Print the list of people, their companies, and each person with attributes and history."""
    rows = [
        (
            _text(one.contact.get("name")) or "without a name",
            _text(one.contact.get("email")),
            _text(one.contact.get("external_id")),
            ", ".join(_text(company.get("name")) for company in one.companies),
            _instant(one.contact.get("last_seen_at")),
        )
        for one in people
    ]
    _table("People", ("name", "e-mail", "user id", "companies", "last seen"), rows)
    companies = {_text(company.get("id")): company for one in people for company in one.companies}
    _table(
        "Companies",
        ("name", "company id", "plan and facts", "people"),
        [(*_company(company), str(_members(people, name))) for name, company in companies.items()],
    )
    for one in people:
        _show_person(one)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    echo(f"{title} ({len(rows)})")
    widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
    for row in [heads, *rows]:
        echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    echo()


def _company(company: JsonObject) -> tuple[str, str, str]:
    plan = company.get("plan")
    facts = [f"plan {_text(plan.get('name'))}"] if isinstance(plan, dict) and plan.get("name") else []
    facts += [f"{name} {_text(company[name])}" for name in _COMPANY_FIELDS if company.get(name)]
    return _text(company.get("name")), _text(company.get("company_id")), ", ".join(facts)


def _members(people: Sequence[Person], company_id: str) -> int:
    return sum(any(_text(company.get("id")) == company_id for company in one.companies) for one in people)


def _show_person(person: Person) -> None:
    contact = person.contact
    echo(
        f"{_text(contact.get('name')) or 'without a name'}  ({contact.get('role')} {contact.get('external_id')})"
    )
    for field in _FIELDS:
        if contact.get(field) is not None:
            echo(f"  {field}: {_value(field, contact[field])}")
    attributes = contact.get("custom_attributes")
    if isinstance(attributes, dict) and attributes:
        echo("  attributes: " + _values(attributes))
    echo(f"  history: {number_of(len(person.events), 'event')} in the last 90 days, the newest first")
    for event in person.events:
        metadata = event.get("metadata")
        told = _values(metadata) if isinstance(metadata, dict) else ""
        echo(f"    {_instant(event.get('created_at'))}  {event.get('event_name')}  {told}".rstrip())
    echo()


def _values(facts: JsonObject) -> str:
    return ", ".join(f"{name}={_value(name, value)}" for name, value in facts.items())


def _value(name: str, value: JsonValue) -> str:
    """Return a value as Intercom's pages show it: prices, links and dates."""
    if isinstance(value, dict) and value.keys() == {"amount", "currency"}:
        return _price(value["amount"], _text(value["currency"]))
    if isinstance(value, dict) and value.keys() == {"url", "value"}:
        return f"{_text(value['value'])} <{_text(value['url'])}>"
    if name.endswith(("_at", "_date")) and isinstance(value, int):
        return _instant(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _text(value)


def _price(amount: JsonValue, currency: str) -> str:
    unit = minor_units(1, currency)
    if not isinstance(amount, int) or unit is None:
        return f"{_text(amount)} {currency}"
    return f"{amount / unit:,.{len(str(unit)) - 1}f} {currency}"


def _instant(value: JsonValue) -> str:
    if not isinstance(value, int):
        return _text(value)
    return datetime.fromtimestamp(value, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _text(value: JsonValue) -> str:
    return "" if value is None else str(value)
