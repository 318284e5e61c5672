"""What a missing answer means for a request (rule T3): it was never sent, or it may have been applied."""

from __future__ import annotations

import socket

import pytest
import requests
import urllib3

from metarouter_intercom import ConnectFailed, ReadFailed
from metarouter_intercom._delivery.http.failures import transport_error_of
from metarouter_intercom._delivery.http.transport import HttpTransport

from ..._support.tiny_server import OK, Last, Reset, Stall, TinyServer
from .conftest import PING, WRITE, settings_for, unused_port

# --- no answer --------------------------------------------------------------------------------------------


def test_a_refused_connection_was_never_sent(make_transport):
    """If nobody listens, the request may be repeated freely."""
    with pytest.raises(ConnectFailed):
        make_transport(f"http://127.0.0.1:{unused_port()}").send(WRITE)


def test_an_unknown_host_was_never_sent(make_transport):
    """If the name cannot be looked up, the request may be repeated freely."""
    with pytest.raises(ConnectFailed):
        make_transport("http://no-such-host.invalid").send(WRITE)


def test_a_request_to_a_connection_that_is_not_accepted_was_never_sent():
    """After a connect timeout, unlike a read timeout, the request was never sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        transport = HttpTransport(
            settings_for(f"http://127.0.0.1:{port}", connect_timeout=0.2, read_timeout=0.2)
        )
        with pytest.raises(ConnectFailed):
            transport.send(WRITE)
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Stall(b""), id="no-answer"),
        pytest.param(Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"), id="stalled-body"),
        pytest.param(
            Stall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), id="stalled-chunk"
        ),
        pytest.param(Last(b""), id="closed-without-an-answer"),
        pytest.param(Reset(b""), id="reset"),
        pytest.param(Last(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"), id="truncated-body"),
        pytest.param(
            Last(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), id="truncated-chunk"
        ),
        pytest.param(
            Last(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
            id="malformed-chunk",
        ),
        pytest.param(Last(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), id="no-http"),
        pytest.param(Last(b"HTTP/1.1 abc OK\r\n\r\n"), id="no-status"),
        pytest.param(Last(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"), id="too-many-headers"),
        pytest.param(Last(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), id="endless-header"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", id="bad-gzip"
        ),
    ],
)
def test_a_request_without_a_complete_answer_may_have_been_applied(make_transport, answer):
    """The request was sent, but no complete answer came within the read timeout: ``ReadFailed``; the next request works."""
    answers = [answer]
    with TinyServer(lambda asked: answers.pop() if answers else OK) as server:
        transport = make_transport(server.url, read_timeout=0.4)
        with pytest.raises(ReadFailed):
            transport.send(WRITE)

        assert transport.send(WRITE).status == 200
        assert len(server.asked) == 2


def test_lines_that_are_no_headers_are_ignored(make_transport):
    """Garbage between the headers does not cost the answer."""
    sent = Last(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-Request-Id: r1\r\n\x00\x01garbage\r\n\r\n{"a":1}')
    with TinyServer(lambda asked: sent) as server:
        got = make_transport(server.url).send(PING)

    assert got.status == 200
    assert got.headers["x-request-id"] == "r1"


# --- which error means what -------------------------------------------------------------------------------

_NEVER_SENT = {
    "ConnectTimeout",
    "ProxyError",
    "InvalidURL",
    "InvalidProxyURL",
    "InvalidSchema",
    "MissingSchema",
    "InvalidHeader",
    "URLRequired",
}


def _kinds(module, base):
    kinds = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, base)]
    return sorted(set(kinds), key=lambda kind: kind.__name__)


@pytest.mark.parametrize(
    "kind", _kinds(requests.exceptions, requests.RequestException), ids=lambda kind: kind.__name__
)
def test_every_error_of_requests_has_a_meaning(kind):
    """Each error means one of two things; if it is not certain that the request was never sent, it may have been applied."""
    failure = transport_error_of(kind.__new__(kind))

    assert type(failure) is (ConnectFailed if kind.__name__ in _NEVER_SENT else ReadFailed)


_NEVER_SENT_BELOW = {
    "ClosedPoolError",
    "ConnectTimeoutError",
    "EmptyPoolError",
    "FullPoolError",
    "HostChangedError",
    "LocationParseError",
    "LocationValueError",
    "NameResolutionError",
    "NewConnectionError",
    "ProxyError",
    "ProxySchemeUnknown",
    "URLSchemeUnknown",
}


@pytest.mark.parametrize(
    "kind", _kinds(urllib3.exceptions, urllib3.exceptions.HTTPError), ids=lambda kind: kind.__name__
)
def test_every_error_of_urllib3_has_a_meaning(kind):
    """Errors of urllib3 mean the same, alone and wrapped by requests."""
    error = kind.__new__(kind)
    wanted = ConnectFailed if kind.__name__ in _NEVER_SENT_BELOW else ReadFailed

    assert type(transport_error_of(error)) is wanted
    assert type(transport_error_of(requests.ConnectionError(error))) is wanted


def test_an_error_text_shows_no_secret(make_transport):
    """Neither the error nor its cause shows the token."""
    with pytest.raises(ConnectFailed) as caught:
        make_transport(f"http://127.0.0.1:{unused_port()}").send(WRITE)

    shown = repr(caught.value) + str(caught.value) + repr(caught.value.__cause__)
    assert "secret-key" not in shown


def test_a_circle_of_causes_comes_to_an_end():
    """The search for the cause of an error ends even if the error names itself as its cause."""
    error = requests.ConnectionError()
    error.args = (error, requests.ConnectionError(error))

    assert type(transport_error_of(error)) is ReadFailed
