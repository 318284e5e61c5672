"""Invented people, companies and events to fill the sandbox's pages with. It writes them through the API only."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject
from metarouter_intercom.plugins import Request

from .workspace import Workspace

_PEOPLE = (
    ("Mara Vogel", "mara@example.com", "enterprise", 0),
    ("Tomas Reyes", "tomas@example.net", "pro", 1),
    ("Ines Laurent", "ines@example.org", "pro", 0),
    ("Kofi Mensah", "kofi@example.com", "free", 2),
    ("Yuki Tanaka", "yuki@example.net", "trial", 2),
    ("Lena Novak", "lena@example.org", "free", 1),
    ("Omar Haddad", "omar@example.com", "pro", 0),
    ("Freya Lind", "freya@example.net", "enterprise", 1),
)
_COMPANIES: tuple[JsonObject, ...] = (
    {
        "company_id": "c-1",
        "name": "Example Shipping",
        "plan": "enterprise",
        "industry": "Logistics",
        "size": 140,
        "monthly_spend": 4200,
    },
    {
        "company_id": "c-2",
        "name": "Sample Studios",
        "plan": "pro",
        "industry": "Media",
        "size": 23,
        "monthly_spend": 890,
    },
    {
        "company_id": "c-3",
        "name": "Placeholder Labs",
        "plan": "free",
        "industry": "Research",
        "size": 7,
        "monthly_spend": 0,
    },
)
# What a person did, the latest first: event, hours before they were last seen, metadata.
_EVENTS: tuple[tuple[str, float, JsonObject], ...] = (
    ("Report Shared", 0, {"report": {"url": "https://example.com/reports/12", "value": "Weekly report"}}),
    ("Order Completed", 2.5, {"price": {"amount": 1999, "currency": "EUR"}, "coupon": "SPRING", "items": 2}),
    ("Invited Teammate", 3, {"role": "editor"}),
    ("Plan Changed", 26, {"from": "free", "to": "pro", "renewal_date": 1_798_761_600}),
    ("Invoice Paid", 27, {"price": {"amount": 129_00, "currency": "USD"}, "invoice": "INV-1042"}),
    ("Logged In", 51, {}),
    ("Signed Up", 74, {"source": "pricing page"}),
)
_TAGS = ("Customer", "Beta")
_HOUR = 3_600


def add_samples(workspace: Workspace) -> None:
    """
    Write the samples into *workspace* through its API.

    Raises:
        RuntimeError: The workspace refused a request; the text names it.
    """
    for name, data_type in (("plan", "string"), ("logins", "float")):
        _post(workspace, "/data_attributes", {"name": name, "model": "contact", "data_type": data_type})
    companies = [_post(workspace, "/companies", dict(company)) for company in _COMPANIES]
    tags = [_post(workspace, "/tags", {"name": name}) for name in _TAGS]
    _post(workspace, "/contacts", {"role": "lead", "name": "Visitor from the pricing page"})
    # Reversed, because the page lists the newest contact first.
    for number in reversed(range(len(_PEOPLE))):
        contact = _add_person(workspace, number)
        path = f"/contacts/{contact}"
        _post(workspace, f"{path}/companies", {"id": companies[_PEOPLE[number][3]]})
        for tag in tags[: 2 - number % 3]:
            _post(workspace, f"{path}/tags", {"id": tag})
        if number % 3 == 0:
            _post(workspace, f"{path}/subscriptions", {"id": "93", "consent_type": "opt_in"})


def _add_person(workspace: Workspace, number: int) -> str:
    """Make a person with events; returns the Intercom id."""
    name, email, plan, _ = _PEOPLE[number]
    external_id = f"u-{number + 1}"
    last_seen_at = int(workspace.now()) - number * 7_000
    contact = _post(
        workspace,
        "/contacts",
        {
            "role": "user",
            "external_id": external_id,
            "name": name,
            "email": email,
            "signed_up_at": int(last_seen_at - _EVENTS[-1][1] * _HOUR),
            "last_seen_at": last_seen_at,
            "unsubscribed_from_emails": number % 5 == 3,
            "custom_attributes": {"plan": plan, "logins": 3 + number * 5},
        },
    )
    for event, hours, metadata in reversed(_EVENTS[number % 4 :]):
        body: JsonObject = {
            "user_id": external_id,
            "event_name": event,
            "created_at": int(last_seen_at - hours * _HOUR),
            "metadata": metadata,
        }
        _post(workspace, "/events", body)
    return contact


def _post(workspace: Workspace, path: str, body: JsonObject) -> str:
    """Send one request; returns the id in the response."""
    response = workspace.handle(Request("POST", path, body))
    if response.status >= 300:
        raise RuntimeError(f"POST {path}: {response.status} {response.body}")
    return str(response.body.get("id")) if isinstance(response.body, dict) else ""
