"""Writes responses as the bytes of HTTP/1.1. Pure, except for the ``Date`` header; it knows no connection."""

from __future__ import annotations

import json
from email.utils import formatdate
from http import HTTPStatus

from metarouter_intercom.plugins import Response

from ..faults import MALFORMED, page_of

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


def encode_page(status: int) -> bytes:
    """Return a proxy's page with *status* as bytes, as the fault ``html`` answers it."""
    content = page_of(status).encode()
    line = _STATUS_LINES.get(status, f"HTTP/1.1 {status} Unknown\r\n")
    return f"{line}Content-Type: text/html\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def encode(response: Response, *, keep_alive: bool, is_malformed: bool = False) -> bytes:
    """Return *response* as bytes; *is_malformed* replaces the body by one that is not JSON."""
    content = b"" if response.body is None else json.dumps(response.body).encode()
    if is_malformed:
        content = MALFORMED.encode()
    lines = [
        _STATUS_LINES.get(response.status, f"HTTP/1.1 {response.status} Unknown\r\n"),
        f"Date: {formatdate(usegmt=True)}\r\n",
        "Content-Type: application/json; charset=utf-8\r\n" if content else "",
        f"Content-Length: {len(content)}\r\n",
        "" if keep_alive else "Connection: close\r\n",
    ]
    lines += [f"{_SPELLING.get(name, name)}: {value}\r\n" for name, value in response.headers.items()]
    return "".join(lines).encode("latin-1", "replace") + b"\r\n" + content
