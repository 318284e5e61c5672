"""A request ends within its own time limit, over real sockets (rules T3, W2)."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest
import requests

from metarouter_intercom import ConnectFailed, ReadFailed
from metarouter_intercom._delivery.http import time_limits
from metarouter_intercom._delivery.http.transport import HttpTransport
from metarouter_intercom.plugins import Request

from ..._support.tiny_server import TinyServer
from .conftest import PING, settings_for

_LIMIT = 0.3
# The read timeout of the settings: without the limit a request lasts longer than this.
_UNBOUNDED = 5.0
_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"


@pytest.fixture
def dripping():
    """Return a function that starts a server: it sends the first part at once, then one byte of the second now and then."""
    stop, opened = threading.Event(), []

    def drip(listener, first, second):
        with suppress(OSError):
            connection, _ = listener.accept()
            opened.append(connection)
            connection.recv(65_536)
            connection.sendall(first)
            for byte in second:
                if stop.wait(0.05):
                    return
                connection.sendall(bytes([byte]))
            stop.wait(30)

    def start(first, second):
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)
        threading.Thread(target=drip, args=(listener, first, second), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    stop.set()
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"", b""),
        (b"", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 500),
        (_HEADERS, b"x" * 500),
        (_CHUNKS, b"x" * 500),
        (_HEADERS[:20], b""),
    ],
    ids=["hangs", "headers", "body", "chunks", "stops"],
)
@pytest.mark.parametrize("own", [False, True], ids=["built-in", "own"])
def test_a_slow_answer_is_cut(dripping, own, first, second):
    """W2: whatever part of an answer comes slowly, the request ends in time, and it may have been applied."""
    if own and second.startswith(b"HTTP"):
        pytest.skip("a session of the caller's own cannot bound headers that come byte by byte")
    session = requests.Session() if own else None
    transport = HttpTransport(settings_for(dripping(first, second)), session=session)
    began_at = time.monotonic()

    with pytest.raises(ReadFailed):
        transport.send(Request("GET", "/me", timeout=_LIMIT))

    assert time.monotonic() - began_at < _UNBOUNDED
    transport.close()
    if session is not None:
        session.close()


def test_an_address_that_does_not_answer_is_cut(monkeypatch):
    """W2: all addresses of a host share the time; a request that was never sent is ``ConnectFailed``."""
    # With a backlog of one and two waiting connections, the system answers no further one.
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", port))
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
    monkeypatch.setattr(
        time_limits.socket, "getaddrinfo", lambda host, *_: [address] * (50 if host == "many.test" else 1)
    )
    transport = HttpTransport(settings_for(f"http://many.test:{port}"))
    began_at = time.monotonic()

    with pytest.raises(ConnectFailed):
        transport.send(Request("GET", "/me", timeout=_LIMIT))

    assert time.monotonic() - began_at < _UNBOUNDED
    for each in (full, *waiting):
        each.close()
    transport.close()


def test_a_name_that_nobody_knows_is_a_failed_connection(make_transport):
    """T3: with a time limit too, a failed look-up means that nothing was sent."""
    with pytest.raises(ConnectFailed):
        make_transport("http://nobody.invalid").send(Request("GET", "/me", timeout=2.0))


def test_a_look_up_that_took_all_the_time_sends_nothing(monkeypatch):
    """W2: a slow resolver cannot be cut, but no request follows it."""
    with TinyServer() as server:
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        transport = HttpTransport(settings_for(server.url))
        monkeypatch.setattr(time_limits.socket, "getaddrinfo", lambda *_, **__: [address])

        with pytest.raises(ConnectFailed):
            transport.send(Request("GET", "/me", timeout=-1.0))

        assert server.asked == []
        transport.close()


def test_a_connection_serves_longer_requests_after_a_limited_one(make_transport):
    """T3: the time limit of one request does not stay with its connection."""
    with TinyServer() as server:
        transport = make_transport(server.url)
        first = transport.send(Request("GET", "/me", timeout=2.0))
        second = transport.send(PING)

        assert (first.status, second.status) == (200, 200)
        assert [asked.connection for asked in server.asked] == [1, 1]


def test_the_time_limit_is_no_part_of_what_a_request_asks():
    """P3: a transport that compares or shows requests need not know of it."""
    assert Request("GET", "/me", timeout=1.0) == PING
    assert repr(Request("GET", "/me", timeout=1.0)) == repr(PING)
