"""
Bounds a whole exchange over a connection of ours; knows no request.

The time limits of urllib3 are for one step: for each address of a host, and for the next bytes of an answer. A server that sends one byte
now and then could hold a request for ever. Only the look-up of a name cannot be cut: the system's resolver has time limits of its own.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError
from urllib3.util.connection import allowed_gai_family

if TYPE_CHECKING:
    from collections.abc import Iterator

# The end of the exchange in hand on the monotonic clock. A context variable, because greenlets share a thread.
_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[float]:
    """Bound what connections of ``BoundedHttp`` and ``BoundedHttps`` do inside; yield the end on the monotonic clock."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield _ends_at.get() or 0.0
    finally:
        _ends_at.reset(token)


class _BoundedReader(io.RawIOBase):
    """Reads from *reader*, whose bytes come from *connected*, until the exchange must end."""

    def __init__(self, reader: Any, connected: socket.socket, ends_at: float) -> None:
        self._reader = reader
        self._socket = connected
        self._ends_at = ends_at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        _shorten(self._socket, self._ends_at)
        count: int = self._reader.readinto1(buffer)
        return count

    def close(self) -> None:
        self._reader.close()
        super().close()


def bound(answer: Any, connected: socket.socket | None, ends_at: float) -> None:
    """Bound what is still to be read of *answer*, a response of ``http.client``."""
    if connected is not None and hasattr(answer.fp, "readinto1"):
        answer.fp = io.BufferedReader(_BoundedReader(answer.fp, connected, ends_at))


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        ends_at = _ends_at.get()
        if ends_at is not None:
            bound(self, sock, ends_at)


class BoundedHttp(urllib3.connection.HTTPConnection):
    """A connection whose every step ends within the time limit, if there is one."""

    response_class = _BoundedResponse

    def _new_conn(self) -> socket.socket:
        ends_at = _ends_at.get()
        if ends_at is None:
            return super()._new_conn()
        host, longest = self._dns_host, self.timeout
        try:
            return self._connected(ends_at, longest)
        finally:
            self._dns_host, self.timeout = host, longest

    def _connected(self, ends_at: float, longest: Any) -> socket.socket:
        """Try the addresses of the host one by one: urllib3 gives each of them the whole time."""
        host = self._dns_host
        try:
            found = socket.getaddrinfo(host.strip("[]"), self.port, allowed_gai_family(), socket.SOCK_STREAM)
        except OSError as error:
            raise NameResolutionError(host, self, error) from error  # type: ignore[arg-type]  # a subclass, or an error of a greenlet's resolver
        failure: HTTPError = ConnectTimeoutError(self, f"no time left to connect to {host}")
        for *_, address in found:
            left = ends_at - time.monotonic()
            if left <= 0:
                break
            self._dns_host = str(address[0])
            self.timeout = min(left, longest) if isinstance(longest, int | float) else left
            try:
                connected = super()._new_conn()
            except HTTPError as error:
                failure = error
                continue
            # For the TLS handshake that follows.
            _shorten(connected, ends_at)
            return connected
        raise failure

    def send(self, data: Any) -> None:
        ends_at = _ends_at.get()
        if ends_at is not None and self.sock is not None:
            _shorten(self.sock, ends_at)
        super().send(data)


class BoundedHttps(BoundedHttp, urllib3.connection.HTTPSConnection):
    """The same over TLS."""


def _shorten(connected: socket.socket, ends_at: float) -> None:
    """
    Let the next step of *connected* last until *ends_at* at most.

    Raises:
        TimeoutError: There is no time left.
    """
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time limit of the request is over")
    longest = connected.gettimeout()
    if longest is None or left < longest:
        connected.settimeout(left)
