"""Which connections are opened, kept and replaced; cookies, TLS, proxies and the caller's own session (rule T3)."""

from __future__ import annotations

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import trustme

from metarouter_intercom import ConnectFailed
from metarouter_intercom._delivery.http.transport import HttpTransport

from ..._support.tiny_server import OK, Last, TinyServer
from .conftest import PING, WRITE, answer_bytes, settings_for, unused_port

# --- connections ------------------------------------------------------------------------------------------


def test_requests_of_one_thread_share_a_connection(make_transport):
    """A connection is kept open for the next request."""
    with TinyServer() as server:
        transport = make_transport(server.url)
        for _ in range(20):
            transport.send(WRITE)

        assert server.connections == 1


def test_workers_share_one_pool(make_transport):
    """However many requests there are, there are never more connections than threads."""
    threads = 4
    started = threading.Barrier(threads, timeout=20)

    with TinyServer() as server:
        transport = make_transport(server.url)

        def work(_):
            started.wait()
            return [transport.send(WRITE).status for _ in range(25)]

        with ThreadPoolExecutor(threads) as pool:
            statuses = [status for part in pool.map(work, range(threads)) for status in part]

        assert statuses == [200] * 100
        assert server.connections <= threads


def test_more_callers_than_kept_connections_are_served_all_the_same(make_transport):
    """Further callers open further connections, which are closed after use."""
    callers = 8
    together = threading.Barrier(callers, timeout=20)

    def respond(asked):
        together.wait()
        return OK

    with TinyServer(respond) as server:
        transport = make_transport(server.url, workers=1)
        with ThreadPoolExecutor(callers) as pool:
            statuses = [
                status
                for _ in range(2)
                for status in pool.map(lambda _: transport.send(WRITE).status, range(callers))
            ]

    assert statuses == [200] * 2 * callers


def test_a_stale_connection_is_replaced_before_it_is_used(make_transport):
    """If the server has closed an idle connection, the request is sent once, on a new connection."""
    with TinyServer() as server:
        transport = make_transport(server.url)
        transport.send(WRITE)
        server.close_connections()

        assert transport.send(WRITE).status == 200
        assert (server.connections, len(server.asked)) == (2, 2)


def test_nothing_is_opened_before_the_first_request():
    """Making and closing a transport opens no connection, and after ``close`` it can be used again."""
    with TinyServer() as server:
        transport = HttpTransport(settings_for(server.url))
        transport.close()
        assert server.connections == 0
        transport.send(PING)
        transport.close()
        transport.send(PING)
        transport.close()

        assert server.connections == 2


def test_the_cookie_of_recent_writes_is_sent_back_while_it_lasts():
    """With ``recent_write`` Intercom's reads see our writes; other cookies are not kept."""
    headers = (
        "Set-Cookie: session=abc; path=/; expires=Wed, 21 Oct 2099 07:28:00 GMT",
        "Set-Cookie: recent_write=1; path=/; max-age=60",
        "Set-Cookie: other=2",
    )
    with TinyServer(lambda asked: answer_bytes(b"{}", *headers)) as server:
        transport = HttpTransport(settings_for(server.url))
        for _ in range(2):
            transport.send(WRITE)
        transport.close()

        assert "cookie" not in server.asked[0].headers
        assert server.asked[1].headers["cookie"] == "recent_write=1"


def test_an_expired_cookie_is_not_sent_back():
    """The cookie lasts as long as its ``max-age``."""
    with TinyServer(lambda asked: answer_bytes(b"{}", "Set-Cookie: recent_write=1; max-age=0")) as server:
        transport = HttpTransport(settings_for(server.url))
        for _ in range(2):
            transport.send(WRITE)
        transport.close()

        assert [asked.headers.get("cookie") for asked in server.asked] == [None, None]


@pytest.mark.parametrize("age", ["²", "-1", "1e3", "soon", ""])
def test_a_max_age_that_is_no_number_is_ignored(age):
    """A server may send anything as ``max-age``; the answer counts all the same, and the cookie lasts a second."""
    header = f"\r\nSet-Cookie: recent_write=1; max-age={age}\r\n\r\n".encode("latin-1")
    sent = answer_bytes(b"{}").replace(b"\r\n\r\n", header)
    with TinyServer(lambda asked: sent) as server:
        transport = HttpTransport(settings_for(server.url))
        statuses = [transport.send(WRITE).status for _ in range(2)]
        transport.close()

    assert statuses == [200, 200]


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/elsewhere", "/contacts/2"])
@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"]
)
def test_no_redirect_is_followed(make_transport, status, location):
    """T3: a 3xx is an answer; following it could send the token and the data to another host."""
    with TinyServer(lambda asked: answer_bytes(b"", f"Location: {location}", status=status)) as server:
        got = make_transport(server.url).send(WRITE)

        assert (got.status, got.headers["location"]) == (int(status[:3]), location)
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_no_adapter_repeats_by_itself(make_transport, status):
    """T3: only the client retries, and only the client reads ``Retry-After``."""
    sent = answer_bytes(b"{}", "Retry-After: 0", status=f"{status} Trouble")
    with TinyServer(lambda asked: sent) as server:
        assert make_transport(server.url).send(WRITE).status == status
        assert len(server.asked) == 1


# --- TLS and proxies --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority():
    """A certificate authority that no machine trusts."""
    return trustme.CA()


