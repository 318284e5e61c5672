"""A proxy or another server answers over a real socket in Intercom's place (rules T1, T6)."""

from __future__ import annotations

import json
from contextlib import closing
from email.utils import formatdate
from typing import NamedTuple

import pytest

from metarouter_intercom import Client, DeliveryFailed
from metarouter_intercom._cli.people import find_people
from metarouter_intercom.sandbox import Workspace
from metarouter_intercom.testing import FakeClock

from .._support.tiny_server import TinyServer

_PAGE = "<!DOCTYPE html><title>Blocked</title>"
_JSON = '{"message":"Access denied","code":"waf"}'


class _Says(NamedTuple):
    status: int
    body: str = ""
    header: str = ""

    def answer(self) -> bytes:
        kind = "text/html" if self.body.startswith("<") else "application/json"
        lines = [f"HTTP/1.1 {self.status} Said", f"Content-Type: {kind}", *filter(None, [self.header])]
        if self.status != 204:
            lines.append(f"Content-Length: {len(self.body.encode())}")
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


_PROXIES = [
    *(
        _Says(200, body)
        for body in ("", "[]", "{}", '{"status":"ok"}', '{"ok":true,"data":"saved"}', "OK", "null", _PAGE)
    ),
    _Says(201, '{"created":true}'),
    _Says(204),
    _Says(206, "[]"),
    *(
        _Says(status, _PAGE)
        for status in (400, 401, 402, 403, 404, 405, 407, 409, 410, 411, 413, 414, 422, 431, 451, 511)
    ),
    *(_Says(status, _JSON) for status in (400, 401, 403, 404, 409, 410, 413, 422, 451)),
    *(
        _Says(status, body)
        for status, body in ((400, ""), (404, ""), (410, "[]"), (413, '{"errors":"too big"}'))
    ),
    *(_Says(status, "", "Location: https://portal.example/") for status in (301, 302, 303, 307, 308)),
    *(_Says(status, _PAGE) for status in (502, 503, 504)),
]


def _name(says):
    return f"{says.status} {says.body[:20]}"


class _Path:
    """The way to a workspace: a proxy answers the requests that *is_hit* names with one of *says* after the other, and then no more."""

    def __init__(self, says, is_hit):
        self.workspace = Workspace(app_limit=10**6, workspace_limit=10**6)
        self.says = list(says)
        self._is_hit = is_hit

    def __call__(self, asked) -> bytes:
        if self.says and self._is_hit(asked):
            return self.says.pop(0).answer()
        answer = self.workspace.handle_bytes(asked.method, asked.target, asked.headers, asked.body)
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
        head = f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


def _client(server, path, **settings):
    return Client(
        api_key=path.workspace.settings.token,
        base_url=server.url,
        delivery="manual",
        clock=FakeClock(),
        backoff_base=0.01,
        backoff_max=0.02,
        **settings,
    )


def _hits(method, end):
    return lambda asked: asked.method == method and asked.target.partition("?")[0].endswith(end)


# The requests that the proxy answers.
_KINDS = {
    "create a contact": _hits("POST", "/contacts"),
    "search": _hits("POST", "/contacts/search"),
    "write a company": _hits("POST", "/companies"),
    "attach": lambda asked: (
        asked.method == "POST" and asked.target.endswith("/companies") and asked.target.count("/") > 1
    ),
    "detach": lambda asked: asked.method == "DELETE" and "/companies/" in asked.target,
    "event": _hits("POST", "/events"),
    "create an attribute": _hits("POST", "/data_attributes"),
    "list attributes": _hits("GET", "/data_attributes"),
    "create a tag": _hits("POST", "/tags"),
    "tag": lambda asked: (
        asked.method == "POST" and asked.target.endswith("/tags") and asked.target.count("/") > 1
    ),
    "merge": _hits("POST", "/contacts/merge"),
    "write a contact": lambda asked: asked.method == "PUT",
}


def _all_calls(client):
    client.identify("u1", {"email": "ann@example.com", "plan": "pro", "labels": ["vip"]})
    client.group("u1", "acme", {"name": "Acme"})
    client.track("u1", "Signed Up", {"number": 1})
    client.send({"type": "identify", "traits": {"email": "bo@example.com", "name": "Bo"}})
    client.flush(3000)
    client.identify("u1", {"plan": "max"})
    client.identify(None, {"name": "A visitor"}, anonymous_id="v1")
    client.flush(3000)
    client.identify("u1", anonymous_id="v1")
    client.alias("v1", "u1")
    client.identify("u1", {"company": {"id": "acme", "remove": True}})


