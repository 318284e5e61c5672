"""A workspace with a clock that only tests move, and short ways to send it requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import urllib3

from metarouter_intercom.plugins import Request, Response
from metarouter_intercom.sandbox import Sandbox, Workspace

BEGINNING = 1_700_000_000.0
ATTRIBUTES = {
    "contact": {
        "plan": "string",
        "age": "integer",
        "score": "float",
        "beta": "boolean",
        "joined_at": "date",
        "anonymous_id": "string",
    },
    "company": {"tier": "string", "seats": "integer"},
}


class Api:
    """Sends requests to a workspace; ``now`` is the workspace's clock."""

    def __init__(self, **choices: object) -> None:
        self.now = BEGINNING
        self.workspace = Workspace(now=lambda: self.now, **{"attributes": ATTRIBUTES, **choices})

    def ask(
        self, method: str, path: str, body: object = None, version: str = "2.16", **headers: str
    ) -> Response:
        """Send one request; names of headers are given with underscores."""
        named = {
            "Intercom-Version": version,
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        return self.workspace.handle(Request(method, path, body, named))

    def post(self, path: str, body: object = None, **more: str) -> Response:
        return self.ask("POST", path, {} if body is None else body, **more)

    def put(self, path: str, body: object = None, **more: str) -> Response:
        return self.ask("PUT", path, {} if body is None else body, **more)

    def get(self, path: str, **more: str) -> Response:
        return self.ask("GET", path, **more)

    def delete(self, path: str, **more: str) -> Response:
        return self.ask("DELETE", path, **more)

    def contact(self, **fields: object) -> str:
        """Make a contact and return its id."""
        answer = self.post("/contacts", fields)
        assert answer.status == 200, answer.body
        return answer.body["id"]

    def company(self, company_id: str = "acme", **fields: object) -> str:
        """Make a company and return its id."""
        answer = self.post("/companies", {"company_id": company_id, **fields})
        assert answer.status == 200, answer.body
        return answer.body["id"]

    def tag(self, name: str = "vip") -> str:
        """Make a tag and return its id."""
        return self.post("/tags", {"name": name}).body["id"]

    def rules(self) -> list[str]:
        """Return the names of the violated rules."""
        return [violation.rule for violation in self.workspace.violations]


def refusal(answer: Response) -> tuple[int, str, str | None]:
    """Return status, code and message of an error."""
    [error] = answer.body["errors"]
    return answer.status, error["code"], error["message"]


def load_schemas(name: str) -> dict[str, object]:
    """Read one of Intercom's published descriptions; skip the test when it is not beside the project."""
    path = Path(__file__).parents[3] / "shared" / "intercom-api" / "openapi" / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the project")
    return json.loads(path.read_text())


# --- over HTTP --------------------------------------------------------------------------------------------

HEADERS = {
    "Authorization": "Bearer sandbox-token",
    "Accept": "application/json",
    "Intercom-Version": "2.16",
    "Content-Type": "application/json",
}


def ask(pool: urllib3.PoolManager, sandbox: Sandbox, method: str, path: str, body: object = None):
    """Send one request with the headers that the API needs."""
    content = None if body is None else json.dumps(body)
    return pool.request(method, sandbox.url + path, headers=HEADERS, body=content)
