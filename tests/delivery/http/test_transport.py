"""One request, one answer (rule T3): over real sockets where bytes matter, with ``responses`` where only requests and answers do."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import socket
import ssl
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import responses
import trustme
import urllib3
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from metarouter_intercom import ConfigurationError, ConnectFailed, ReadFailed, Settings, TransportError
from metarouter_intercom._delivery.http.failures import transport_error_of
from metarouter_intercom._delivery.http.transport import HttpTransport, _content
from metarouter_intercom.plugins import Request, Response

from ..._support.tiny_server import OK, Last, Reset, Stall, TinyServer
from ..._support.twins import assert_twins_agree, mostly

_PING = Request("GET", "/me")
_WRITE = Request("POST", "/contacts", {"external_id": "u-1", "name": "Zoë"})
_SETTINGS = {"api_key": "secret-key", "connect_timeout": 2.0, "read_timeout": 5.0, "workers": 4}
# The built-in session and the caller's own one must behave alike.
_SESSIONS = ("built-in", "own")


def _settings(address, **choices):
    return Settings(**_SETTINGS | {"base_url": address} | choices)


@pytest.fixture(params=_SESSIONS)
def make_transport(request):
    """Return a function that makes a transport to an address: first the built-in one, then one over the caller's own session."""
    made = []

    def make(address, **choices):
        session = requests.Session() if request.param == "own" else None
        made.append((HttpTransport(_settings(address, **choices), session=session), session))
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


# --- what is sent -----------------------------------------------------------------------------------------


def test_every_request_carries_what_intercom_needs(make_transport):
    """Every request has Authorization, version, Accept, Content-Type and User-Agent, and a body of compact JSON."""
    with TinyServer() as server:
        answer = make_transport(server.url).send(_WRITE)
        asked = server.asked[0]

    assert (answer.status, answer.body) == (200, {"ok": True})
    assert (asked.method, asked.target) == ("POST", "/contacts")
    assert json.loads(asked.body) == _WRITE.body
    assert asked.headers["content-length"] == str(len(asked.body))
    assert {
        name: asked.headers[name] for name in ("authorization", "intercom-version", "accept", "content-type")
    } == {
        "authorization": "Bearer secret-key",
        "intercom-version": "2.16",
        "accept": "application/json",
        "content-type": "application/json",
    }
    assert asked.headers["user-agent"].startswith("metarouter-intercom/")


def test_the_version_is_a_setting(make_transport):
    """``api_version`` is sent with every request."""
    with TinyServer() as server:
        make_transport(server.url, api_version="Preview").send(_PING)

        assert server.asked[0].headers["intercom-version"] == "Preview"


def test_a_request_may_add_headers(make_transport):
    """Headers of a request are sent in addition to those that are always sent."""
    with TinyServer() as server:
        make_transport(server.url).send(Request("GET", "/me", headers={"X-Extra": "1"}))

        assert server.asked[0].headers["x-extra"] == "1"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
def test_a_request_without_a_body_has_none(make_transport, method):
    """A request without a body sends none, and a write says so by its length."""
    with TinyServer() as server:
        make_transport(server.url).send(Request(method, "/contacts/1"))
        asked = server.asked[0]

    assert asked.body == b""
    assert asked.headers.get("content-length", "0") == "0"
    assert ("content-length" in asked.headers) or method in ("GET", "DELETE")


