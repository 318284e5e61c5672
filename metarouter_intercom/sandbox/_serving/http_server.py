"""Listens, serves each connection in a thread of its own, and breaks connections when a fault says so. It parses nothing."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from typing import Any

from metarouter_intercom.plugins import Response

from ..service import Service, is_api, is_control
from .http_requests import BadRequest, HttpRequest, RequestReader
from .http_responses import encode, encode_page
from .local_names import is_local_name, is_loopback
from .wsgi import WsgiApp, run_wsgi


class SandboxServer(socketserver.ThreadingTCPServer):
    """
    The listening socket and its open connections.

    Args:
        address: Host and port; port 0 takes any free one.
        service: Answers the API and the sandbox's own addresses.
        app: Answers all other paths.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], service: Service, app: WsgiApp) -> None:
        self.service = service
        self.app = app
        self.closing = threading.Event()
        self.local_only = is_loopback(address[0])
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Connection)

    def add(self, connection: socket.socket) -> None:
        """Add an open connection, which the calling thread serves."""
        with self._connections_lock:
            self._connections[connection] = threading.current_thread()

    def remove(self, connection: socket.socket) -> None:
        """Remove a connection, which the calling thread is about to close."""
        with self._connections_lock:
            self._connections.pop(connection, None)

    def close_connections(self, *, timeout: float) -> None:
        """End ``hang`` faults and delays, close every open connection, and wait up to *timeout* seconds for each thread."""
        self.closing.set()
        with self._connections_lock:
            connections = dict(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its own thread has closed it already
        for thread in connections.values():
            thread.join(timeout)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error, except when the client closed the connection."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Connection(socketserver.StreamRequestHandler):
    """One connection, whose requests are answered one after the other."""

    server: SandboxServer
    disable_nagle_algorithm = True
    rbufsize = 65_536

    def setup(self) -> None:
        super().setup()
        self.server.add(self.connection)

    def finish(self) -> None:
        self.server.remove(self.connection)
        super().finish()

    def handle(self) -> None:
        reader = RequestReader(self.rfile, self.wfile)
        keep_alive = True
        while keep_alive and not self.server.closing.is_set():
            try:
                request = reader.read()
            except BadRequest as error:
                self._write(Response(400, {"error": str(error)}), keep_alive=False)
                return
            if request is None:
                return
            keep_alive = self._respond(request) and request.keep_alive

    def _respond(self, request: HttpRequest) -> bool:
        """Answer *request*; returns whether the connection can stay open."""
        server = self.server
        if server.local_only and not is_local_name(request.headers.get("host", "")):
            # A website can make its own name lead to this machine. Without this check its script could read the workspace.
            text = "this sandbox answers to localhost and to addresses only; serve it on another host to use other names"
            self._write(Response(403, {"error": text}), keep_alive=request.keep_alive)
            return True
        if is_api(request.path, request.headers):
            return self._respond_as_intercom(request)
        if is_control(request.path):
            self._write(server.service.control(request.method, request.path, request.content))
            return True
        run_wsgi(server.app, request, self.wfile.write)
        return True

    def _respond_as_intercom(self, request: HttpRequest) -> bool:
        service = self.server.service
        response, fault, delay = service.respond(
            request.method, request.path, request.headers, request.content
        )
        if delay > 0:
            self.server.closing.wait(delay)
        kind = None if fault is None else fault.kind
        if response is not None and kind != "truncated":
            self.wfile.write(
                encode(response, keep_alive=request.keep_alive, is_malformed=kind == "malformed")
            )
            return True
        if kind == "truncated" and response is not None:
            content = encode(response, keep_alive=False)
            self.wfile.write(content[: -max(1, len(content) // 4)])
        elif fault is not None and kind == "html":
            self.wfile.write(encode_page(fault.page_status))
            return True
        elif kind == "hang":
            self.server.closing.wait(service.faults.hang_seconds)
        else:
            self._reset()
        return False

    def _write(self, response: Response, *, keep_alive: bool = True) -> None:
        self.wfile.write(encode(response, keep_alive=keep_alive))

    def _reset(self) -> None:
        # A linger time of zero makes close() send RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
