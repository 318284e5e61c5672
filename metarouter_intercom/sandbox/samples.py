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
_COMPANIES = (
    ("c-1", "Example Shipping", "enterprise", "Logistics", 140, 4200),
    ("c-2", "Sample Studios", "pro", "Media", 23, 890),
    ("c-3", "Placeholder Labs", "free", "Research", 7, 0),
)
_EVENTS: tuple[tuple[str, JsonObject], ...] = (
    ("Signed Up", {}),
    ("Report Shared", {"report": {"url": "https://example.com/reports/12", "value": "Weekly report"}}),
    ("Order Completed", {"price": {"amount": 1999, "currency": "EUR"}, "coupon": "SPRING"}),
    ("Invited Teammate", {"role": "editor"}),
)
_DAY = 86_400


def add_samples(workspace: Workspace) -> None:
    """
    Write the samples into *workspace* through its API.

    Raises:
        RuntimeError: The workspace refused one of them.
    """
    now = int(workspace.now())
    for model, name in (("contact", "plan"), ("contact", "logins")):
        _ask(
            workspace,
            "POST",
            "/data_attributes",
            {"name": name, "model": model, "data_type": "string" if name == "plan" else "float"},
        )
    companies = [
        _ask(
            workspace,
            "POST",
            "/companies",
            {
                "company_id": own,
                "name": name,
                "plan": plan,
                "industry": industry,
                "size": size,
                "monthly_spend": spend,
            },
        )
        for own, name, plan, industry, size, spend in _COMPANIES
    ]
    for number, (name, email, plan, company) in enumerate(_PEOPLE):
        seen = now - number * 7_000
        contact = _ask(
            workspace,
            "POST",
            "/contacts",
            {
                "role": "user",
                "external_id": f"u-{number + 1}",
                "name": name,
                "email": email,
                "signed_up_at": now - (number + 3) * 9 * _DAY,
                "last_seen_at": seen,
                "unsubscribed_from_emails": number % 5 == 3,
                "custom_attributes": {"plan": plan, "logins": 3 + number * 5},
            },
        )
        _ask(workspace, "POST", f"/contacts/{contact}/companies", {"id": companies[company]})
        for nth, (event, metadata) in enumerate(_EVENTS[: 1 + number % len(_EVENTS)]):
            body: JsonObject = {
                "user_id": f"u-{number + 1}",
                "event_name": event,
                "created_at": seen - nth * _DAY // 2,
                "metadata": metadata,
            }
            _ask(workspace, "POST", "/events", body)
    _ask(workspace, "POST", "/contacts", {"role": "lead", "name": "Visitor from the pricing page"})


def _ask(workspace: Workspace, method: str, path: str, body: JsonObject) -> str:
    response = workspace.handle(Request(method, path, body))
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {response.body}")
    return str(response.body.get("id")) if isinstance(response.body, dict) else ""