@pytest.mark.parametrize(
    ("path", "target"), [("", "/me"), ("/intercom/v1", "/intercom/v1/me"), ("/x/", "/x/me")]
)
def test_a_base_url_may_have_a_path(make_transport, path, target):
    """A gateway in front of Intercom may have a path in its address."""
    with TinyServer() as server:
        make_transport(server.url + path).send(_PING)

        assert server.asked[0].target == target


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_and_names_are_addresses(make_transport):
    """``base_url`` may hold an IPv6 address, or a name such as localhost."""
    try:
        six = TinyServer(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with six, TinyServer() as four:
        assert make_transport(six.url).send(_PING).status == 200
        assert make_transport(f"http://localhost:{four.port}").send(_PING).status == 200
        assert six.asked[0].headers["host"] == f"[::1]:{six.port}"


@pytest.mark.parametrize(
    "address",
    ["ftp://example.com", "example.com", "https://", "http://[::1", "http://example.com:port", "http://h:0"],
)
def test_a_wrong_address_is_refused_at_once(address):
    """A wrong ``base_url`` raises when the client is made, not at the first message."""
    with pytest.raises(ConfigurationError, match="base_url"):
        HttpTransport(_settings(address))


# --- what comes back --------------------------------------------------------------------------------------


def _answer(body=b"", *headers, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (_answer(b"", status="204 No Content"), Response(204)),
        (_answer(b'{"a": 1}', status="404 Not Found"), Response(404, {"a": 1})),
        (_answer(b"[1]", status="500 Internal Server Error"), Response(500, [1])),
        (_answer(b"<html>", status="502 Bad Gateway"), Response(502, "<html>")),
        (_answer(b'{"a": ', status="200 OK"), Response(200, '{"a": ')),
        (_answer(b"\xff\xfe", status="200 OK"), Response(200, "\ufffd\ufffd")),
        (_answer(b"[" * 100_000), Response(200, "[" * 100_000)),
        (_answer(b"null"), Response(200)),
    ],
)
def test_any_status_and_body_is_an_answer(make_transport, sent, answer):
    """An HTTP status is an answer, never an error; a body that is no JSON is returned as its text."""
    with TinyServer(lambda asked: sent) as server:
        got = make_transport(server.url).send(_PING)

    assert (got.status, got.body) == (answer.status, answer.body)


def test_header_names_are_in_lower_case(make_transport):
    """Code that reads headers need not know how a server spells their names."""
    with TinyServer(lambda asked: _answer(b"{}", "X-RateLimit-Limit: 7", "X-REQUEST-ID: r1")) as server:
        got = make_transport(server.url).send(_PING)

    assert (got.headers["x-ratelimit-limit"], got.headers["x-request-id"]) == ("7", "r1")


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)], ids=["gzip", "deflate"]
)
def test_compressed_answers_are_decompressed(make_transport, encoding, pack):
    """A request accepts gzip and deflate, and the transport reads both."""
    packed = _answer(pack(b'{"packed": true}'), f"Content-Encoding: {encoding}")
    with TinyServer(lambda asked: packed) as server:
        got = make_transport(server.url).send(_PING)

        assert got.body == {"packed": True}
        assert "gzip" in server.asked[0].headers["accept-encoding"]


def test_an_answer_in_chunks_is_joined(make_transport):
    """An answer without a length is read to its end, and its connection is used again."""
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"a": \r\n2\r\n1}\r\n0\r\n\r\n'
    with TinyServer(lambda asked: chunked) as server:
        transport = make_transport(server.url)
        answers = [transport.send(_PING).body for _ in range(3)]

        assert answers == [{"a": 1}] * 3
        assert server.connections == 1


@pytest.mark.parametrize("how", ["length", "chunks", "packed"])
def test_a_huge_answer_is_not_read_to_its_end(make_transport, how):
    """A broken peer must not fill the memory: more than 10 MiB cannot be an answer of Intercom."""
    if how == "length":
        sent = Last(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * (11 * 2**20))
    elif how == "packed":
        sent = _answer(gzip.compress(b" " * (50 * 2**20)), "Content-Encoding: gzip")
    else:
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        sent = Last(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 11
        )
    with TinyServer(lambda asked: sent) as server, pytest.raises(ReadFailed, match="larger"):
        make_transport(server.url).send(_PING)


# --- connections ------------------------------------------------------------------------------------------


def test_requests_of_one_thread_share_a_connection(make_transport):
    """A connection is kept open for the next request."""
    with TinyServer() as server:
        transport = make_transport(server.url)
        for _ in range(20):
            transport.send(_WRITE)

        assert server.connections == 1


def test_workers_share_one_pool(make_transport):
    """However many requests there are, there are never more connections than threads."""
    threads = 4
    started = threading.Barrier(threads, timeout=20)

    with TinyServer() as server:
        transport = make_transport(server.url)

        def work(_):
            started.wait()
            return [transport.send(_WRITE).status for _ in range(25)]

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
                for status in pool.map(lambda _: transport.send(_WRITE).status, range(callers))
            ]

    assert statuses == [200] * 2 * callers


