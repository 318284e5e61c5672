"""Q7: which workspace a spool's messages go to, whatever Intercom says or does not say about it."""

from __future__ import annotations

import pytest

from metarouter_intercom import (
    Client,
    ConfigurationError,
    ConnectFailed,
    DeliveryFailed,
    Settings,
    SpoolFailed,
)
from metarouter_intercom._delivery.buffers.capabilities import Identified
from metarouter_intercom._delivery.workspace import WorkspaceCheck
from metarouter_intercom.plugins import Claim, Response
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import accept, account, in_workspace, manual_client

_UNAUTHORIZED = Response(401, {"type": "error.list", "errors": [{"code": "unauthorized", "message": "no"}]})
_FORBIDDEN = Response(403, {"type": "error.list", "errors": [{"code": "api_plan_restricted"}]})


def _in(app_id):
    """Return a transport to a workspace where each person is a contact of its own."""

    def answer(request):
        response = accept(request)
        if isinstance(response.body, dict) and isinstance(request.body, dict):
            name = request.body.get("external_id") or request.path.rpartition("/")[2]
            response.body["id"] = f"id-of-{name}".replace("id-of-id-of-", "id-of-")
        return response

    return ScriptedTransport(in_workspace(answer, app_id))


def _asked(transport):
    return [request.path for request in transport.requests].count("/me")


def _answering_me_with(*answers):
    """Return a transport that gives *answers* to ``GET /me``, the last one for ever."""
    left = list(answers)

    def answer(request):
        if request.path != "/me":
            return accept(request)
        return left.pop(0) if len(left) > 1 else left[0]

    return ScriptedTransport(answer)


@pytest.mark.parametrize(
    "answer",
    [
        _FORBIDDEN,
        Response(404, {"type": "error.list", "errors": [{"code": "not_found"}]}),
        Response(404),
        Response(404, "not found"),
        Response(200, {}),
        Response(200),
        Response(204),
        Response(200, {"type": "admin", "app": None}),
        Response(200, {"type": "admin", "app": {"id_code": ""}}),
        Response(200, ["me"]),
    ],
)
def test_an_unknown_workspace_blocks_nobody(tmp_path, answer):
    """If Intercom does not say which workspace it is, the credentials are one of their own: messages go out."""
    transport = _answering_me_with(answer)
    with manual_client(transport, spool=tmp_path / "s") as client:
        client.identify("u-1")
        client.flush()
        client.identify("u-2")
        report = client.flush()

    assert report.delivered == 2
    assert _asked(transport) == 1


@pytest.mark.parametrize(
    "failure",
    [
        ConnectFailed("no route"),
        Response(500),
        Response(503, "<html>busy</html>"),
        Response(429, None, {"x-ratelimit-reset": "1767225601"}),
        Response(302, "<html>log in</html>"),
        Response(200, "<html>log in</html>"),
        Response(511, "<html>log in</html>"),
    ],
)
def test_no_answer_is_retried(tmp_path, failure):
    """A question that gets no answer of Intercom's is asked again like any request, and nothing is sent before."""
    clock = FakeClock()
    transport = _answering_me_with(failure, account())
    with manual_client(transport, spool=tmp_path / "s", clock=clock) as client:
        client.identify("u-1")
        report = client.flush(60)

    assert report.delivered == 1
    assert _asked(transport) == 2
    assert [request.path for request in transport.requests[:2]] == ["/me", "/me"]


def test_refused_credentials_hold_and_their_messages_go_out_later(tmp_path):
    """A 401 holds the client; what a wrong key accepted goes out with the right one, although nobody knows its workspace."""
    refused = ScriptedTransport(lambda request: _UNAUTHORIZED)
    with manual_client(refused, api_key="wrong", spool=tmp_path / "s") as client:
        client.identify("u-1")
        client.flush()
        assert (client.health().status, client.health().reason) == ("held", "http_401")
        client.close(0)

    with manual_client(_in("w-1"), api_key="right", spool=tmp_path / "s") as client:
        report = client.flush()

    assert (report.delivered, report.pending) == (1, 0)


