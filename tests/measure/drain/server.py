"""
A server that answers late and has a rate limit like Intercom's; one process, few instructions a request, so that it is no bottleneck.

``GET /state`` answers at once with the numbers of requests that were admitted in each second, and how many were refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

_CONTACT = b'{"type":"contact","id":"64f0c0ffee0000000000a001","role":"user","external_id":"u-1"}'
_REFUSED = b'{"type":"error.list","errors":[{"code":"rate_limit_exceeded","message":"Exceeded rate limit"}]}'


class Server:
    """
    The state of all connections.

    Args:
        delay: Seconds before each answer.
        limit: Requests a window.
        window: Seconds.
    """

    def __init__(self, *, delay, limit, window):
        self.delay, self.limit, self.window = delay, limit, window
        self.admitted = {}
        self.refused = 0
        self.connections = 0
        self.most_connections = 0
        self._number, self._used = 0, 0

    def answer(self, line):
        """Count one request and return its answer."""
        now = time.time()
        number = int(now // self.window)
        if number != self._number:
            self._number, self._used = number, 0
        # As Intercom counts it: before this call (contract, section 2).
        remaining = self.limit - self._used
        headers = b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d\r\n" % (
            self.limit,
            max(0, remaining),
            (number + 1) * self.window,
        )
        if remaining <= 0:
            self.refused += 1
            return _answer(b"429 Too Many Requests", _REFUSED, headers)
        self._used += 1
        second = int(now)
        self.admitted[second] = self.admitted.get(second, 0) + 1
        if line.startswith(b"POST /events"):
            return _answer(b"202 Accepted", b"", headers)
        return _answer(b"200 OK", _CONTACT, headers)

    def state(self):
        """Return the numbers so far."""
        content = {
            "admitted": self.admitted,
            "refused": self.refused,
            "connections": self.connections,
            "most_connections": self.most_connections,
        }
        return _answer(b"200 OK", json.dumps(content).encode(), b"")


class Connection(asyncio.Protocol):
    """One connection; the client sends one request at a time."""

    def __init__(self, server):
        self._server = server
        self._pending = b""

    def connection_made(self, transport):
        self._transport = transport
        self._server.connections += 1
        self._server.most_connections = max(self._server.most_connections, self._server.connections)

    def connection_lost(self, exc):
        self._server.connections -= 1

    def data_received(self, data):
        self._pending += data
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._pending[:end]
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(self._pending) < end + 4 + length:
            return
        self._pending = self._pending[end + 4 + length :]
        if head.startswith(b"GET /state"):
            self._transport.write(self._server.state())
        else:
            answer = self._server.answer(head)
            asyncio.get_running_loop().call_later(self._server.delay, self._transport.write, answer)


def _answer(status, body, headers):
    return (
        b"HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\n%sContent-Length: %d\r\n\r\n"
        % (status, headers, len(body))
        + body
    )


async def _serve(options):
    server = Server(**options)
    listener = await asyncio.get_running_loop().create_server(
        lambda: Connection(server), "127.0.0.1", 0, backlog=256
    )
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