def test_a_stale_connection_is_replaced_before_it_is_used(make_transport):
    """If the server has closed an idle connection, the request is sent once, on a new connection."""
    with TinyServer() as server:
        transport = make_transport(server.url)
        transport.send(_WRITE)
        server.close_connections()

        assert transport.send(_WRITE).status == 200
        assert (server.connections, len(server.asked)) == (2, 2)


def test_nothing_is_opened_before_the_first_request():
    """Making and closing a transport opens no connection, and after ``close`` it can be used again."""
    with TinyServer() as server:
        transport = HttpTransport(_settings(server.url))
        transport.close()
        assert server.connections == 0
        transport.send(_PING)
        transport.close()
        transport.send(_PING)
        transport.close()

        assert server.connections == 2


def test_the_cookie_of_recent_writes_is_sent_back_while_it_lasts():
    """With ``recent_write`` Intercom's reads see our writes; other cookies are not kept."""
    headers = (
        "Set-Cookie: session=abc; path=/; expires=Wed, 21 Oct 2099 07:28:00 GMT",
        "Set-Cookie: recent_write=1; path=/; max-age=60",
        "Set-Cookie: other=2",
    )
    with TinyServer(lambda asked: _answer(b"{}", *headers)) as server:
        transport = HttpTransport(_settings(server.url))
        for _ in range(2):
            transport.send(_WRITE)
        transport.close()

        assert "cookie" not in server.asked[0].headers
        assert server.asked[1].headers["cookie"] == "recent_write=1"


def test_an_expired_cookie_is_not_sent_back():
    """The cookie lasts as long as its ``max-age``."""
    with TinyServer(lambda asked: _answer(b"{}", "Set-Cookie: recent_write=1; max-age=0")) as server:
        transport = HttpTransport(_settings(server.url))
        for _ in range(2):
            transport.send(_WRITE)
        transport.close()

        assert [asked.headers.get("cookie") for asked in server.asked] == [None, None]


@pytest.mark.parametrize("age", ["²", "-1", "1e3", "soon", ""])
def test_a_max_age_that_is_no_number_is_ignored(age):
    """A server may send anything as ``max-age``; the answer counts all the same, and the cookie lasts a second."""
    header = f"\r\nSet-Cookie: recent_write=1; max-age={age}\r\n\r\n".encode("latin-1")
    sent = _answer(b"{}").replace(b"\r\n\r\n", header)
    with TinyServer(lambda asked: sent) as server:
        transport = HttpTransport(_settings(server.url))
        statuses = [transport.send(_WRITE).status for _ in range(2)]
        transport.close()

    assert statuses == [200, 200]


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/elsewhere", "/contacts/2"])
@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"]
)
def test_no_redirect_is_followed(make_transport, status, location):
    """T3: a 3xx is an answer; following it could send the token and the data to another host."""
    with TinyServer(lambda asked: _answer(b"", f"Location: {location}", status=status)) as server:
        got = make_transport(server.url).send(_WRITE)

        assert (got.status, got.headers["location"]) == (int(status[:3]), location)
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_no_adapter_repeats_by_itself(make_transport, status):
    """T3: only the client retries, and only the client reads ``Retry-After``."""
    sent = _answer(b"{}", "Retry-After: 0", status=f"{status} Trouble")
    with TinyServer(lambda asked: sent) as server:
        assert make_transport(server.url).send(_WRITE).status == status
        assert len(server.asked) == 1


# --- no answer --------------------------------------------------------------------------------------------


def _unused_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_refused_connection_was_never_sent(make_transport):
    """If nobody listens, the request may be repeated freely."""
    with pytest.raises(ConnectFailed):
        make_transport(f"http://127.0.0.1:{_unused_port()}").send(_WRITE)


def test_an_unknown_host_was_never_sent(make_transport):
    """If the name cannot be looked up, the request may be repeated freely."""
    with pytest.raises(ConnectFailed):
        make_transport("http://no-such-host.invalid").send(_WRITE)


