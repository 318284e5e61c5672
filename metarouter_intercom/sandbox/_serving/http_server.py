"""
HTTP/1.1 for the sandbox: reading requests, writing answers, and breaking connections when a fault says so.

Own reading instead of ``http.server``'s or a framework's, because the throughput of clients is measured against it: a request
costs 150 microseconds of CPU here, 215 to 260 through ``http.server`` and some 800 through Flask (one keep-alive connection
on loopback, CPython 3.11).
"""

from __future__ import annotations

import functools
import ipaddress
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from metarouter_intercom.plugins import Response

from ..faults import MALFORMED
from ..service import Service, is_api, is_control
from .wsgi import WsgiApp, run_wsgi

_LONGEST_LINE = 65_536
_MOST_HEADERS = 200
_LARGEST_BODY = 64 * 1024 * 1024
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_SPELLING = {
    "x-ratelimit-limit": "X-RateLimit-Limit",
    "x-ratelimit-remaining": "X-RateLimit-Remaining",
    "x-ratelimit-reset": "X-RateLimit-Reset",
    "x-request-id": "X-Request-Id",
    "intercom-version": "Intercom-Version",
    "set-cookie": "Set-Cookie",
    "link": "Link",
}
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class BadRequest(Exception):
    """The bytes on the connection are no HTTP request; the text says why."""


class HttpRequest(NamedTuple):
    """One request as it came over the connection; names of headers in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes
    keep_alive: bool


class SandboxServer(socketserver.ThreadingTCPServer):
    """Listens, and serves each connection in a thread of its own."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], service: Service, app: WsgiApp) -> None:
        self.service = service
        self.app = app
        self.closing = threading.Event()
        self.local_only = _is_loopback(address[0])
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Connection)

    def enter(self, connection: socket.socket) -> None:
        """Remember an open connection and the thread that serves it."""
        with self._connections_lock:
            self._connections[connection] = threading.current_thread()

    def leave(self, connection: socket.socket) -> None:
        """Forget a connection that its own thread is closing."""
        with self._connections_lock:
            self._connections.pop(connection, None)

    def close_connections(self, *, timeout: float) -> None:
        """End hangs, close what is open, and wait for the threads."""
        self.closing.set()
        with self._connections_lock:
            open_now = dict(self._connections)
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its own thread was faster
        for thread in open_now.values():
            thread.join(timeout)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that went away in the middle; tell everything else."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Connection(socketserver.StreamRequestHandler):
    """One connection; requests on it are answered one after the other."""

    server: SandboxServer
    disable_nagle_algorithm = True
    rbufsize = 65_536

    def setup(self) -> None:
        super().setup()
        self.server.enter(self.connection)

    def finish(self) -> None:
        self.server.leave(self.connection)
        super().finish()

    def handle(self) -> None:
        keep = True
        while keep and not self.server.closing.is_set():
            try:
                request = self._read()
            except BadRequest as error:
                self._write(Response(400, {"error": str(error)}), keep_alive=False)
                return
            if request is None:
                return
            keep = self._respond(request) and request.keep_alive

    # --- reading ---

    def _read(self) -> HttpRequest | None:
        line = self._line()
        if line == b"\r\n":  # a stray line between requests is allowed
            line = self._line()
        if not line:
            return None
        words = line.split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            raise BadRequest("malformed request line")
        headers = self._headers()
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        content = self._content(headers)
        connection = headers.get("connection", "").lower()
        keep = connection != "close" if words[2] == b"HTTP/1.1" else connection == "keep-alive"
        path = words[1].decode("latin-1")
        if not path.startswith("/"):
            path = f"/{urlsplit(path)._replace(scheme='', netloc='').geturl().lstrip('/')}"
        return HttpRequest(words[0].decode("latin-1"), path, headers, content, keep)

    def _line(self) -> bytes:
        line = self.rfile.readline(_LONGEST_LINE + 1)
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
        content = self.rfile.read(size) if size else b""
        if len(content) < size:
            raise ConnectionResetError("the request broke off")
        return content

    # --- answering ---

    def _respond(self, request: HttpRequest) -> bool:
        """Answer *request*; tell whether the connection can go on."""
        server = self.server
        if server.local_only and not _is_local_name(request.headers.get("host", "")):
            # A website elsewhere could let its own name lead here, and its script would then read what is here.
            text = "this sandbox answers to localhost and to addresses only; serve it on another host to use other names"
            self._write(Response(403, {"error": text}), keep_alive=request.keep_alive)
            return True
        if is_api(request.path, request.headers):
            return self._respond_as_intercom(request)
        if is_control(request.path):
            self._write(server.service.control(request.method, request.path, request.content))
            return True
        return run_wsgi(
            server.app, request.method, request.path, request.headers, request.content, self.wfile.write
        )

    def _respond_as_intercom(self, request: HttpRequest) -> bool:
        meeting = self.server.service.meet(request.method, request.path, request.headers, request.content)
        if meeting.delay > 0:
            self.server.closing.wait(meeting.delay)
        kind = None if meeting.fault is None else meeting.fault.kind
        if meeting.answer is not None and kind != "truncated":
            self.wfile.write(
                _encode(meeting.answer, keep_alive=request.keep_alive, is_malformed=kind == "malformed")
            )
            return True
        if kind == "truncated" and meeting.answer is not None:
            whole = _encode(meeting.answer, keep_alive=False)
            self.wfile.write(whole[: -max(1, len(whole) // 4)])
        elif kind == "html":
            head = f"{_STATUS_LINES[502]}Content-Type: text/html\r\nContent-Length: {len(_HTML)}\r\n\r\n"
            self.wfile.write(head.encode() + _HTML)
            return True
        elif kind == "hang":
            self.server.closing.wait(self.server.service.faults.hang_seconds)
        else:
            self._reset()
        return False

    def _write(self, answer: Response, *, keep_alive: bool = True) -> None:
        self.wfile.write(_encode(answer, keep_alive=keep_alive))

    def _reset(self) -> None:
        # Closing with a linger time of zero sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _encode(answer: Response, *, keep_alive: bool, is_malformed: bool = False) -> bytes:
    content = b"" if answer.body is None else json.dumps(answer.body).encode()
    if is_malformed:
        content = MALFORMED.encode()
    lines = [
        _STATUS_LINES.get(answer.status, f"HTTP/1.1 {answer.status} Unknown\r\n"),
        f"Date: {formatdate(usegmt=True)}\r\n",
        "Content-Type: application/json; charset=utf-8\r\n" if content else "",
        f"Content-Length: {len(content)}\r\n",
        "" if keep_alive else "Connection: close\r\n",
    ]
    lines += [f"{_SPELLING.get(name, name)}: {value}\r\n" for name, value in answer.headers.items()]
    return "".join(lines).encode("latin-1", "replace") + b"\r\n" + content


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@functools.lru_cache(maxsize=64)
def _is_local_name(host: str) -> bool:
    """Tell whether *host* cannot be another site's name: none at all, an address, or a name that always means this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if not name or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