def test_a_new_key_of_the_same_workspace_continues(tmp_path):
    """A rotated key finds what the old one left, in order, and what was written is not written again."""
    old = manual_client(_in("w-1"), api_key="old", spool=tmp_path / "s")
    old.identify("u-1", {"plan": "pro"})
    old.flush()
    old.identify("u-2", {"plan": "first"})

    transport = _in("w-1")
    with manual_client(transport, api_key="new", spool=tmp_path / "s") as client:
        client.identify("u-2", {"plan": "second"})
        client.identify("u-1", {"plan": "pro"})
        report = client.flush()

    old.close()
    written = [request.body["custom_attributes"] for request in transport.requests if request.body]
    assert (report.delivered, report.unchanged, report.pending) == (3, 1, 0)
    assert written == [{"plan": "second"}]


def test_what_was_accepted_offline_belongs_to_its_client(tmp_path):
    """Messages of a key that never reached Intercom are not sent with another key; they go out with their own."""
    offline = ScriptedTransport(lambda request: ConnectFailed("no route"))
    with manual_client(offline, api_key="staging", spool=tmp_path / "s") as client:
        client.identify("u-1")
        client.close(0)

    other = _in("production")
    with manual_client(other, api_key="production", spool=tmp_path / "s") as client:
        report = client.flush()
        with pytest.raises(ConfigurationError, match="unknown"):
            client.check()
        client.close(0)
    with manual_client(_in("staging"), api_key="staging", spool=tmp_path / "s") as client:
        later = client.flush()

    assert (report.delivered, report.held) == (0, 1)
    assert [request.path for request in other.requests] == ["/me", "/me"]
    assert (later.delivered, later.pending) == (1, 0)


def test_one_key_keeps_its_messages_at_another_address(tmp_path):
    """What a key accepted before its workspace was known goes out with that key, also through another address."""
    offline = ScriptedTransport(lambda request: ConnectFailed("no route"))
    with manual_client(offline, base_url="http://proxy.example", spool=tmp_path / "s") as client:
        client.identify("u-1")
        client.close(0)

    with manual_client(_in("w-1"), spool=tmp_path / "s") as client:
        report = client.flush()

    assert (report.delivered, report.pending) == (1, 0)


def test_the_same_key_can_open_another_workspace(tmp_path):
    """A replaced transport may lead elsewhere under one key: old messages wait, new ones go out, and each counts in its own workspace."""
    first = manual_client(_in("w-1"), spool=tmp_path / "s")
    first.identify("u-1", {"plan": "pro"})
    first.flush()
    first.identify("u-1", {"plan": "free"})

    transport = _in("w-2")
    with manual_client(transport, spool=tmp_path / "s") as client:
        client.identify("u-1", {"plan": "pro"})
        report = client.flush()
    first.close()

    written = [request.body["custom_attributes"] for request in transport.requests if request.body]
    assert written == [{"plan": "pro"}]
    assert (report.delivered, report.unchanged, report.held) == (1, 0, 1)


def test_two_clients_share_a_spool(tmp_path):
    """Two clients with keys of two workspaces, both alive: each delivers its own messages, in whatever order they work."""
    transports = {name: _in(name) for name in ("a", "b")}
    clients = {
        name: manual_client(transport, api_key=f"key-{name}", spool=tmp_path / "s")
        for name, transport in transports.items()
    }
    for turn in range(3):
        for name, client in clients.items():
            client.identify(f"{name}-{turn}", message_id=f"m-{turn}")
        for client in clients.values():
            client.flush()
    for client in clients.values():
        client.close()

    for name, transport in transports.items():
        written = [request.body["external_id"] for request in transport.requests if request.body]
        assert written == [f"{name}-{turn}" for turn in range(3)]
        assert _asked(transport) == 1


