"""A small server whose every byte a test decides, to send what a well-behaved server never sends."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


class Asked(NamedTuple):
    """One request as it arrived; header names in lower case; *connection* counts from 1."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


class Last(bytes):
    """An answer; then the connection is closed."""


class Stall(bytes):
    """A part of an answer; nothing follows it until the server is closed."""


class Reset(bytes):
    """A part of an answer; then the connection is reset."""


class TinyServer:
    """
    Listens on a free port inside ``with``; each connection has a thread of its own.

    Args:
        respond: Returns the whole answer to a request, as bytes.
        host: A loopback address.
        tls: The context for TLS; None means plain HTTP.
    """

    def __init__(
        self,
        respond: Callable[[Asked], bytes] = lambda asked: OK,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._respond = respond
        self._tls = tls
        self._host = host
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.asked: list[Asked] = []
        self.connections = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The address for a client."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def close_connections(self) -> None:
        """Close every connection properly, as a server does with idle connections."""
        with self._lock:
            for connection in self._sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            served = self._threads[1:]
        for thread in served:
            thread.join(10)

    def __enter__(self) -> TinyServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, name="tiny-server", daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self._sockets.append(connection)
            with connection, connection.makefile("rb") as reader:
                while (asked := _read(reader, number)) is not None:
                    with self._lock:
                        self.asked.append(asked)
                    answer = self._respond(asked)
                    connection.sendall(answer)
                    if isinstance(answer, Stall):
                        self._closing.wait(30)
                        return
                    if isinstance(answer, Reset):
                        # A linger time of zero sends RST instead of FIN.
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    if isinstance(answer, Last):
                        return


def _read(reader, number: int) -> Asked | None:
    line = reader.readline().split()
    # The bytes of a TLS handshake may look like three words.
    if len(line) != 3 or not line[2].startswith(b"HTTP/"):
        return None
    headers = {}
    while (header := reader.readline().strip()) != b"":
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Asked(line[0].decode(), line[1].decode(), headers, body, number)