@pytest.fixture
def tls_server(authority):
    """A server with a certificate of that authority for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with TinyServer(tls=context) as server:
        yield server


def test_an_unknown_certificate_is_refused(make_transport, tls_server):
    """TLS certificates are verified: one of an unknown authority ends the connection before anything is sent."""
    with pytest.raises(ConnectFailed):
        make_transport(f"https://localhost:{tls_server.port}").send(WRITE)

    assert tls_server.asked == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_of_the_environment_is_trusted(
    make_transport, tls_server, authority, tmp_path, monkeypatch, variable
):
    """The usual variables name the authorities to trust; the host name in the certificate must match too."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv(variable, str(bundle))

    assert make_transport(f"https://localhost:{tls_server.port}").send(WRITE).status == 200
    with pytest.raises(ConnectFailed):
        make_transport(f"https://127.0.0.1:{tls_server.port}").send(WRITE)


def test_a_missing_ca_bundle_is_an_error_that_names_its_variable(monkeypatch, tmp_path):
    """The request was never sent, and the error's text names the variable to correct."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))

    with pytest.raises(ConnectFailed, match="REQUESTS_CA_BUNDLE"):
        HttpTransport(settings_for("https://localhost:1")).send(WRITE)


def test_a_peer_without_tls_was_never_sent_anything(make_transport):
    """If the handshake fails or never ends, the request was never sent."""
    with TinyServer() as server, pytest.raises(ConnectFailed):
        make_transport(f"https://localhost:{server.port}").send(WRITE)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ConnectFailed):
        make_transport(f"https://127.0.0.1:{silent.getsockname()[1]}", connect_timeout=0.2).send(WRITE)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(make_transport, monkeypatch, variable):
    """The proxy gets the full address and its own login; the token stays in the request."""
    with TinyServer() as proxy:
        monkeypatch.setenv(variable, f"http://user:word@127.0.0.1:{proxy.port}")
        got = make_transport("http://intercom.example.com/base").send(PING)
        asked = proxy.asked[0]

    assert got.status == 200
    assert asked.target == "http://intercom.example.com/base/me"
    assert asked.headers["proxy-authorization"].startswith("Basic ")
    assert asked.headers["authorization"] == "Bearer secret-key"


def test_a_host_without_proxy_is_reached_directly(make_transport, monkeypatch):
    """``NO_PROXY`` wins over a proxy."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with TinyServer() as server:
        assert make_transport(server.url).send(PING).status == 200


def test_a_socks_proxy_that_cannot_be_used_was_never_sent_anything(make_transport, monkeypatch):
    """Whether its library is missing or the proxy is, the request was never sent."""
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{unused_port()}")

    with pytest.raises(ConnectFailed):
        make_transport("http://intercom.example.com").send(WRITE)


@pytest.mark.parametrize("answer", [answer_bytes(b"", status="407 Proxy Authentication Required"), Last(b"")])
def test_a_proxy_that_makes_no_tunnel_was_never_sent_anything(make_transport, monkeypatch, answer):
    """HTTPS goes through a tunnel; without a tunnel the request was never sent."""
    with TinyServer(lambda asked: answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ConnectFailed):
            make_transport("https://intercom.example.com").send(WRITE)

        assert [asked.method for asked in proxy.asked] == ["CONNECT"]


# --- the caller's own session -----------------------------------------------------------------------------


class _Counting(requests.adapters.HTTPAdapter):
    def __init__(self):
        super().__init__()
        self.sent = 0
        self.closed = 0

    def send(self, *args, **kwargs):
        self.sent += 1
        return super().send(*args, **kwargs)

    def close(self):
        self.closed += 1
        super().close()


def test_an_own_session_is_used_as_it_is_and_never_closed():
    """Adapters, headers and hooks of the caller's session are used; closing the transport does not close the session."""
    session, adapter, answers = requests.Session(), _Counting(), []
    session.mount("http://", adapter)
    session.headers["X-Mine"] = "1"
    session.headers["Accept"] = "text/html"
    session.hooks["response"].append(lambda answer, **_: answers.append((answer.status_code, answer.json())))
    with TinyServer() as server:
        transport = HttpTransport(settings_for(server.url), session=session)
        got = transport.send(WRITE)
        transport.close()
        asked = server.asked[0]

    assert got.body == {"ok": True}
    assert (adapter.sent, adapter.closed) == (1, 0)
    assert answers == [(200, {"ok": True})]
    assert (asked.headers["x-mine"], asked.headers["accept"]) == ("1", "application/json")
    session.close()


def test_a_login_of_the_netrc_file_does_not_replace_the_token(tmp_path, monkeypatch):
    """requests would replace the header by a login of ``.netrc``; the access token must win."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with TinyServer() as server, requests.Session() as session:
        HttpTransport(settings_for(server.url), session=session).send(PING)

        assert server.asked[0].headers["authorization"] == "Bearer secret-key"


def test_an_error_of_the_callers_own_hook_is_no_transport_error():
    """An error that has nothing to do with the network is raised as it is."""

    def fail(answer, **_):
        raise LookupError(f"mine: {answer.text}")

    with TinyServer() as server, requests.Session() as session:
        session.hooks["response"].append(fail)
        with pytest.raises(LookupError, match="mine"):
            HttpTransport(settings_for(server.url), session=session).send(PING)
