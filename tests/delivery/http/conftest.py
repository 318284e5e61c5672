"""A transport over each kind of session, without proxies or certificates of the environment, and what the tests send and answer."""

from __future__ import annotations

import socket

import pytest
import requests

from metarouter_intercom import Settings
from metarouter_intercom._delivery.http.transport import HttpTransport
from metarouter_intercom.plugins import Request

PING = Request("GET", "/me")
WRITE = Request("POST", "/contacts", {"external_id": "u-1", "name": "Zoë"})
_SETTINGS = {"api_key": "secret-key", "connect_timeout": 2.0, "read_timeout": 5.0, "workers": 4}
# The built-in session and the caller's own one must behave alike.
_SESSIONS = ("built-in", "own")


def settings_for(address, **choices):
    return Settings(**_SETTINGS | {"base_url": address} | choices)


def answer_bytes(body=b"", *headers, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(params=_SESSIONS)
def make_transport(request):
    """Return a function that makes a transport to an address: first the built-in one, then one over the caller's own session."""
    made = []

    def make(address, **choices):
        session = requests.Session() if request.param == "own" else None
        made.append((HttpTransport(settings_for(address, **choices), session=session), session))
        return made[-1][0]

    yield make
    for transport, session in made:
        transport.close()
        if session is not None:
            session.close()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
