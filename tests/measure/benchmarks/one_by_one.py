"""Delivery as most destinations do it: one message after the other, each with a search and a write."""

from __future__ import annotations

from typing import Any

from metarouter_intercom import Settings
from metarouter_intercom._intercom.payloads import company_body, contact_body, event_body
from metarouter_intercom.messages._codec import read_message
from metarouter_intercom.operations import AttachCompany, SubmitEvent, UpsertCompany, UpsertContact
from metarouter_intercom.operations._translator import DefaultTranslator
from metarouter_intercom.plugins import Request, Response, Transport


class OneByOneDestination:
    """
    Sends two requests for an identify, three for a group and one for a track, with the bodies that our translation makes.

    Args:
        settings: Settings of the translation.
        transport: Sends the requests.
    """

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self._translator = DefaultTranslator(settings)
        self._version = settings.api_version
        self._transport = transport

    def deliver(self, message: dict[str, Any]) -> None:
        """Deliver one message at once."""
        user_id = str(message["userId"])
        company: str | None = None
        for operation in self._translator(read_message(message, now=0.0)).operations:
            if isinstance(operation, SubmitEvent):
                self._send("POST", "/events", event_body(operation))
            elif isinstance(operation, UpsertContact):
                self._write_contact(user_id, contact_body(operation, api_version=self._version))
            elif isinstance(operation, UpsertCompany):
                company = _id(self._send("POST", "/companies", company_body(operation)))
            elif isinstance(operation, AttachCompany):
                self._send("POST", f"/contacts/{self._search(user_id)}/companies", {"id": company})
            else:
                raise TypeError(f"the day has no {type(operation).__name__}")

    def _write_contact(self, user_id: str, body: dict[str, Any]) -> None:
        contact_id = self._search(user_id)
        if contact_id is None:
            self._send("POST", "/contacts", body)
        else:
            self._send("PUT", f"/contacts/{contact_id}", body)

    def _search(self, user_id: str) -> str | None:
        query = {"field": "external_id", "operator": "=", "value": user_id}
        body: Any = self._send("POST", "/contacts/search", {"query": query}).body
        return body["data"][0]["id"] if body["data"] else None

    def _send(self, method: str, path: str, body: dict[str, Any]) -> Response:
        response = self._transport.send(Request(method, path, body))
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {response.body}")
        return response


def _id(response: Response) -> str:
    body: Any = response.body
    return str(body["id"])
