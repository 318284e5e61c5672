"""Connections follow the threads: as many as there are requests at a time, none kept that nobody uses (rules T3, W1)."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from requests.adapters import HTTPAdapter

from metarouter_intercom import Client
from metarouter_intercom._delivery.http.transport import HttpTransport

from ..._support.tiny_server import OK, TinyServer
from .conftest import WRITE, settings_for

_DEADLINE = 20.0
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


def _send_together(transport, number):
    with ThreadPoolExecutor(number) as pool:
        assert [one.status for one in pool.map(lambda _: transport.send(WRITE), range(number))] == [
            200
        ] * number


def _together(number):
    """Return an answer for which *number* requests must be there at the same time."""
    barrier = threading.Barrier(number, timeout=_DEADLINE)

    def respond(asked):
        barrier.wait()
        return OK

    return respond


def test_connections_of_ended_threads_are_closed():
    """W1: when fewer threads send, the connections beyond their number are closed, and the others serve on."""
    with TinyServer(_together(6)) as server:
        transport = HttpTransport(settings_for(server.url, workers="auto"))
        _send_together(transport, 6)
        pool = transport._keep_connections.__self__._adapter._pool_of_address.pool
        transport.keep_connections(2)

        assert len([one for one in pool._items if one is not None and one.sock is not None]) == 2
        _send_together(transport, 6)
        assert server.connections == 6 + 4
        transport.close()


def test_keeping_connections_before_the_first_request_and_after_the_end_does_nothing():
    """W1: a transport without connections has none to close."""
    with TinyServer() as server:
        transport = HttpTransport(settings_for(server.url))
        transport.keep_connections(1)
        transport.send(WRITE)
        transport.close()
        transport.keep_connections(1)

        assert server.connections == 1


@pytest.mark.parametrize(("pool", "most"), [(None, 10), (3, 3)])
def test_the_callers_own_session_says_how_many_connections_it_has(pool, most):
    """W1: a session of the caller's keeps as many connections as its adapter, and nothing is closed in it."""
    session = requests.Session()
    if pool is not None:
        session.mount("http://", HTTPAdapter(pool_maxsize=pool))
    transport = HttpTransport(settings_for("http://127.0.0.1:1"), session=session)

    transport.keep_connections(0)

    assert transport.most_connections == most
    assert HttpTransport(settings_for("http://127.0.0.1:1")).most_connections is None


class _Paced:
    """Answers the first requests at once, and lets the later ones wait for each other."""

    def __init__(self, first, together):
        self._left = first
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(together, timeout=_DEADLINE)
        self.broken = False

    def __call__(self, asked):
        with self._lock:
            is_first = self._left > 0
            self._left -= 1
        if not is_first:
            try:
                self._barrier.wait()
            except threading.BrokenBarrierError:
                self.broken = True
        return _ACCEPTED


@pytest.mark.parametrize(
    ("options", "together"), [({}, 24), ({"max_workers": 5}, 5), ({"session": None}, 10)]
)
def test_a_backlog_gets_as_many_threads_as_it_takes(caplog, options, together):
    """W1: lanes that are due are sent at the same time, up to the limits; urllib3 has a connection for each thread."""
    caplog.set_level(logging.WARNING, logger="urllib3")
    if "session" in options:
        options = {"session": requests.Session()}
    respond = _Paced(first=16, together=together)
    with TinyServer(respond) as server:
        client = Client(
            api_key="key", base_url=server.url, flush_interval=0.01, spread_events=False, **options
        )
        for number in range(16 + together):
            client.track(f"u-{number}", "Seen")
        report = client.flush(_DEADLINE)
        threads = client.health().workers.threads
        client.close(_DEADLINE)

    assert (report.delivered, respond.broken) == (16 + together, False)
    assert together <= threads <= options.get("max_workers", 64)
    assert server.connections <= threads + 2
    assert [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")] == []
