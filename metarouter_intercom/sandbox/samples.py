"""Sample people, companies and events, so that the sandbox's pages have something to show; all invented."""

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
# What a person did, the latest first, with the hours since they were last seen.
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
        RuntimeError: The workspace refused one of them.
    """
    for name, data_type in (("plan", "string"), ("logins", "float")):
        _ask(
            workspace,
            "POST",
            "/data_attributes",
            {"name": name, "model": "contact", "data_type": data_type},
        )
    companies = [_ask(workspace, "POST", "/companies", dict(company)) for company in _COMPANIES]
    tags = [_ask(workspace, "POST", "/tags", {"name": name}) for name in _TAGS]
    _ask(workspace, "POST", "/contacts", {"role": "lead", "name": "Visitor from the pricing page"})
    # The list shows whoever came last first.
    for number in reversed(range(len(_PEOPLE))):
        contact = _add_person(workspace, number)
        place = f"/contacts/{contact}"
        _ask(workspace, "POST", f"{place}/companies", {"id": companies[_PEOPLE[number][3]]})
        for tag in tags[: 2 - number % 3]:
            _ask(workspace, "POST", f"{place}/tags", {"id": tag})
        if number % 3 == 0:
            _ask(workspace, "POST", f"{place}/subscriptions", {"id": "93", "consent_type": "opt_in"})


def _add_person(workspace: Workspace, number: int) -> str:
    """Make a person with a history and return Intercom's id."""
    name, email, plan, _ = _PEOPLE[number]
    external_id = f"u-{number + 1}"
    seen = int(workspace.now()) - number * 7_000
    contact = _ask(
        workspace,
        "POST",
        "/contacts",
        {
            "role": "user",
            "external_id": external_id,
            "name": name,
            "email": email,
            "signed_up_at": int(seen - _EVENTS[-1][1] * _HOUR),
            "last_seen_at": seen,
            "unsubscribed_from_emails": number % 5 == 3,
            "custom_attributes": {"plan": plan, "logins": 3 + number * 5},
        },
    )
    for event, hours, metadata in reversed(_EVENTS[number % 4 :]):
        body: JsonObject = {
            "user_id": external_id,
            "event_name": event,
            "created_at": int(seen - hours * _HOUR),
            "metadata": metadata,
        }
        _ask(workspace, "POST", "/events", body)
    return contact


def _ask(workspace: Workspace, method: str, path: str, body: JsonObject) -> str:
    response = workspace.handle(Request(method, path, body))
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {response.body}")
    return str(response.body.get("id")) if isinstance(response.body, dict) else ""
