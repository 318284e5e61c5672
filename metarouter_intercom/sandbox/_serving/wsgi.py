"""Runs a WSGI application for one request on an open connection; the sandbox's pages run in it. It knows no socket."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from .http_requests import HttpRequest

Write = Callable[[bytes], object]
# The standard library's own type for this exists only since 3.11.
WsgiApp = Callable[[dict[str, Any], Callable[..., Write]], Iterable[bytes]]

# Responses with these statuses have no body, so a client takes what follows the headers for the next response (RFC 9112, 6.3).
_WITHOUT_BODY = ("1", "204", "304")


class _Head(NamedTuple):
    status: str
    headers: list[tuple[str, str]]


def run_wsgi(app: WsgiApp, request: HttpRequest, write: Write) -> None:
    """Answer one request with *app* and write the response with *write*; one of unknown length is sent in chunks."""
    heads: list[_Head] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _failure: object = None) -> Write:
        heads[:] = [_Head(status, headers)]
        return lambda text: written.append(text)

    body = app(_environ(request), start_response)
    try:
        chunks = iter(body)
        # An application may call start_response only when its first chunk is asked for.
        first = next(chunks, b"")
        content = _without_empty(written, (first,), chunks)
        _send(heads[0], content, write, head_only=request.method == "HEAD")
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


def _send(head: _Head, content: Iterable[bytes], write: Write, *, head_only: bool) -> None:
    has_length = any(name.lower() == "content-length" for name, _ in head.headers)
    without_body = head_only or head.status.startswith(_WITHOUT_BODY)
    lines = [f"HTTP/1.1 {head.status}\r\n", *(f"{name}: {value}\r\n" for name, value in head.headers)]
    if not has_length and not without_body:
        lines.append("Transfer-Encoding: chunked\r\n")
    write("".join(lines).encode("latin-1") + b"\r\n")
    if without_body:
        return
    for chunk in content:
        write(chunk if has_length else b"%x\r\n%b\r\n" % (len(chunk), chunk))
    if not has_length:
        write(b"0\r\n\r\n")


def _without_empty(*groups: Iterable[bytes]) -> Iterable[bytes]:
    """Yield the chunks of all groups, except empty ones, which would end a chunked response."""
    for group in groups:
        for chunk in group:
            if chunk:
                yield chunk


def _environ(request: HttpRequest) -> dict[str, Any]:
    path, _, query = request.path.partition("?")
    name, _, port = request.headers.get("host", "localhost").rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": request.path,
        "SERVER_NAME": name or "localhost",
        "SERVER_PORT": port if port.isdigit() else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.content)),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for header, value in request.headers.items():
        if header not in ("content-length", "content-type"):
            environ[f"HTTP_{header.upper().replace('-', '_')}"] = value
    return environ