def test_delete_asks_first(tmp_path):
    """A deletion uses remembered ids, so it asks for the workspace as a delivery does."""
    with manual_client(_in("w-1"), spool=tmp_path / "s") as client:
        client.identify("u-1")
    transport = _in("w-2")
    with manual_client(transport, spool=tmp_path / "s") as client:
        client.delete("u-1")

    assert [request.path for request in transport.requests][:2] == [
        "/me",
        "/contacts/find_by_external_id/u-1",
    ]


def test_check_answers_the_question(tmp_path):
    """A check tells the workspace, so that no second request is needed for it."""
    transport = _in("w-1")
    with manual_client(transport, spool=tmp_path / "s") as client:
        client.check()
        client.identify("u-1")

    assert _asked(transport) == 1


def test_a_skipped_message_needs_no_question(tmp_path):
    """A message with nothing to send ends without a request, also while Intercom is away."""
    offline = ScriptedTransport(lambda request: ConnectFailed("no route"))
    with manual_client(offline, spool=tmp_path / "s") as client:
        client.page("u-1", name="Home")
        report = client.flush(0)

    assert report.skipped == {"page_off": 1}
    assert offline.requests == []


def test_inline_delivery_tells_why(tmp_path):
    """With `inline`, an answer that refuses the credentials is the error of the call."""
    refused = ScriptedTransport(lambda request: _UNAUTHORIZED)
    client = Client(
        api_key="k", spool=tmp_path / "s", transport=refused, delivery="inline", clock=FakeClock()
    )
    with pytest.raises(DeliveryFailed, match="credentials"):
        client.identify("u-1")
    client.close(0)


def test_no_key_is_in_the_files(tmp_path):
    """The spool knows credentials by a keyed hash: neither a file nor a file's name has the key or the address."""
    with manual_client(
        _in("w-1"), api_key="very-secret", base_url="http://inside.example", spool=tmp_path / "s"
    ) as client:
        client.identify("u-1")
        names = " ".join(str(path.name) for path in tmp_path.rglob("*"))
        client.flush()
        content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert "very-secret" not in names
    assert b"very-secret" not in content
    assert b"inside.example" not in content


class _Registry:
    """What a spool knows of its workspaces, whose file fails as often as *failures* says."""

    def __init__(self, failures=0):
        self.failures = failures
        self.identified = []
        self.number = None

    def refuse(self):
        raise AssertionError("nobody refused")

    def identify(self, workspace, *, adopt):
        if self.failures:
            self.failures -= 1
            raise SpoolFailed("no space")
        self.identified.append(workspace)
        self.number = 0
        return Identified(workspace, None)

    def owns(self, claim):
        raise SpoolFailed("no space")

    def waiting(self):
        raise SpoolFailed("no space")


def test_a_file_that_fails_costs_no_second_question():
    """While the file cannot take the answer, it is kept in memory: Intercom is asked once, and what only this process has goes out."""
    registry, asked = _Registry(failures=2), []
    check = WorkspaceCheck(
        lambda: registry, Settings(api_key="k"), clock=FakeClock(), report=lambda error, messages: None
    )

    def exchange():
        asked.append("/me")
        return account("w-1")

    assert [check.ask(exchange) for _ in range(4)] == [None] * 4
    assert (asked, registry.identified, check.is_known) == (["/me"], ["w-1"], True)
    assert check.owns(Claim(-1, ()))
    assert not check.owns(Claim(1, ()))
    assert (check.health().status, check.waiting(), check.error()) == ("ok", 0, None)


def test_a_file_that_is_opened_anew_costs_no_second_question():
    """After the buffer had to open its file anew, that file learns the workspace from the first answer."""
    registries, asked = [_Registry(), _Registry()], []
    check = WorkspaceCheck(
        lambda: registries[0], Settings(api_key="k"), clock=FakeClock(), report=lambda error, messages: None
    )

    def exchange():
        asked.append("/me")
        return account("w-1")

    check.ask(exchange)
    first = registries.pop(0)
    assert not check.is_known
    check.ask(exchange)

    assert (asked, first.identified, registries[0].identified) == (["/me"], ["w-1"], ["w-1"])
