"""One request, one answer (rule T3): over real sockets where bytes matter, with ``responses`` where only requests and answers do."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import socket
import zlib

import pytest
import requests
import responses
import urllib3
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from metarouter_intercom import ConfigurationError, ReadFailed, TransportError
from metarouter_intercom._delivery.http.failures import transport_error_of
from metarouter_intercom._delivery.http.transport import HttpTransport, _content
from metarouter_intercom.plugins import Request, Response

from ..._support.tiny_server import Last, TinyServer
from ..._support.twins import assert_twins_agree, mostly
from .conftest import PING, WRITE, answer_bytes, settings_for

# --- what is sent -----------------------------------------------------------------------------------------


def test_every_request_carries_what_intercom_needs(make_transport):
    """Every request has Authorization, version, Accept, Content-Type and User-Agent, and a body of compact JSON."""
    with TinyServer() as server:
        answer = make_transport(server.url).send(WRITE)
        asked = server.asked[0]

    assert (answer.status, answer.body) == (200, {"ok": True})
    assert (asked.method, asked.target) == ("POST", "/contacts")
    assert json.loads(asked.body) == WRITE.body
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
        make_transport(server.url, api_version="Preview").send(PING)

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
        make_transport(server.url + path).send(PING)

        assert server.asked[0].target == target


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_and_names_are_addresses(make_transport):
    """``base_url`` may hold an IPv6 address, or a name such as localhost."""
    try:
        six = TinyServer(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with six, TinyServer() as four:
        assert make_transport(six.url).send(PING).status == 200
        assert make_transport(f"http://localhost:{four.port}").send(PING).status == 200
        assert six.asked[0].headers["host"] == f"[::1]:{six.port}"


@pytest.mark.parametrize(
    "address",
    ["ftp://example.com", "example.com", "https://", "http://[::1", "http://example.com:port", "http://h:0"],
)
def test_a_wrong_address_is_refused_at_once(address):
    """A wrong ``base_url`` raises when the client is made, not at the first message."""
    with pytest.raises(ConfigurationError, match="base_url"):
        HttpTransport(settings_for(address))


# --- what comes back --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (answer_bytes(b"", status="204 No Content"), Response(204)),
        (answer_bytes(b'{"a": 1}', status="404 Not Found"), Response(404, {"a": 1})),
        (answer_bytes(b"[1]", status="500 Internal Server Error"), Response(500, [1])),
        (answer_bytes(b"<html>", status="502 Bad Gateway"), Response(502, "<html>")),
        (answer_bytes(b'{"a": ', status="200 OK"), Response(200, '{"a": ')),
        (answer_bytes(b"\xff\xfe", status="200 OK"), Response(200, "\ufffd\ufffd")),
        (answer_bytes(b"[" * 100_000), Response(200, "[" * 100_000)),
        (answer_bytes(b"null"), Response(200)),
    ],
)
def test_any_status_and_body_is_an_answer(make_transport, sent, answer):
    """An HTTP status is an answer, never an error; a body that is no JSON is returned as its text."""
    with TinyServer(lambda asked: sent) as server:
        got = make_transport(server.url).send(PING)

    assert (got.status, got.body) == (answer.status, answer.body)


def test_header_names_are_in_lower_case(make_transport):
    """Code that reads headers need not know how a server spells their names."""
    with TinyServer(lambda asked: answer_bytes(b"{}", "X-RateLimit-Limit: 7", "X-REQUEST-ID: r1")) as server:
        got = make_transport(server.url).send(PING)

    assert (got.headers["x-ratelimit-limit"], got.headers["x-request-id"]) == ("7", "r1")


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)], ids=["gzip", "deflate"]
)
def test_compressed_answers_are_decompressed(make_transport, encoding, pack):
    """A request accepts gzip and deflate, and the transport reads both."""
    packed = answer_bytes(pack(b'{"packed": true}'), f"Content-Encoding: {encoding}")
    with TinyServer(lambda asked: packed) as server:
        got = make_transport(server.url).send(PING)

        assert got.body == {"packed": True}
        assert "gzip" in server.asked[0].headers["accept-encoding"]


def test_an_answer_in_chunks_is_joined(make_transport):
    """An answer without a length is read to its end, and its connection is used again."""
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"a": \r\n2\r\n1}\r\n0\r\n\r\n'
    with TinyServer(lambda asked: chunked) as server:
        transport = make_transport(server.url)
        answers = [transport.send(PING).body for _ in range(3)]

        assert answers == [{"a": 1}] * 3
        assert server.connections == 1


@pytest.mark.parametrize("how", ["length", "chunks", "packed"])
def test_a_huge_answer_is_not_read_to_its_end(make_transport, how):
    """A broken peer must not fill the memory: more than 10 MiB cannot be an answer of Intercom."""
    if how == "length":
        sent = Last(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * (11 * 2**20))
    elif how == "packed":
        sent = answer_bytes(gzip.compress(b" " * (50 * 2**20)), "Content-Encoding: gzip")
    else:
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        sent = Last(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 11
        )
    with TinyServer(lambda asked: sent) as server, pytest.raises(ReadFailed, match="larger"):
        make_transport(server.url).send(PING)


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


# --- with the responses library ---------------------------------------------------------------------------


@responses.activate
def test_the_responses_library_stands_in_for_intercom(make_transport):
    """Users' tests may mock Intercom as they mock any other service."""
    answer = responses.post(
        "https://api.eu.intercom.io/contacts",
        json={"id": "c1"},
        headers={"X-RateLimit-Remaining": "5"},
        match=[
            responses.matchers.json_params_matcher(WRITE.body),
            responses.matchers.header_matcher({"Authorization": "Bearer secret-key"}),
        ],
    )
    transport = make_transport(None, region="eu")

    got = transport.send(WRITE)

    assert (got.status, got.body, got.headers["x-ratelimit-remaining"]) == (200, {"id": "c1"}, "5")
    assert answer.call_count == 1


@responses.activate
def test_a_request_without_a_mock_raises(make_transport):
    """An address without a mock behaves like one that cannot be reached: it raises a TransportError."""
    with pytest.raises(TransportError):
        make_transport(None).send(PING)
