"""The sandbox as a Flask application."""

from __future__ import annotations

import sys

import pytest
import urllib3
import werkzeug.test

from metarouter_intercom.errors import ConfigurationError
from metarouter_intercom.sandbox import Fault, Faults, Sandbox, Workspace
from metarouter_intercom.sandbox.service import Service
from metarouter_intercom.sandbox.web import create_app

HEADERS = {"Authorization": "Bearer sandbox-token", "Accept": "application/json", "Intercom-Version": "2.16"}


def test_it_is_a_whole_sandbox():
    """The Flask application answers the API, the sandbox's own addresses and the pages."""
    service = Service(Workspace())
    client = create_app(service).test_client()

    created = client.post("/contacts", json={"external_id": "u/1"}, headers=HEADERS)
    looked_up = client.get("/contacts/find_by_external_id/u%2F1", headers=HEADERS)

    assert (created.status_code, created.headers["X-RateLimit-Limit"]) == (200, "1666")
    assert looked_up.get_json()["id"] == created.get_json()["id"]
    assert client.get("/contacts?per_page=5", headers=HEADERS).get_json()["pages"]["per_page"] == 5
    assert (
        client.post(
            "/events", json={"user_id": "u/1", "event_name": "e", "created_at": 1}, headers=HEADERS
        ).data
        == b""
    )
    assert client.get("/_sandbox/stats").get_json()["handled"] == 4
    assert client.get("/").headers["Location"] == "/ui/people"
    assert client.get("/zodiac").status_code == 404
    assert client.get("/zodiac", headers=HEADERS).status_code == 404


def test_a_broken_connection_is_a_500_here():
    """A fault that breaks connections gets 500, because a WSGI application cannot break one."""
    service = Service(Workspace(), Faults(script=(Fault("reset"), Fault("status", 503))))
    client = create_app(service).test_client()

    assert client.get("/me", headers=HEADERS).status_code == 500
    assert client.get("/me", headers=HEADERS).status_code == 503


def test_without_flask_only_the_api_is_there(monkeypatch):
    """Without Flask create_app says what to install, and the server still answers the API."""
    monkeypatch.setitem(sys.modules, "flask", None)

    with pytest.raises(ConfigurationError, match=r"pip install \"metarouter-intercom\[sandbox\]\""):
        create_app(Service(Workspace()))
    with Sandbox() as sandbox:
        missing = urllib3.request("GET", sandbox.pages)
        assert (missing.status, b"pip install" in missing.data) == (404, True)
        assert urllib3.request("GET", f"{sandbox.url}/me", headers=HEADERS).status == 200


def test_paths_survive_servers_that_decode_them():
    """The path is read as sent from REQUEST_URI or RAW_URI, and else encoded again from PATH_INFO."""
    app = create_app(Service(Workspace()))

    def ask(**environ: str) -> str:
        place = "/contacts/find_by_external_id/a%2Fb?x=1"
        built = werkzeug.test.EnvironBuilder(path=place, headers=HEADERS).get_environ()
        for name in ("REQUEST_URI", "RAW_URI"):
            built.pop(name, None)
        _, status, _ = werkzeug.test.run_wsgi_app(app, {**built, **environ})
        return status.split()[0]

    app.test_client().post("/contacts", json={"external_id": "a/b"}, headers=HEADERS)
    sent = "http://localhost/contacts/find_by_external_id/a%2Fb"
    assert [ask(REQUEST_URI=sent), ask(RAW_URI=sent), ask()] == ["200", "200", "404"]