@pytest.mark.parametrize("kind", _KINDS)
def test_whatever_a_proxy_says_each_message_takes_effect(kind):
    """T1, T6: no answer of a proxy delivers, buries, holds or creates anything, and it is reported once."""
    path, errors = _Path(_PROXIES, _KINDS[kind]), []
    with TinyServer(path) as server:
        client = _client(
            server,
            path,
            retry_for=10**6,
            tags_trait="labels",
            anonymous="lead",
            on_error=lambda error, messages: errors.append(error.reason),
        )
        _all_calls(client)
        report = client.flush(3000)

    assert path.says == []
    assert (report.delivered, dict(report.dead), report.held, report.pending) == (9, {}, 0, 0)
    contact = path.workspace.contact("u1")
    assert contact.custom["plan"] == "max"
    assert path.workspace.contact("bo@example.com") is not None
    assert [event.metadata for event in path.workspace.events("u1")] == [{"number": 1}]
    assert errors == ["foreign_answer"]


# --- calls that wait for Intercom's answer -----------------------------------------------------------------------


@pytest.mark.parametrize("says", _PROXIES, ids=_name)
def test_check_believes_no_proxy(says):
    """T6: a proxy's answer says neither that the key works nor that it is wrong."""
    path = _Path([says], _hits("GET", "/me"))
    with TinyServer(path) as server:
        client = _client(server, path)
        with pytest.raises(DeliveryFailed) as failure:
            client.check()

        assert failure.value.reason == "foreign_answer"
        assert failure.value.status == says.status
        assert client.check().app_id == path.workspace.settings.app_id


def test_delete_believes_no_proxy():
    """T6: the contact is deleted when Intercom says so; until then the call tries again, and at last it raises."""
    for says in _PROXIES:
        path = _Path([says], _hits("DELETE", ""))
        with TinyServer(path) as server:
            client = _client(server, path)
            client.identify("u1", {"name": "Ann"})
            client.flush(60)
            client.delete("u1")
            assert path.workspace.find("u1") is None if hasattr(path.workspace, "find") else True
            path.says = [says] * 20
            client.identify("u2", {"name": "Bo"})
            client.flush(60)
            with pytest.raises(DeliveryFailed) as failure:
                client.delete("u2")

        assert failure.value.reason == "foreign_answer", says


@pytest.mark.parametrize(
    "says", [_Says(200, '{"status":"ok"}'), _Says(403, _PAGE), _Says(404, _JSON)], ids=_name
)
def test_looking_for_people_believes_no_proxy(says):
    """T6: a proxy's answer is not taken for a person, nor for nobody."""
    path = _Path([says], lambda asked: True)
    with TinyServer(path) as server, closing(_client(server, path)) as client:
        transport = client._dependencies.transport
        with pytest.raises(DeliveryFailed, match="not Intercom's"):
            find_people(transport, ["ann@example.com"])

        assert find_people(transport, ["ann@example.com"]) == []


# --- pauses ------------------------------------------------------------------------------------------------------

_NOW = FakeClock().now()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20),
        (formatdate(_NOW + 45, usegmt=True), 45),
        ("86400", 120),
        ("9" * 40, 0),
        (formatdate(_NOW + 10**6, usegmt=True), 120),
        (formatdate(_NOW - 60, usegmt=True), 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
    ],
)
@pytest.mark.parametrize(
    "says",
    [_Says(503), _Says(429, _JSON), _Says(301), _Says(407, _PAGE), _Says(200, _PAGE), _Says(403, _JSON)],
    ids=_name,
)
def test_a_proxys_pause_is_kept(says, text, seconds):
    """T6: nothing is sent before the time that ``Retry-After`` names, which is honoured for two minutes at most."""
    path = _Path([says._replace(header=f"Retry-After: {text}")], _KINDS["event"])
    with TinyServer(path) as server:
        client = _client(server, path)
        client.identify("u1")
        client.flush(60)
        begun = client._dependencies.clock.now()
        client.track("u1", "Signed Up")
        report = client.flush(3000)
        waited = client._dependencies.clock.now() - begun

    assert report.delivered == 2
    assert seconds <= waited <= seconds + 2
