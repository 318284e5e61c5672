"""The sandbox over real sockets: HTTP, and faults that break connections."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import closing

import pytest
import urllib3

from metarouter_intercom.sandbox import Fault, Faults, Sandbox, Workspace
from metarouter_intercom.sandbox.faults import MALFORMED

from ..api_calls import HEADERS, ask


def talk(sandbox: Sandbox, text: bytes) -> bytes:
    """Send raw bytes, half-close, and return everything that comes back."""
    with closing(socket.create_connection((sandbox.host, sandbox.port), timeout=5)) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# --- HTTP -------------------------------------------------------------------------------------------------


def test_a_connection_is_reused(sandbox, pool):
    """One connection carries many requests, each answered as the workspace answers it."""
    made = ask(pool, sandbox, "POST", "/contacts", {"external_id": "ü1"})
    again = ask(pool, sandbox, "POST", "/contacts", {"external_id": "ü1"})
    event = ask(pool, sandbox, "POST", "/events", {"user_id": "ü1", "event_name": "e", "created_at": 1})

    assert (made.status, again.status, event.status, event.data) == (200, 409, 202, b"")
    assert made.json()["external_id"] == "ü1"
    assert made.headers["X-RateLimit-Limit"] == "1666"
    assert pool.connection_from_url(sandbox.url).num_connections == 1
    assert sandbox.workspace.violations == []


def test_over_http_every_header_must_be_sent(sandbox, pool):
    """A header that may be missing in process must be sent over HTTP."""
    bare = pool.request("GET", f"{sandbox.url}/me")
    no_version = pool.request("GET", f"{sandbox.url}/me", headers={**HEADERS, "Intercom-Version": ""})
    no_accept = talk(
        sandbox, b"GET /me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sandbox-token\r\n\r\n"
    )

    assert (bare.status, bare.json()["errors"][0]["code"]) == (401, "missing_authorization")
    assert no_version.status == 200
    assert no_accept.startswith(b"HTTP/1.1 406 Not Acceptable\r\n")
    assert [one.rule for one in sandbox.workspace.violations] == [
        "unauthorized",
        "missing_version",
        "not_acceptable",
    ]


def raw(body: bytes = b"", *more: bytes, line: bytes = b"POST /contacts HTTP/1.1") -> bytes:
    """Return a request with good credentials and *more* headers."""
    named = [f"{name}: {value}".encode() for name, value in HEADERS.items()]
    return b"\r\n".join([line, b"Host: localhost", *named, *more, b"", body])


def test_chunked_bodies_are_read(sandbox):
    """A chunked body may have extensions and trailers."""
    body = b'7;x=1\r\n{"exter\r\nf\r\nnal_id": "u1"  \r\n2\r\n }\r\n0\r\nTrailer: 1\r\n\r\n'

    assert talk(sandbox, raw(body, b"Transfer-Encoding: chunked")).startswith(b"HTTP/1.1 200 OK")
    assert sandbox.workspace.contact("u1") is not None


def test_a_client_may_wait_before_it_sends_the_body(sandbox):
    """A request with Expect: 100-continue gets 100 Continue before its body is read."""
    body = b'{"external_id": "u1"}'

    answer = talk(sandbox, raw(body, b"Expect: 100-continue", b"Content-Length: %d" % len(body)))

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_requests_may_be_pipelined(sandbox):
    """Responses come in the order of the requests, and an empty line between requests is allowed."""
    one = raw(b"", line=b"GET /me HTTP/1.1")
    two = raw(b"", line=b"GET http://localhost/contacts HTTP/1.1")
    three = raw(b"", line=b"OPTIONS * HTTP/1.1")

    answer = talk(sandbox, one + b"\r\n" + two + three)

    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200", b"404"]
    assert [exchange.path for exchange in sandbox.workspace.requests] == ["/me", "/contacts", "/*"]


@pytest.mark.parametrize(
    ("line", "header", "kept"),
    [
        (b"GET /me HTTP/1.1", b"Connection: close", False),
        (b"GET /me HTTP/1.0", b"X: y", False),
        (b"GET /me HTTP/1.0", b"Connection: keep-alive", True),
    ],
)
def test_when_a_connection_stays_open(sandbox, line, header, kept):
    """By default HTTP/1.1 keeps the connection open and HTTP/1.0 closes it; the Connection header decides otherwise."""
    request = raw(b"", header, line=line)

    assert talk(sandbox, request + request).count(b"HTTP/1.1 200") == 1 + kept


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"GET /me SMTP/1\r\n\r\n",
        b"GET /me HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /me HTTP/1.1\r\n"
        + b"a: b\r\n" * 300
        + b"".join(b"h%d: x\r\n" % n for n in range(300))
        + b"\r\n",
        raw(b"", b"Content-Length: -1"),
        raw(b"", b"Content-Length: 99999999999"),
        raw(b"zz\r\n", b"Transfer-Encoding: chunked"),
        raw(b"-1\r\n", b"Transfer-Encoding: chunked"),
    ],
)
def test_what_is_no_http_is_400(sandbox, text):
    """Bytes that are not HTTP get 400, and the connection is closed."""
    answer = talk(sandbox, text)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close" in answer


def test_a_request_that_breaks_off_has_no_effect(sandbox, pool):
    """A request with half a body is not applied, and the server continues."""
    assert talk(sandbox, raw(b'{"external', b"Content-Length: 50")) == b""
    assert ask(pool, sandbox, "GET", "/me").status == 200
    assert sandbox.workspace.contacts() == []


def test_many_connections_at_once(sandbox):
    """Threads on many connections do not damage the workspace."""
    body = b'{"user_id": "u1", "event_name": "e", "created_at": %d}'

    def send(number: int) -> None:
        content = body % number
        talk(sandbox, raw(content, b"Content-Length: %d" % len(content), line=b"POST /events HTTP/1.1"))

    talk(sandbox, raw(b'{"external_id": "u1"}', b"Content-Length: 21"))
    threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 41)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(sandbox.workspace.events("u1")) == 40


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"localhost:8123", 200),
        (b"127.0.0.1:8123", 200),
        (b"[::1]:8123", 200),
        (b"workspace.localhost", 200),
        (b"", 200),
        (b"attacker.example", 403),
        (b"localhost.attacker.example:8123", 403),
        (b"127.0.0.1.attacker.example", 403),
        (b"[::1", 403),
    ],
)
@pytest.mark.parametrize("place", [b"/me", b"/ui/people", b"/_sandbox/stats"])
def test_website_names_are_refused_on_loopback(sandbox, host, status, place):
    """On a loopback address only local names are answered, so that no website can make its own name lead here."""
    request = raw(b"", line=b"GET %b HTTP/1.1" % place).replace(b"Host: localhost", b"Host: " + host)
    if place != b"/me":
        request = request.replace(b"Authorization: Bearer sandbox-token\r\n", b"")

    assert talk(sandbox, request).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(("host", "status"), [("0.0.0.0", 200), ("127.0.0.2", 403), ("localhost", 403)])
def test_every_name_is_answered_on_other_addresses(host, status):
    """A sandbox that listens on more than loopback answers requests for any name."""
    with Sandbox(host=host) as sandbox:
        answer = talk(sandbox, b"GET /ui/people HTTP/1.1\r\nHost: sandbox.example\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 %d " % status)


def test_an_answer_without_a_body_is_followed_by_the_next(sandbox):
    """The pages' 304 has no body and no length, and the connection stays usable."""
    page = talk(sandbox, b"GET /ui/people HTTP/1.1\r\nHost: localhost\r\n\r\n")
    mark = re.search(rb'data-mark="&#34;(.+?)&#34;"', page)[1]
    again = b'GET /ui/people HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: "%b"\r\n\r\n' % mark

    received = talk(sandbox, again + b"HEAD /ui/people HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert re.findall(rb"HTTP/1.1 \d+", received) == [b"HTTP/1.1 304", b"HTTP/1.1 200"]
    assert b"Transfer-Encoding" not in received
    assert received.endswith(b"\r\n\r\n")


# --- faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "applied"), [("reset", 0), ("lost", 1), ("truncated", 1), ("hang", 0)])
def test_faults_break_connections(sandbox, pool, kind, applied):
    """A fault breaks the connection before or after the request is applied, and the next request succeeds."""
    sandbox.faults = Faults(script=(Fault(kind),), hang_seconds=0.05)
    assert sandbox.faults.script == (Fault(kind),)

    with pytest.raises(urllib3.exceptions.HTTPError):
        ask(pool, sandbox, "POST", "/contacts", {"external_id": "u1"})

    assert len(sandbox.workspace.contacts()) == applied
    assert ask(pool, sandbox, "GET", "/me").status == 200


def test_a_malformed_answer_hides_what_was_applied(sandbox, pool):
    """The request is applied and the response arrives whole, but its body is not JSON."""
    sandbox.faults = Faults(script=(Fault("malformed"),))

    answer = ask(pool, sandbox, "POST", "/contacts", {"external_id": "u1"})

    assert (answer.status, answer.data) == (200, MALFORMED.encode())
    assert len(sandbox.workspace.contacts()) == 1


def test_somebody_else_answers(sandbox, pool):
    """A proxy's page with a status of its own and the answer of another server arrive whole and apply nothing."""
    sandbox.faults = Faults(script=(Fault("html", 407), Fault("html", 999), Fault("stranger")))

    answers = [ask(pool, sandbox, "POST", "/contacts", {"external_id": "u1"}) for _ in range(3)]

    assert [answer.status for answer in answers] == [407, 999, 200]
    assert answers[0].headers["content-type"] == "text/html"
    assert answers[2].json() == {"status": "ok"}
    assert sandbox.workspace.contacts() == []


def test_faults_answer_instead(sandbox, pool):
    """Faults can answer a status with Intercom's body and headers, answer a proxy's page, or delay the response."""
    sandbox.faults = Faults(script=(Fault("status", 500), Fault("html"), Fault("status", 299)), latency=0.01)

    answers = [ask(pool, sandbox, "POST", "/contacts", {"external_id": "u1"}) for _ in range(4)]

    assert [answer.status for answer in answers] == [500, 502, 299, 200]
    assert answers[0].json()["errors"][0]["message"] == "Server Error"
    assert "X-RateLimit-Reset" in answers[0].headers
    assert answers[1].headers["Content-Type"] == "text/html"


def test_closing_refuses_connections_until_started_again(pool):
    """After a restart port and workspace are the same, and closing ends hanging requests at once."""
    asked = threading.Event()
    failures: list[type] = []

    def now() -> float:
        asked.set()  # the workspace looks at the clock when a request has arrived
        return 1_700_000_000.0

    sandbox = Sandbox(
        workspace=Workspace(now=now), faults=Faults(script=(Fault("hang"),), hang_seconds=60)
    ).start()
    sandbox.start()

    def hang() -> None:
        try:
            ask(pool, sandbox, "POST", "/contacts", {"external_id": "u1"})
        except urllib3.exceptions.HTTPError as error:
            failures.append(type(error))

    thread = threading.Thread(target=hang)
    thread.start()
    asked.wait()
    port = sandbox.port
    sandbox.close()
    sandbox.close()
    thread.join()

    assert failures
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        ask(pool, sandbox, "GET", "/me")
    with sandbox:
        assert sandbox.port == port
        assert ask(pool, sandbox, "GET", "/me").status == 200
