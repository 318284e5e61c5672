"""Runs a WSGI application for one request on an open connection: how the sandbox's pages are mounted."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

Write = Callable[[bytes], object]
# The interpreter's own name for this exists since 3.11 only.
WsgiApp = Callable[[dict[str, Any], Callable[..., Write]], Iterable[bytes]]

# These statuses never have a body: a client takes what follows the headers for the next answer (RFC 9112, 6.3).
_WITHOUT_BODY = ("1", "204", "304")


def run_wsgi(
    app: WsgiApp, method: str, path: str, headers: Mapping[str, str], content: bytes, write: Write
) -> bool:
    """Answer one request through *app*; an answer of unknown length is streamed. Returns whether to keep the connection."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, fields: list[tuple[str, str]], _failure: object = None) -> Write:
        begun[:] = [(status, fields)]
        return lambda text: parts.append(text)

    parts: list[bytes] = []
    body = app(_environ(method, path, headers, content), start_response)
    try:
        return _send(begun, parts, body, write, head_only=method == "HEAD")
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


def _send(
    begun: list[tuple[str, list[tuple[str, str]]]],
    parts: list[bytes],
    body: Iterable[bytes],
    write: Write,
    *,
    head_only: bool,
) -> bool:
    chunks = iter(body)
    first = next(chunks, b"")
    status, fields = begun[0]
    known = any(name.lower() == "content-length" for name, _ in fields)
    bare = head_only or status.startswith(_WITHOUT_BODY)
    lines = [f"HTTP/1.1 {status}\r\n", *(f"{name}: {value}\r\n" for name, value in fields)]
    if not known and not bare:
        lines.append("Transfer-Encoding: chunked\r\n")
    write("".join(lines).encode("latin-1") + b"\r\n")
    if bare:
        return True
    for chunk in _all(parts, first, chunks):
        write(chunk if known else b"%x\r\n%b\r\n" % (len(chunk), chunk))
    if not known:
        write(b"0\r\n\r\n")
    return True


def _all(parts: Iterable[bytes], first: bytes, rest: Iterable[bytes]) -> Iterable[bytes]:
    for group in (parts, (first,), rest):
        for chunk in group:
            if chunk:
                yield chunk


def _environ(method: str, path: str, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    place, _, query = path.partition("?")
    name, _, port = headers.get("host", "localhost").rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(place).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": path,
        "SERVER_NAME": name or "localhost",
        "SERVER_PORT": port if port.isdigit() else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(content)),
        "CONTENT_TYPE": headers.get("content-type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for header, value in headers.items():
        if header not in ("content-length", "content-type"):
            environ[f"HTTP_{header.upper().replace('-', '_')}"] = value
    return environ
