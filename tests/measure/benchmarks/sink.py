"""A local server that reads requests and answers at once, so that a benchmark measures the sender and not the server."""

from __future__ import annotations

import socket
import threading

_CONTACT = (
    b'{"type":"contact","id":"64f0c0ffee0000000000a001","role":"user","external_id":"user-00001",'
    b'"email":"person1@example.com","name":"Ada Example","created_at":1767225600,"updated_at":1767225600,'
    b'"custom_attributes":{"plan":"pro","logins":12}}'
)


def _answer(status: bytes, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"X-RateLimit-Limit: 1000000\r\nX-RateLimit-Remaining: 999999\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )


_ACCEPTED = _answer(b"202 Accepted", b"")
_WRITTEN = _answer(b"200 OK", _CONTACT)


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pending = b""
    with connection:
        while True:
            while (end := pending.find(b"\r\n\r\n")) < 0:
                chunk = connection.recv(65_536)
                if not chunk:
                    return
                pending += chunk
            head = pending[:end]
            length = _length(head)
            while len(pending) < end + 4 + length:
                chunk = connection.recv(65_536)
                if not chunk:
                    return
                pending += chunk
            pending = pending[end + 4 + length :]
            connection.sendall(_ACCEPTED if head.startswith(b"POST /events ") else _WRITTEN)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def main() -> None:
    """Listen on a free port, print the port, and serve until the process is killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve_quietly, args=(connection,), daemon=True).start()


def _serve_quietly(connection: socket.socket) -> None:
    try:
        _serve(connection)
    except OSError:
        return  # the client closed the connection during a request; other connections continue


if __name__ == "__main__":
    main()
