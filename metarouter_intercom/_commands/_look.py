"""Prints people with their companies and histories, as Intercom's API tells them; reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import click

from .._transport import HttpTransport
from .._types import JsonObject, JsonValue
from ..plugins import Request, Transport
from ..settings import Settings

_FIELDS = ("email", "phone", "signed_up_at", "last_seen_at", "unsubscribed_from_emails")


def show_people(settings: Settings, user_ids: Sequence[str]) -> None:
    """Print the contacts that carry *user_ids* as external ids, each with companies and events."""
    transport = HttpTransport(settings)
    try:
        for user_id in user_ids:
            for contact in _list(transport, _search(user_id)):
                _show_person(transport, contact, user_id)
    finally:
        transport.close()


def _search(user_id: str) -> Request:
    query: JsonObject = {"field": "external_id", "operator": "=", "value": user_id}
    return Request("POST", "/contacts/search", {"query": query})


def _show_person(transport: Transport, contact: JsonObject, user_id: str) -> None:
    _echo(f"{contact.get('name') or 'without a name'}  [{contact.get('role')} {user_id}]")
    for field in _FIELDS:
        value = contact.get(field)
        if value is not None:
            _echo(f"  {field}: {_instant(value) if field.endswith('_at') else value}")
    attributes = contact.get("custom_attributes")
    if isinstance(attributes, dict) and attributes:
        _echo("  attributes: " + ", ".join(f"{name}={value}" for name, value in attributes.items()))
    for company in _list(transport, Request("GET", f"/contacts/{contact['id']}/companies")):
        facts = [
            f"{name} {company[name]}" for name in ("industry", "size", "monthly_spend") if company.get(name)
        ]
        click.echo(
            f"  company: {company.get('name')} ({', '.join([str(company.get('company_id')), *facts])})"
        )
    for event in _list(
        transport, Request("GET", f"/events?type=user&intercom_user_id={contact['id']}"), "events"
    ):
        metadata = event.get("metadata")
        told = (
            ", ".join(f"{name}={value}" for name, value in metadata.items())
            if isinstance(metadata, dict)
            else ""
        )
        click.echo(
            f"  event: {_instant(event.get('created_at'))}  {event.get('event_name')}  {told}".rstrip()
        )
    _echo("")


def _list(transport: Transport, request: Request, name: str = "data") -> list[JsonObject]:
    body = transport.send(request).body
    found = body.get(name) if isinstance(body, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _instant(value: JsonValue) -> str:
    if not isinstance(value, int):
        return str(value)
    return datetime.fromtimestamp(value, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _echo(line: str) -> None:
    """Print *line*, which holds other people's words: what could steer a terminal is shown as a replacement character."""
    click.echo(
        "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    )