def test_a_request_to_a_connection_that_is_not_accepted_was_never_sent():
    """After a connect timeout, unlike a read timeout, the request was never sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        transport = HttpTransport(
            _settings(f"http://127.0.0.1:{port}", connect_timeout=0.2, read_timeout=0.2)
        )
        with pytest.raises(ConnectFailed):
            transport.send(_WRITE)
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
            transport.send(_WRITE)

        assert transport.send(_WRITE).status == 200
        assert len(server.asked) == 2


def test_lines_that_are_no_headers_are_ignored(make_transport):
    """Garbage between the headers does not cost the answer."""
    sent = Last(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-Request-Id: r1\r\n\x00\x01garbage\r\n\r\n{"a":1}')
    with TinyServer(lambda asked: sent) as server:
        got = make_transport(server.url).send(_PING)

    assert got.status == 200
    assert got.headers["x-request-id"] == "r1"


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
        make_transport(f"https://localhost:{tls_server.port}").send(_WRITE)

    assert tls_server.asked == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_of_the_environment_is_trusted(
    make_transport, tls_server, authority, tmp_path, monkeypatch, variable
):
    """The usual variables name the authorities to trust; the host name in the certificate must match too."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv(variable, str(bundle))

    assert make_transport(f"https://localhost:{tls_server.port}").send(_WRITE).status == 200
    with pytest.raises(ConnectFailed):
        make_transport(f"https://127.0.0.1:{tls_server.port}").send(_WRITE)


def test_a_missing_ca_bundle_is_an_error_that_names_its_variable(monkeypatch, tmp_path):
    """The request was never sent, and the error's text names the variable to correct."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))

    with pytest.raises(ConnectFailed, match="REQUESTS_CA_BUNDLE"):
        HttpTransport(_settings("https://localhost:1")).send(_WRITE)


def test_a_peer_without_tls_was_never_sent_anything(make_transport):
    """If the handshake fails or never ends, the request was never sent."""
    with TinyServer() as server, pytest.raises(ConnectFailed):
        make_transport(f"https://localhost:{server.port}").send(_WRITE)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ConnectFailed):
        make_transport(f"https://127.0.0.1:{silent.getsockname()[1]}", connect_timeout=0.2).send(_WRITE)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(make_transport, monkeypatch, variable):
    """The proxy gets the full address and its own login; the token stays in the request."""
    with TinyServer() as proxy:
        monkeypatch.setenv(variable, f"http://user:word@127.0.0.1:{proxy.port}")
        got = make_transport("http://intercom.example.com/base").send(_PING)
        asked = proxy.asked[0]

    assert got.status == 200
    assert asked.target == "http://intercom.example.com/base/me"
    assert asked.headers["proxy-authorization"].startswith("Basic ")
    assert asked.headers["authorization"] == "Bearer secret-key"


def test_a_host_without_proxy_is_reached_directly(make_transport, monkeypatch):
    """``NO_PROXY`` wins over a proxy."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{_unused_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with TinyServer() as server:
        assert make_transport(server.url).send(_PING).status == 200


def test_a_socks_proxy_that_cannot_be_used_was_never_sent_anything(make_transport, monkeypatch):
    """Whether its library is missing or the proxy is, the request was never sent."""
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{_unused_port()}")

    with pytest.raises(ConnectFailed):
        make_transport("http://intercom.example.com").send(_WRITE)


@pytest.mark.parametrize("answer", [_answer(b"", status="407 Proxy Authentication Required"), Last(b"")])
def test_a_proxy_that_makes_no_tunnel_was_never_sent_anything(make_transport, monkeypatch, answer):
    """HTTPS goes through a tunnel; without a tunnel the request was never sent."""
    with TinyServer(lambda asked: answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ConnectFailed):
            make_transport("https://intercom.example.com").send(_WRITE)

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
        transport = HttpTransport(_settings(server.url), session=session)
        got = transport.send(_WRITE)
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
        HttpTransport(_settings(server.url), session=session).send(_PING)

        assert server.asked[0].headers["authorization"] == "Bearer secret-key"


