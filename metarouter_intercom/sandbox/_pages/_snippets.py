"""The lines of Python that empty pages suggest as the next step. Pure."""

from __future__ import annotations

import json

from .._settings import WorkspaceSettings

_DEFAULT_TOKEN = WorkspaceSettings().token


def identify_snippet(base_url: str, token: str) -> str:
    """Return two lines that send a first person to *base_url*. They contain the token only when it is the public default."""
    key = json.dumps(token) if token == _DEFAULT_TOKEN else 'os.environ["INTERCOM_API_KEY"]'
    return (
        f"client = Client(api_key={key}, base_url={json.dumps(base_url.rstrip('/'))})\n"
        'client.identify("u-1", {"name": "Grace Example", "email": "grace@example.com"})'
    )


def track_snippet(external_id: str, role: str) -> str | None:
    """Return a line that sends an event of the user; None for a lead, because the caller does not know its external id."""
    if role != "user" or not external_id:
        return None
    return f'client.track({json.dumps(external_id)}, "Signed Up", {{"plan": "pro"}})'
