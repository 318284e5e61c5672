"""A workspace with one of everything, so that each call finds what it asks for; no test of its own."""

from __future__ import annotations

from typing import NamedTuple

from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Sandbox, WorkspaceTransport


class People(NamedTuple):
    """Intercom's ids of what is in the workspace; the user belongs to the company, and has the tag, the note and the consent."""

    user: str
    lead: str
    archived: str
    company: str
    spare_company: str
    tag: str
    spare_tag: str
    note: str
    attribute: str
    admin: str
    visitor: str


def fill(sandbox: Sandbox) -> People:
    """Fill the workspace and return the ids."""
    transport = WorkspaceTransport(sandbox.workspace, token=sandbox.token, version="2.16")

    def send(method, path, body=None):
        answer = transport.send(Request(method, path, body))
        assert answer.status < 300, answer
        return answer.body

    user = send(
        "POST",
        "/contacts",
        {
            "external_id": "u1",
            "email": "ann@example.com",
            "name": "Ann",
            "phone": "+442071838750",
            "signed_up_at": 1_700_000_000,
            "custom_attributes": {"plan": "free"},
        },
    )["id"]
    lead = send("POST", "/contacts", {"role": "lead", "email": "ann@example.com"})["id"]
    archived = send("POST", "/contacts", {"external_id": "u2", "email": "bea@example.com"})["id"]
    send("POST", f"/contacts/{archived}/archive")
    company = send(
        "POST",
        "/companies",
        {
            "company_id": "acme",
            "name": "Acme",
            "plan": "gold",
            "size": 5,
            "monthly_spend": 100,
            "website": "https://acme.example",
            "industry": "Tools",
            "remote_created_at": 1_600_000_000,
            "custom_attributes": {"tier": "a"},
        },
    )["id"]
    spare_company = send("POST", "/companies", {"company_id": "spare", "name": "Spare"})["id"]
    for one in (company, spare_company):
        send("POST", f"/contacts/{user}/companies", {"id": one})
    tag = send("POST", "/tags", {"name": "vip"})["id"]
    spare_tag = send("POST", "/tags", {"name": "spare"})["id"]
    send("POST", f"/contacts/{user}/tags", {"id": tag})
    note = send("POST", f"/contacts/{user}/notes", {"body": "Hello"})["id"]
    send("POST", f"/companies/{company}/notes", {"body": "Hello"})
    send("POST", f"/contacts/{user}/subscriptions", {"id": "91", "consent_type": "opt_out"})
    send("POST", "/events", {"user_id": "u1", "event_name": "Bought", "created_at": 1_700_000_000})
    attribute = send("POST", "/data_attributes", {"name": "ring", "model": "contact", "data_type": "string"})[
        "id"
    ]
    admin = send("GET", "/me")["id"]
    visitor = sandbox.workspace.add_visitor(user_id="v1", email="visitor@example.com")
    return People(
        user=user,
        lead=lead,
        archived=archived,
        company=company,
        spare_company=spare_company,
        tag=tag,
        spare_tag=spare_tag,
        note=str(note),
        attribute=str(attribute),
        admin=admin,
        visitor=visitor,
    )
