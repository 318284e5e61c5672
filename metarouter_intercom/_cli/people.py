"""Reads people, companies and events from Intercom's API and prints them; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple
from urllib.parse import quote

from .._delivery.http.transport import HttpTransport
from .._delivery.outcomes import delivery_failed
from .._intercom.foreign_answers import is_foreign
from .._intercom.response_parsing import is_success
from .._intercom.responses import classify
from .._types import JsonObject, JsonValue
from ..errors import DeliveryFailed
from ..operations._money import minor_units
from ..plugins import Request, Response, Transport
from .formatting import echo, number_of

_FIELDS = ("phone", "signed_up_at", "unsubscribed_from_emails")
_COMPANY_FIELDS = ("industry", "size", "monthly_spend")


class Person(NamedTuple):
    """A contact with its companies and events, as the API returns them."""

    contact: JsonObject
    companies: list[JsonObject]
    events: list[JsonObject]


class RecordingTransport(HttpTransport):
    """
    HTTP that remembers the contacts in the answers, because Intercom's searches show a new contact only a while later.

    Attributes:
        contacts: Contact id -> email address, in lower case.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.contacts: dict[str, str] = {}

    def send(self, request: Request, *more: Any, **options: Any) -> Response:
        """Send *request*, and remember the contact in the answer."""
        response = super().send(request, *more, **options)
        body = response.body
        if isinstance(body, dict) and body.get("type") == "contact" and body.get("email"):
            self.contacts[_text(body.get("id"))] = _text(body["email"]).lower()
        return response


def find_people(
    transport: Transport, names: Sequence[str], written: Mapping[str, str] | None = None
) -> list[Person]:
    """
    Return the contacts with these external ids or email addresses, each with its companies and events.

    Args:
        transport: Asks Intercom.
        names: External ids and email addresses.
        written: Contact id -> email address of the contacts that were written just now, which no search sees yet.
    """
    contacts = {contact["id"]: contact for name in names for contact in _find(transport, name, written or {})}
    return [
        Person(
            contact,
            _list(transport, Request("GET", f"/contacts/{contact_id}/companies"), "data"),
            _list(transport, Request("GET", f"/events?type=user&intercom_user_id={contact_id}"), "events"),
        )
        for contact_id, contact in contacts.items()
    ]


def _find(transport: Transport, name: str, written: Mapping[str, str]) -> list[JsonObject]:
    contact = _ask(transport, Request("GET", f"/contacts/find_by_external_id/{quote(name, safe='')}"))
    if isinstance(contact, dict):
        return [contact]
    if "@" not in name:
        return []
    ids = [contact_id for contact_id, email in written.items() if email == name.lower()]
    answers = [_ask(transport, Request("GET", f"/contacts/{contact_id}")) for contact_id in ids]
    # A lead that was merged into a user since then is no contact any more.
    live = [answer for answer in answers if isinstance(answer, dict)]
    if live:
        return live
    query: JsonObject = {"field": "email", "operator": "=", "value": name}
    return _list(transport, Request("POST", "/contacts/search", {"query": query}), "data")


def _list(transport: Transport, request: Request, name: str) -> list[JsonObject]:
    body = _ask(transport, request)
    members = body.get(name) if isinstance(body, dict) else None
    return [one for one in members if isinstance(one, dict)] if isinstance(members, list) else []


def _ask(transport: Transport, request: Request) -> JsonValue:
    """Return what Intercom answers; None when there is no such thing."""
    response = transport.send(request)
    if is_foreign(request, response):
        fault = "an answer that is not Intercom's; a proxy or another server is in between"
        raise DeliveryFailed(
            f"{_line(request)} returned HTTP {response.status} and {fault}",
            reason="foreign_answer",
            status=response.status,
        )
    if response.status == 404:
        return None
    if not is_success(response):
        answer = classify(request, response)
        raise delivery_failed(f"{_line(request)} failed", answer.reason, answer.answer())
    return response.body


def _line(request: Request) -> str:
    """Return what was asked for, without the id or the query, which may be an e-mail address."""
    return f"{request.method} {'/'.join(request.path.split('?')[0].split('/')[:3])}"


def show_people(people: Sequence[Person]) -> None:
    """Print the people, their companies, and then each person with attributes and events."""
    rows = [
        (
            _text(one.contact.get("name")) or "without a name",
            _text(one.contact.get("email")),
            _text(one.contact.get("external_id")),
            ", ".join(_text(company.get("name")) for company in one.companies),
            _time(one.contact.get("last_seen_at")),
        )
        for one in people
    ]
    _table("People", ("name", "email", "user id", "companies", "last seen"), rows)
    companies = {_text(company.get("id")): company for one in people for company in one.companies}
    _table(
        "Companies",
        ("name", "company id", "plan and more", "people"),
        [(*_company(company), str(_members(people, name))) for name, company in companies.items()],
    )
    for one in people:
        _show_person(one)


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    echo(f"{title} ({len(rows)})")
    widths = [max(len(row[at]) for row in [headings, *rows]) for at in range(len(headings))]
    for row in [headings, *rows]:
        echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    echo()


def _company(company: JsonObject) -> tuple[str, str, str]:
    plan = company.get("plan")
    details = [f"plan {_text(plan.get('name'))}"] if isinstance(plan, dict) and plan.get("name") else []
    details += [f"{name} {_text(company[name])}" for name in _COMPANY_FIELDS if company.get(name)]
    return _text(company.get("name")), _text(company.get("company_id")), ", ".join(details)


def _members(people: Sequence[Person], company_id: str) -> int:
    return sum(any(_text(company.get("id")) == company_id for company in one.companies) for one in people)


def _show_person(person: Person) -> None:
    contact = person.contact
    ids = " ".join(_text(contact[name]) for name in ("role", "external_id") if contact.get(name))
    echo(f"{_text(contact.get('name')) or 'without a name'}  ({ids})")
    for field in _FIELDS:
        if contact.get(field) is not None:
            echo(f"  {field}: {_value(field, contact[field])}")
    attributes = contact.get("custom_attributes")
    if isinstance(attributes, dict) and attributes:
        echo("  attributes: " + _values(attributes))
    echo(f"  history: {number_of(len(person.events), 'event')} in the last 90 days, newest first")
    for event in person.events:
        metadata = event.get("metadata")
        values = _values(metadata) if isinstance(metadata, dict) else ""
        echo(f"    {_time(event.get('created_at'))}  {event.get('event_name')}  {values}".rstrip())
    echo()


def _values(values: JsonObject) -> str:
    return ", ".join(f"{name}={_value(name, value)}" for name, value in values.items())


def _value(name: str, value: JsonValue) -> str:
    """Return a value as text: a price with its currency, a link with its address, an instant as a date."""
    if isinstance(value, dict) and value.keys() == {"amount", "currency"}:
        return _price(value["amount"], _text(value["currency"]))
    if isinstance(value, dict) and value.keys() == {"url", "value"}:
        return f"{_text(value['value'])} <{_text(value['url'])}>"
    if name.endswith(("_at", "_date")) and isinstance(value, int):
        return _time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _text(value)


def _price(amount: JsonValue, currency: str) -> str:
    unit = minor_units(1, currency)
    if not isinstance(amount, int) or unit is None:
        return f"{_text(amount)} {currency}"
    return f"{amount / unit:,.{len(str(unit)) - 1}f} {currency}"


def _time(value: JsonValue) -> str:
    if not isinstance(value, int):
        return _text(value)
    return datetime.fromtimestamp(value, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _text(value: JsonValue) -> str:
    return "" if value is None else str(value)