def test_an_error_of_the_callers_own_hook_is_no_transport_error():
    """An error that has nothing to do with the network is raised as it is."""

    def fail(answer, **_):
        raise LookupError(f"mine: {answer.text}")

    with TinyServer() as server, requests.Session() as session:
        session.hooks["response"].append(fail)
        with pytest.raises(LookupError, match="mine"):
            HttpTransport(_settings(server.url), session=session).send(_PING)


# --- with the responses library ---------------------------------------------------------------------------


@responses.activate
def test_the_responses_library_stands_in_for_intercom(make_transport):
    """Users' tests may mock Intercom as they mock any other service."""
    answer = responses.post(
        "https://api.eu.intercom.io/contacts",
        json={"id": "c1"},
        headers={"X-RateLimit-Remaining": "5"},
        match=[
            responses.matchers.json_params_matcher(_WRITE.body),
            responses.matchers.header_matcher({"Authorization": "Bearer secret-key"}),
        ],
    )
    transport = make_transport(None, region="eu")

    got = transport.send(_WRITE)

    assert (got.status, got.body, got.headers["x-ratelimit-remaining"]) == (200, {"id": "c1"}, "5")
    assert answer.call_count == 1


@responses.activate
def test_a_request_without_a_mock_raises(make_transport):
    """An address without a mock behaves like one that cannot be reached: it raises a TransportError."""
    with pytest.raises(TransportError):
        make_transport(None).send(_PING)


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
        make_transport(f"http://127.0.0.1:{_unused_port()}").send(_WRITE)

    shown = repr(caught.value) + str(caught.value) + repr(caught.value.__cause__)
    assert "secret-key" not in shown


def test_a_circle_of_causes_comes_to_an_end():
    """The search for the cause of an error ends even if the error names itself as its cause."""
    error = requests.ConnectionError()
    error.args = (error, requests.ConnectionError(error))

    assert type(transport_error_of(error)) is ReadFailed


# --- the fast path is the full path -----------------------------------------------------------------------


class _Wire:
    """A socket that has received everything already."""

    def __init__(self, received):
        self._received = received

    def makefile(self, *_):
        return io.BytesIO(self._received)


def _raw_answer(body, length, encoding):
    """Return the answer that an adapter of requests makes from these bytes."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{encoding}\r\n".encode("latin-1")
    plain = http.client.HTTPResponse(_Wire(head + body), method="GET")
    plain.begin()
    raw = urllib3.HTTPResponse(
        body=plain,
        headers=urllib3.HTTPHeaderDict(plain.headers.items()),
        status=200,
        preload_content=False,
        original_response=plain,
        request_method="GET",
    )
    return HTTPAdapter().build_response(requests.Request("GET", "http://127.0.0.1/me").prepare(), raw)


def _outcome(read):
    try:
        return read()
    except Exception as error:
        return type(transport_error_of(error))


def test_a_body_is_read_alike_on_both_paths():
    """T3: a body of known length is read at once to the same bytes as in pieces; a body that is cut short fails on both paths."""
    bodies = st.binary(max_size=9) | st.sampled_from([b"{}", b"x" * 70_000])
    lengths = mostly(
        st.just("right"), st.sampled_from(["", "x", "5", "0", "-1", "\u00b2", "9" * 5_000, str(11 * 2**20)])
    )
    encodings = mostly(
        st.just(""), st.sampled_from(["Content-Encoding: gzip\r\n", "Transfer-Encoding: chunked\r\n"])
    )

    def answer(value):
        body, length, encoding = value
        body = gzip.compress(body) if "gzip" in encoding else body
        return _raw_answer(body, len(body) if length == "right" else length, encoding)

    def fast(value):
        response = answer(value)
        pieces, response.iter_content = [], lambda size: pieces.append(size) or iter(())
        outcome = _outcome(lambda: _content(response))
        return None if pieces else outcome

    def full(value):
        response = answer(value)
        return _outcome(lambda: b"".join(response.iter_content(65_536)))

    assert_twins_agree(fast, full, st.tuples(bodies, lengths, encodings))


@pytest.mark.parametrize("length", ["²", "9" * 5_000, "", "x"])
def test_a_length_that_is_no_number_is_ignored(length):
    """T3: an answer whose ``Content-Length`` Python cannot read is read to its end, like an answer without one."""
    assert _content(_raw_answer(b"{}", length, "")) == b"{}"
