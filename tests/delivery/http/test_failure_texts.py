"""What a missing answer says: which host and port were asked, and what was wrong; never a secret."""

from __future__ import annotations

import socket
import threading

import pytest

from metarouter_intercom import Settings
from metarouter_intercom._delivery.http.transport import HttpTransport
from metarouter_intercom.errors import ConnectFailed, ReadFailed, TransportError
from metarouter_intercom.plugins import Request


@pytest.fixture
def closed_port():
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def rude_port():
    """A port whose server answers nothing that is HTTP or TLS, and closes the connection."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            while True:
                connection, _ = server.accept()
                with connection:
                    connection.recv(10_000)
                    connection.sendall(b"nonsense\r\n\r\n")
        except OSError:
            return

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def _failure(address):
    transport = HttpTransport(
        Settings(api_key="secret-key", base_url=address, connect_timeout=5, read_timeout=5)
    )
    try:
        with pytest.raises(TransportError) as caught:
            transport.send(Request("GET", "/me"))
    finally:
        transport.close()
    assert "secret" not in str(caught.value)
    return caught.value


def test_a_refused_connection_names_the_address(closed_port):
    """A refused connection says so, with host and port."""
    failure = _failure(f"http://127.0.0.1:{closed_port}/path")

    assert isinstance(failure, ConnectFailed)
    assert f" at 127.0.0.1:{closed_port}: connection refused)" in str(failure)


def test_an_unknown_name_is_named():
    """A name that cannot be resolved is said, with the usual port of the address."""
    assert " at no-such-host.invalid:443: the name cannot be resolved)" in str(
        _failure("https://no-such-host.invalid")
    )


def test_a_server_without_tls_is_named(rude_port):
    """A server that does not speak TLS is said."""
    assert f" at 127.0.0.1:{rude_port}: TLS failed: " in str(_failure(f"https://127.0.0.1:{rude_port}"))


def test_a_server_without_http_is_named(rude_port):
    """A server that answers no HTTP is named; the request may have arrived."""
    failure = _failure(f"http://127.0.0.1:{rude_port}")

    assert isinstance(failure, ReadFailed)
    assert f" at 127.0.0.1:{rude_port}" in str(failure)


def test_a_proxy_is_named(closed_port, monkeypatch):
    """A proxy that does not answer is named with its host and port, without its password."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{closed_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    text = str(_failure("https://api.intercom.invalid"))

    assert " at api.intercom.invalid:443: the proxy" in text
    assert f"127.0.0.1:{closed_port}" in text
